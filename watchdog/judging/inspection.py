"""What looking adds to listening: deaths, starts and failures that no event told of.

A snapshot is judged only after the events up to its time have been taken into account, so whatever it shows
beyond them was truly missed. A container with a newer event is skipped: the next snapshot will do.
"""

from collections.abc import Iterable

from watchdog.domain import Gap, Health, Inspection, Snapshot
from watchdog.incidents import Fact, Kind, Outcome, Standing
from watchdog.judging.clock import RESTARTING_POLICIES
from watchdog.judging.docket import Docket
from watchdog.judging.events import KILLED, begin_run, end_run, note_health, pause, unpause
from watchdog.state import Death, Phase, Watched

SAME_RUN_S = 0.001
LIVE = ("running", "paused")
TERMINATED = 143  # 128 + SIGTERM: an answer to a request to stop


def judge_snapshot(docket: Docket, snapshot: Snapshot) -> None:
    """Compare what was seen with what is known."""
    for seen in _current(snapshot.inspections):
        watched = docket.find(seen.container_id, seen.who.key)
        if watched is None:
            _meet(docket, seen, snapshot.at)
        elif watched.heard_at <= snapshot.at:
            _compare(docket, watched, seen, snapshot.at)
    if snapshot.is_complete:
        _miss_absent(docket, snapshot)
        docket.has_baseline = True
        docket.snapshot_at = snapshot.at


def _current(inspections: Iterable[Inspection]) -> list[Inspection]:
    """One inspection for each key: a live container before a dead one, a newer one before an older one."""
    best: dict[str, Inspection] = {}
    for seen in sorted(inspections, key=lambda seen: (seen.status in LIVE, seen.created_at)):
        best[seen.who.key] = seen
    return list(best.values())


def _meet(docket: Docket, seen: Inspection, at: float) -> None:
    """A container that no event announced: part of the silent baseline, or born while nobody listened."""
    is_old = not docket.has_baseline
    watched = docket.add(seen.container_id, seen.who, seen.created_at)
    watched = docket.change(
        watched, restart_policy=seen.restart_policy, restart_count=seen.restart_count, as_of=at
    )
    if seen.status in LIVE:
        watched = begin_run(docket, watched, seen.started_at or at, is_unseen=True)
        if seen.status == "paused":
            docket.turn(watched.key, at, Standing.OFF)
            watched = docket.change(watched, phase=Phase.PAUSED, phase_since=at)
        _see_health(docket, watched, seen, at)
    elif seen.status == "created":
        if not is_old:
            _see_failure(docket, watched, seen, at)
        else:
            docket.change(watched, failure=seen.error)
    else:
        since = seen.finished_at or at
        docket.turn(watched.key, since, Standing.OFF if is_old else Standing.DOWN)
        watched = docket.change(
            watched, phase=Phase.DOWN, phase_since=since, is_done=is_old, failure=seen.error
        )
        if not is_old:
            end_run(docket, watched, _unseen_death(docket, seen, since))


def _compare(docket: Docket, watched: Watched, seen: Inspection, at: float) -> None:
    if seen.container_id != watched.container_id:
        watched = _replace(docket, watched, seen)
    if (watched.key, watched.title) != (
        seen.who.key,
        seen.who.name,
    ) and seen.who.key not in docket.containers:
        watched = docket.retitle(watched, seen.who.key, seen.who.name, at)
    watched = _count_restarts(docket, watched, seen)
    watched = docket.change(
        watched,
        restart_policy=seen.restart_policy,
        is_expected=seen.who.is_expected,
        as_of=at,
        n_deaths_since=0,
    )
    if seen.status in LIVE:
        _see_live(docket, watched, seen, at)
    elif seen.status == "created":
        _see_failure(docket, watched, seen, at)
    else:
        _see_dead(docket, watched, seen, at)


def _replace(docket: Docket, watched: Watched, seen: Inspection) -> Watched:
    """Re-created while nobody listened."""
    return docket.change(
        watched,
        container_id=seen.container_id,
        successor_id="",
        phase=Phase.CREATED,
        phase_since=seen.created_at,
        restart_count=0,
        n_deaths_since=0,
        health=Health.NONE,
        failure="",
        killed_at=0.0,
        oom_at=0.0,
    )


