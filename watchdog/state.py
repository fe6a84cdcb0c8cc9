"""What the judge remembers between two observations: plain values, stored as JSON."""

from dataclasses import dataclass, field
from enum import StrEnum

from watchdog.incidents import Change, Incident, Turn


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
