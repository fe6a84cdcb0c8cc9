"""What the judge concludes: incidents, what changed in them, and how each container stood when."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong. Stable: stored and mapped to words in each language."""

    CRASHED = "crashed"
    OOM = "oom"  # pid 1 was killed for memory
    OOM_CHILD = "oom_child"  # a process inside was killed for memory, pid 1 lives
    START_FAILED = "start_failed"
    RESTART_LOOP = "restart_loop"
    UNHEALTHY = "unhealthy"
    MISSING = "missing"  # expected, but not there
    NOT_RETURNED = "not_returned"  # ran before the engine's outage and does not now
    ENGINE_GONE = "engine_gone"
    STOPPED = "stopped"
    FINISHED = "finished"  # ended by itself with exit code 0
    PAUSED = "paused"
    REMOVED = "removed"

    @property
    def is_quiet(self) -> bool:
        """Somebody wanted it: told without a sound, never repeated."""
        return self in (Kind.STOPPED, Kind.FINISHED, Kind.PAUSED, Kind.REMOVED)


class Outcome(StrEnum):
    """How an incident ended."""

    RECOVERED = "recovered"
    STOPPED = "stopped"  # somebody stopped it on purpose
    REMOVED = "removed"
    REPLACED = "replaced"  # something worse began with the same container
    RETURNED = "returned"  # the engine is back; see the incident's counts


@dataclass(frozen=True, slots=True)
class Fact:
    """One step in an incident's life; `code` is a key of the texts."""

    at: float
    code: str
    exit_code: int | None = None
    detail: str = ""
    is_unseen: bool = False  # found by looking, not by listening: the cause is unknown


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to one container, from its first sign until it is over."""

    id: int
    key: str
    title: str
    kind: Kind
    opened_at: float
    facts: tuple[Fact, ...] = ()
    n_deaths: int = 0
    closed_at: float | None = None
    outcome: Outcome | None = None
    back_at: float | None = None  # since when it has run well again
    n_reminders: int = 0
    next_reminder_at: float | None = None
    n_back: int = 0  # engine outage only: containers that came back,
    not_back: tuple[str, ...] = ()  # and the titles of those that did not

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class ChangeType(StrEnum):
    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class Change:
    """A step that somebody may want to hear of, with the incident as it is after the step."""

    type: ChangeType
    incident: Incident


class Standing(StrEnum):
    """How a container stood, for the availability report."""

    UP = "up"
    SICK = "sick"  # running, but its health check fails
    DOWN = "down"
    OFF = "off"  # down because somebody wanted it, or paused
    BLIND = "blind"  # the watchdog could not see (kept under the engine's key only)


@dataclass(frozen=True, slots=True)
class Turn:
    """From `at` on the container stands like this; one with the same key and time replaces an earlier one."""

    key: str
    at: float
    standing: Standing
