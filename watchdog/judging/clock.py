"""What the passing of time decides: deaths that settled, grace that ran out, recovery that lasted."""

from watchdog.domain import ENGINE_KEY, Health
from watchdog.incidents import Fact, Incident, Kind, Outcome, Standing
from watchdog.judging.docket import Docket
from watchdog.state import Death, Phase, Watched

RESTARTING_POLICIES = ("always", "unless-stopped")


def judge_tick(docket: Docket, now: float) -> None:
    """Judge every container for the time that has passed; not called while the engine is away."""
    for key in list(docket.containers):
        watched = docket.containers[key]
        watched = _settle_deaths(docket, watched, now)
        watched = _settle_oom(docket, watched, now)
        watched = _forget_old_crashes(docket, watched, now)
        watched = _judge_absence(docket, watched, now)
        _judge_recovery(docket, watched, now)
    _judge_expected(docket, now)


def remind(docket: Docket, now: float, *, engine_only: bool) -> None:
    """Repeat what is still open, at growing intervals; during an outage only the outage itself."""
    for incident in list(docket.incidents.values()):
        if incident.next_reminder_at is None or incident.next_reminder_at > now:
            continue
        if not _is_recovering(docket, incident) and (incident.key == ENGINE_KEY or not engine_only):
            docket.remind(incident, now)


def _is_recovering(docket: Docket, incident: Incident) -> bool:
    watched = docket.containers.get(incident.key)
    return watched is not None and watched.incident_id == incident.id and watched.well_since is not None


def _settle_deaths(docket: Docket, watched: Watched, now: float) -> Watched:
    while watched.deaths and now - watched.deaths[0].at >= docket.rules.settle_s:
        death, *waiting = watched.deaths
        watched = docket.change(watched, deaths=tuple(waiting))
        watched = _judge_death(docket, watched, death, is_last=not waiting)
    return watched


def _judge_death(docket: Docket, watched: Watched, death: Death, *, is_last: bool) -> Watched:
    is_down = is_last and watched.phase in (Phase.DOWN, Phase.GONE)
    if death.is_planned:
        docket.turn(watched.key, death.at, Standing.OFF)
        if not is_down:
            docket.note(watched, Fact(death.at, "restarted_by_hand", is_unseen=death.is_unseen))
            return watched
        is_told = docket.incident_of(watched) is not None
        watched = docket.close(watched, Outcome.STOPPED, death.at)
        return docket.change(watched, is_off=True, is_off_told=is_told)
    if death.exit_code == 0 and not death.is_oom and is_down and not _must_run(watched):
        docket.turn(watched.key, death.at, Standing.OFF)
        if watched.phase is Phase.GONE:  # a one-off task that did its work and was cleared away
            return docket.change(watched, is_done=True)
        watched = docket.change(watched, is_done=True)
        return docket.raise_incident(
            watched, Kind.FINISHED, Fact(death.at, "died", 0, is_unseen=death.is_unseen)
        )
    return _judge_crash(docket, watched, death, is_down=is_down)


def _must_run(watched: Watched) -> bool:
    return watched.is_expected or watched.restart_policy in RESTARTING_POLICIES


def _judge_crash(docket: Docket, watched: Watched, death: Death, *, is_down: bool) -> Watched:
    rules = docket.rules
    crashes = tuple(at for at in (*watched.crashes, death.at) if death.at - at < rules.loop_window_s)
    watched = docket.change(watched, crashes=crashes)
    kind = Kind.OOM if death.is_oom else Kind.CRASHED
    if len(crashes) >= rules.loop_count:
        kind = Kind.RESTART_LOOP
    code = "oom" if death.is_oom else "died"
    fact = Fact(death.at, code, death.exit_code, is_unseen=death.is_unseen)
    if is_down or watched.phase is not Phase.RUNNING:
        return docket.raise_incident(watched, kind, fact, deaths=1)
    # The engine started it again before the death had settled: recovery has begun already.
    watched = docket.raise_incident(watched, kind, fact, deaths=1)
    docket.note(watched, Fact(watched.run_started_at, "started"))
    has_check = watched.health not in (Health.NONE, Health.HEALTHY)
    return docket.change(watched, well_since=None if has_check else watched.run_started_at)