def _count_restarts(docket: Docket, watched: Watched, seen: Inspection) -> Watched:
    """Crashes between two looks that no event told of show as a higher restart count.

    The count falls back to 0 at a manual start and when the engine restarts: only its growth counts.
    """
    grown = seen.restart_count - watched.restart_count
    if grown < 0:
        grown = seen.restart_count
    n_missed = grown - watched.n_deaths_since
    is_counted = n_missed > 0 and not _is_engine_return(docket)
    watched = docket.change(watched, restart_count=seen.restart_count)
    for _ in range(min(n_missed, docket.rules.loop_count) if is_counted else 0):
        died_at = seen.finished_at or seen.started_at or docket.snapshot_at
        death = Death(died_at, seen.exit_code if seen.status not in LIVE else -1, is_unseen=True)
        watched = docket.change(watched, deaths=(*watched.deaths, death))
    return watched


def _is_engine_return(docket: Docket) -> bool:
    return docket.engine.back_at is not None and docket.engine.gap == Gap.RESTARTED


def _see_live(docket: Docket, watched: Watched, seen: Inspection, at: float) -> None:
    started_at = seen.started_at or at
    if watched.phase not in (Phase.RUNNING, Phase.PAUSED) or started_at > watched.run_started_at + SAME_RUN_S:
        watched = begin_run(docket, watched, started_at, is_unseen=True)
    if seen.status == "paused" and watched.phase is Phase.RUNNING:
        pause(docket, watched, at)
    elif seen.status == "running" and watched.phase is Phase.PAUSED:
        unpause(docket, watched, at)
    _see_health(docket, docket.containers[watched.key], seen, at)


def _see_health(docket: Docket, watched: Watched, seen: Inspection, at: float) -> None:
    if watched.health == Health.NONE and seen.health is not Health.NONE:
        watched = docket.change(watched, health=Health.STARTING, well_since=None)
    if seen.health in (Health.HEALTHY, Health.UNHEALTHY):
        note_health(docket, watched, seen.health, at)


def _see_failure(docket: Docket, watched: Watched, seen: Inspection, at: float) -> None:
    """A start that failed leaves no event: only the inspection knows the error."""
    if seen.error and seen.error != watched.failure:
        watched = docket.change(watched, failure=seen.error)
        docket.raise_incident(
            watched, Kind.START_FAILED, Fact(at, "start_failed", seen.exit_code, seen.error)
        )


def _see_dead(docket: Docket, watched: Watched, seen: Inspection, at: float) -> None:
    if watched.phase in (Phase.RUNNING, Phase.PAUSED, Phase.CREATED):
        since = seen.finished_at or at
        if (
            watched.deaths and watched.deaths[-1].is_unseen
        ):  # the restart count has told of this death already
            docket.turn(watched.key, since, Standing.DOWN)
            docket.change(watched, phase=Phase.DOWN, phase_since=since, well_since=None)
        else:
            end_run(docket, watched, _unseen_death(docket, seen, since))
    elif seen.status == "exited" and seen.error:
        _see_failure(docket, watched, seen, at)


def _unseen_death(docket: Docket, seen: Inspection, at: float) -> Death:
    """A death found by looking: its intent is inferred from what the engine would have done.

    An `always` or `unless-stopped` container that is down (not between two runs) was stopped by somebody, or
    the engine would have started it again; after an engine restart that does not hold.
    """
    was_left_down = seen.status == "exited" and seen.restart_policy in RESTARTING_POLICIES
    is_planned = (was_left_down and not _is_engine_return(docket)) or seen.exit_code == TERMINATED
    # The flag may stem from a child, or from this very death: with 137 it is at least the likeliest cause.
    is_oom = seen.oom_flag and seen.exit_code == KILLED
    return Death(at, seen.exit_code, is_planned, is_oom, is_unseen=True)


def _miss_absent(docket: Docket, snapshot: Snapshot) -> None:
    present = {seen.container_id for seen in snapshot.inspections}
    for watched in list(docket.containers.values()):
        if watched.phase is Phase.GONE or watched.container_id in present or watched.heard_at > snapshot.at:
            continue
        current = docket.incident_of(watched)
        if current is not None and current.kind.is_quiet:
            watched = docket.close(watched, Outcome.REMOVED, snapshot.at)
        docket.turn(watched.key, snapshot.at, Standing.OFF)
        docket.change(watched, phase=Phase.GONE, phase_since=snapshot.at, as_of=snapshot.at, well_since=None)
