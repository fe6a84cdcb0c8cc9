"""The watchdog's nouns: who a container is, what was observed, and by which rules it is judged.

Times are seconds since the epoch on the engine's clock. Nothing here knows Docker, Telegram or SQLite.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

ENGINE_KEY = "docker engine"  # the incident key of the engine itself: no container name holds a space
WATCH_LABEL = "highlight.watch"  # "false" opts a container out, "expected" demands that it exists
FULL_RING = 250  # the engine keeps 256 events; nearly as many in a replay mean that older ones fell out


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a container is across re-creations: compose's project, service and number, else its name."""

    key: str
    name: str
    is_expected: bool = False
    is_watched: bool = True


@dataclass(frozen=True, slots=True)
class Scope:
    """Which containers are watched, by setting; labels on a container have the last word."""

    project: str = ""  # only this compose project; empty: everything on the engine
    ignored: tuple[str, ...] = ()  # patterns of names, services or keys
    expected: tuple[str, ...] = ()

    def identify(self, name: str, labels: Mapping[str, str]) -> Identity:
        """The identity of a container with this name (a leading slash is dropped) and these labels."""
        name = name.removeprefix("/")
        project, service = (
            labels.get("com.docker.compose.project", ""),
            labels.get("com.docker.compose.service", ""),
        )
        is_oneoff = labels.get("com.docker.compose.oneoff", "").lower() == "true"
        key, names = name, {name}
        if service and not is_oneoff:
            number = labels.get("com.docker.compose.container-number", "1")
            key = f"{project}/{service}" + (f"/{number}" if number != "1" else "")
            # Compose gives a successor a temporary name until its predecessor is gone: the name says little.
            names |= {service, key}
            name = service + (f"-{number}" if number != "1" else "")
        label = labels.get(WATCH_LABEL, "").lower()
        is_watched = not (
            label in ("false", "no", "0", "off")
            or (is_oneoff and not label)
            or (self.project and project != self.project)
            or (not label and any(fnmatchcase(known, pattern) for known in names for pattern in self.ignored))
        )
        is_expected = is_watched and (label == "expected" or not names.isdisjoint(self.expected))
        return Identity(key, name, is_expected, is_watched)


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """One line of the engine's event stream that concerns a container."""

    at: float
    action: str  # the engine's own word; a health_status is shortened to healthy or unhealthy
    container_id: str
    who: Identity
    exit_code: int | None = None
    signal: int | None = None


class Health(StrEnum):
    """What a container's health check says; NONE where there is no check."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Inspection:
    """One container as `inspect` shows it; None stands for the engine's zero time."""

    container_id: str
    who: Identity
    status: str  # created, running, paused, restarting, removing, exited, dead
    created_at: float
    started_at: float | None
    finished_at: float | None
    exit_code: int
    error: str
    oom_flag: bool
    restart_count: int
    restart_policy: str  # "", no, on-failure, always, unless-stopped
    health: Health


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What inspection saw, no older than `at`; complete when every container of the engine was looked at."""

    at: float
    inspections: tuple[Inspection, ...]
    is_complete: bool


class Gap(StrEnum):
    """What is known about events that passed while nobody listened."""

    NONE = "none"  # the engine replayed everything
    ROLLED = "rolled"  # more events than the engine keeps
    RESTARTED = "restarted"  # the engine's memory of them is gone: it was restarted, or never had any


@dataclass(frozen=True, slots=True)
class EngineLost:
    """The engine stopped answering; `at` is the last moment at which it was known to be there."""

    at: float


@dataclass(frozen=True, slots=True)
class EngineBack:
    """The engine answers again."""

    at: float
    gap: Gap


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but time has passed."""

    at: float


Observation = ContainerEvent | Snapshot | EngineLost | EngineBack | Tick


@dataclass(frozen=True, slots=True)
class Rules:
    """The judge's patience, in seconds."""

    settle_s: float = 2.0  # a `stop` or `oom` event may follow its `die`
    intent_window_s: float = 60.0  # a death this soon after a signal through the engine was wanted
    planned_grace_s: float = 45.0  # a container stopped or removed on purpose may come back re-created
    missing_grace_s: float = 60.0
    stable_s: float = 60.0  # "recovered" only after running well for so long
    loop_stable_s: float = 300.0
    loop_count: int = 3
    loop_window_s: float = 600.0
    engine_grace_s: float = 10.0
    shutdown_window_s: float = 20.0  # an engine that shuts down stops its containers this long before
    return_grace_s: float = 30.0  # containers may take this long to come back with the engine
    reminders_s: tuple[float, ...] = (900.0, 3600.0, 10800.0, 21600.0, 43200.0)  # the last one repeats
    expected: tuple[str, ...] = ()  # names, services or keys that must exist
