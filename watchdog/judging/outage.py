"""The engine's own absence: one incident that holds back those of its containers.

A graceful engine stop kills every container first, so deaths just before the loss belong to the outage. When
the engine is back, its containers get a grace period; then the incident closes with "N back, M did not
return", and each of the M gets an incident of its own, since somebody has to start it.
"""

from dataclasses import replace

from watchdog.domain import ENGINE_KEY, EngineBack, EngineLost, Gap, Snapshot
from watchdog.incidents import Fact, Kind, Outcome, Standing
from watchdog.judging.docket import Docket
from watchdog.state import EngineWatch, Phase, Watched


def lose_engine(docket: Docket, lost: EngineLost) -> None:
    """Remember which containers ran, and judge nothing until the engine is back."""
    if docket.engine.lost_at is not None and docket.engine.back_at is None:
        return
    before = set(docket.engine.running_before)  # still waiting for these from an outage just before
    for watched in docket.containers.values():
        if watched.phase in (Phase.RUNNING, Phase.PAUSED) or _went_with_engine(docket, watched, lost.at):
            before.add(watched.key)
    incident_id = docket.engine.incident_id
    docket.engine = EngineWatch(
        lost_at=lost.at, running_before=tuple(sorted(before)), incident_id=incident_id
    )
    docket.turn(ENGINE_KEY, lost.at, Standing.BLIND)


def _went_with_engine(docket: Docket, watched: Watched, lost_at: float) -> bool:
    if watched.phase is not Phase.DOWN or lost_at - watched.phase_since > docket.rules.shutdown_window_s:
        return False
    was_asked = watched.is_off or any(death.is_planned for death in watched.deaths)
    return was_asked and watched.incident_id is None


def is_judging_suspended(docket: Docket) -> bool:
    """While the engine is away, or back and still starting its containers, nobody is blamed."""
    return docket.engine.lost_at is not None


def judge_outage(docket: Docket, now: float) -> None:
    """Open the outage's incident when it lasts, end the wait for the containers when it is over."""
    engine = docket.engine
    if engine.lost_at is None:
        return
    if engine.back_at is None:
        if engine.incident_id is None and now - engine.lost_at >= docket.rules.engine_grace_s:
            _open(docket)
    elif engine.is_inspected and (_all_back(docket) or now - engine.back_at >= docket.rules.return_grace_s):
        _conclude(docket, now)


def regain_engine(docket: Docket, back: EngineBack) -> None:
    """The engine answers: wait for its containers if it was restarted, go on as before if it was not."""
    engine = docket.engine
    if engine.lost_at is None or engine.back_at is not None:
        return
    docket.turn(ENGINE_KEY, back.at, Standing.UP)
    docket.engine = replace(engine, back_at=back.at, gap=back.gap)
    if back.gap is Gap.NONE:
        # Only the road to the engine was cut: what happened is being replayed and judged in the usual way.
        incident_id = engine.incident_id
        if incident_id is not None and incident_id in docket.incidents:
            incident = replace(docket.incidents[incident_id], back_at=back.at)
            docket.close_incident(incident, Outcome.RECOVERED, back.at)
        docket.engine = EngineWatch()
    elif back.gap is Gap.RESTARTED:
        for key in engine.running_before:
            watched = docket.containers.get(key)
            if watched is not None:
                own = tuple(death for death in watched.deaths if not death.is_planned)
                docket.change(watched, deaths=own, killed_at=0.0, is_off=False)


def see_return(docket: Docket, snapshot: Snapshot) -> None:
    """The first snapshot after the return shows whether the restart interrupted anything."""
    if docket.engine.back_at is None or not snapshot.is_complete:
        return
    if docket.engine.gap == Gap.RESTARTED and docket.engine.incident_id is None:
        by_id = {seen.container_id: seen for seen in snapshot.inspections}
        kept_running = all(
            (seen := by_id.get(watched.container_id)) is not None
            and seen.status in ("running", "paused")
            and (seen.started_at or 0.0) <= watched.run_started_at + 0.001
            for watched in (
                docket.containers[key] for key in docket.engine.running_before if key in docket.containers
            )
        )
        if not kept_running:
            _open(docket)
    docket.engine = replace(docket.engine, is_inspected=True)


def _open(docket: Docket) -> None:
    lost_at = docket.engine.lost_at or 0.0
    incident = docket.open_for(ENGINE_KEY, ENGINE_KEY, Kind.ENGINE_GONE, Fact(lost_at, "engine_gone"))
    docket.engine = replace(docket.engine, incident_id=incident.id)


def _is_back(watched: Watched | None) -> bool:
    return watched is not None and watched.phase in (Phase.RUNNING, Phase.PAUSED)


def _all_back(docket: Docket) -> bool:
    return all(_is_back(docket.containers.get(key)) for key in docket.engine.running_before)


def _conclude(docket: Docket, now: float) -> None:
    engine = docket.engine
    docket.engine = EngineWatch()
    known = [docket.containers[key] for key in engine.running_before if key in docket.containers]
    back = [watched for watched in known if _is_back(watched)]
    not_back = [watched for watched in known if watched.phase is Phase.DOWN and engine.gap == Gap.RESTARTED]
    incident = docket.incidents.get(engine.incident_id) if engine.incident_id is not None else None
    if incident is None:  # nothing was interrupted
        return
    titles = tuple(watched.title for watched in not_back)
    incident = replace(incident, n_back=len(back), not_back=titles, back_at=engine.back_at)
    docket.close_incident(incident, Outcome.RETURNED, now)
    for not_returned in not_back:
        # A restarted engine first ends what a crash of it left running, with kill, die and stop events. Those
        # deaths and the ones that were only seen are the outage's own.
        own = tuple(d for d in not_returned.deaths if not (d.is_planned or d.is_unseen))
        watched = docket.change(not_returned, deaths=own, is_off=False)
        docket.raise_incident(watched, Kind.NOT_RETURNED, Fact(watched.phase_since, "not_returned"))