def _settle_oom(docket: Docket, watched: Watched, now: float) -> Watched:
    """A memory kill that pid 1 outlived."""
    if (
        not watched.oom_at
        or now - watched.oom_at < docket.rules.settle_s
        or watched.phase is not Phase.RUNNING
    ):
        return watched
    at = watched.oom_at
    watched = docket.change(watched, oom_at=0.0)
    watched = docket.raise_incident(watched, Kind.OOM_CHILD, Fact(at, "oom_child"))
    return docket.change(watched, well_since=None if watched.health == Health.UNHEALTHY else at)


def _forget_old_crashes(docket: Docket, watched: Watched, now: float) -> Watched:
    if watched.crashes and now - watched.crashes[0] >= docket.rules.loop_window_s:
        kept = tuple(at for at in watched.crashes if now - at < docket.rules.loop_window_s)
        return docket.change(watched, crashes=kept)
    return watched


def _judge_absence(docket: Docket, watched: Watched, now: float) -> Watched:
    away_s = now - watched.phase_since
    current = docket.incident_of(watched)
    if watched.phase is Phase.DOWN and watched.is_off and not watched.deaths:
        if current is not None and not current.kind.is_quiet:
            watched = docket.close(watched, Outcome.STOPPED, watched.phase_since)
            watched = docket.change(watched, is_off_told=True)
        elif current is None and not watched.is_off_told and away_s >= docket.rules.planned_grace_s:
            watched = docket.raise_incident(watched, Kind.STOPPED, Fact(watched.phase_since, "stopped"))
        return watched
    if watched.phase is not Phase.GONE or watched.deaths or away_s < docket.rules.planned_grace_s:
        return watched
    if watched.is_expected:
        if current is None or current.kind is not Kind.MISSING:
            watched = docket.raise_incident(watched, Kind.MISSING, Fact(watched.phase_since, "removed"))
        return watched
    del docket.containers[watched.key]
    if current is not None:
        return _bury(docket, watched, current)
    if not watched.is_done:
        incident = docket.open_for(
            watched.key, watched.title, Kind.REMOVED, Fact(watched.phase_since, "removed")
        )
        docket.close_incident(incident, Outcome.REMOVED, watched.phase_since)
    return watched


def _bury(docket: Docket, watched: Watched, incident: Incident) -> Watched:
    docket.close_incident(incident, Outcome.REMOVED, watched.phase_since)
    return watched


def _judge_recovery(docket: Docket, watched: Watched, now: float) -> None:
    current = docket.incident_of(watched)
    if current is None or current.kind.is_quiet or watched.phase is not Phase.RUNNING or watched.deaths:
        return
    if watched.well_since is None or watched.health not in (Health.NONE, Health.HEALTHY):
        return
    is_loop = current.kind is Kind.RESTART_LOOP
    if now - watched.well_since >= (docket.rules.loop_stable_s if is_loop else docket.rules.stable_s):
        was_never_down = current.kind is Kind.OOM_CHILD
        docket.close(watched, Outcome.RECOVERED, now, back_at=now if was_never_down else watched.well_since)


def _judge_expected(docket: Docket, now: float) -> None:
    """Containers that a setting expects and that were never seen."""
    if not docket.has_baseline:
        return
    present = {name for watched in docket.containers.values() for name in (watched.key, watched.title)}
    owned = {watched.incident_id for watched in docket.containers.values()}
    missing = {
        incident.key: incident
        for incident in docket.incidents.values()
        if incident.kind is Kind.MISSING and incident.id not in owned
    }
    for name in docket.rules.expected:
        if name in present:
            docket.missing_since.pop(name, None)
            if name in missing:
                docket.close_incident(missing[name], Outcome.RECOVERED, now)
        elif name not in missing:
            since = docket.missing_since.setdefault(name, now)
            if now - since >= docket.rules.missing_grace_s:
                docket.open_for(name, name, Kind.MISSING, Fact(since, "never_seen"))
