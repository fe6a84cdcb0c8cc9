"""What the judge concludes: incidents, what changed in them, and how each container stood when."""

from dataclasses import dataclass, field
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
    SUPERSEDED = "superseded"  # the engine's outage swallowed it


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


class Phase(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    DOWN = "down"
    GONE = "gone"  # removed; remembered for a grace period


@dataclass(frozen=True, slots=True)
class Death:
    """An end of pid 1 that waits for its explanation."""

    at: float
    exit_code: int
    is_planned: bool = False
    is_oom: bool = False
    is_unseen: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """All that the judge remembers of one container."""

    key: str
    title: str
    container_id: str
    phase: Phase
    phase_since: float
    is_expected: bool = False
    restart_policy: str = ""
    run_started_at: float = 0.0  # the newest start known, from an event or an inspection
    health: str = "none"
    restart_count: int = 0  # as of the last inspection
    n_deaths_since: int = 0  # unplanned deaths heard of since then
    deaths: tuple[Death, ...] = ()
    killed_at: float = 0.0  # last terminating signal sent through the engine
    oom_at: float = 0.0  # an oom event that no death has explained yet
    crashes: tuple[float, ...] = ()
    is_off: bool = False  # down on purpose
    is_off_told: bool = False  # as the end of an earlier incident
    is_done: bool = False  # ended by itself with 0 and is not expected to run
    as_of: float = 0.0  # an inspection covers everything up to here
    heard_at: float = 0.0  # the newest event about it
    incident_id: int | None = None
    well_since: float | None = None
    successor_id: str = ""  # created under the same key while this one still exists
    failure: str = ""  # the start error that was told


@dataclass(frozen=True, slots=True)
class EngineWatch:
    """The engine's own state: present, lost, or just back and waiting for its containers."""

    lost_at: float | None = None
    back_at: float | None = None
    gap: str = "none"
    incident_id: int | None = None
    running_before: tuple[str, ...] = ()
    is_inspected: bool = False  # a complete snapshot was seen since it came back


@dataclass(frozen=True, slots=True)
class WatchState:
    """The judge's whole memory; a plain value that is stored as JSON."""

    containers: dict[str, Watched] = field(default_factory=dict)
    incidents: dict[int, Incident] = field(default_factory=dict)  # open ones only
    engine: EngineWatch = EngineWatch()
    next_incident_id: int = 1
    has_baseline: bool = False
    snapshot_at: float = 0.0  # the last complete one
    missing_since: dict[str, float] = field(default_factory=dict)  # expected by setting, never seen


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one observation led to."""

    state: WatchState
    changes: tuple[Change, ...]
    turns: tuple[Turn, ...]
