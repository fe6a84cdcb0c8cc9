"""How one line of the event stream changes what is known of its container.

Deaths are only written down here; they are judged a moment later (see `clock`), when the events that explain
them (`stop`, `oom`, `destroy`, a quick `start`) have had time to arrive.
"""

from collections.abc import Callable
from dataclasses import replace

from watchdog.domain import ContainerEvent, Health
from watchdog.incidents import Fact, Kind, Outcome, Standing
from watchdog.judging.docket import Docket
from watchdog.state import Death, Phase, Watched

TERMINATING = (
    2,
    3,
    9,
    15,
)  # INT, QUIT, KILL, TERM; another stop signal shows by the `stop` event after the death
OOM_NEAR_S = 5.0  # containerd reports memory kills and exits on two roads: either may come first
KILLED = 137  # 128 + SIGKILL
MAX_WAITING_DEATHS = 20


def judge_event(docket: Docket, event: ContainerEvent) -> None:
    """Take one event into account; one that an inspection already covered is history and changes nothing.

    Except memory kills: an inspection does not show them (the engine's flag may be an earlier run's).
    """
    watched = docket.find(event.container_id, event.who.key)
    if watched is not None and event.at <= watched.as_of and event.action != "oom":
        return
    if event.action in ("create", "start"):
        _REBIRTHS[event.action](docket, watched, event)
    elif watched is not None:
        _step(docket, watched, event)
    heard = docket.find(event.container_id, event.who.key)
    if heard is not None:
        docket.change(heard, heard_at=max(heard.heard_at, event.at))


def _step(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    if event.action == "destroy" and event.container_id == watched.successor_id:
        docket.change(watched, successor_id="")
    elif event.container_id == watched.container_id and event.action in _STEPS:
        _STEPS[event.action](docket, watched, event)


def _on_create(docket: Docket, watched: Watched | None, event: ContainerEvent) -> None:
    if watched is None:
        docket.add(event.container_id, event.who, event.at)
    elif watched.phase is Phase.GONE:
        _succeed(docket, watched, event.container_id, event.at, is_expected=event.who.is_expected)
    elif watched.container_id != event.container_id:
        docket.change(watched, successor_id=event.container_id)


def _succeed(docket: Docket, watched: Watched, container_id: str, at: float, *, is_expected: bool) -> Watched:
    """The container was re-created: same key, new id, nothing known of it yet."""
    return docket.change(
        watched,
        container_id=container_id,
        successor_id="",
        phase=Phase.CREATED,
        phase_since=at,
        is_expected=is_expected,
        restart_policy="",
        health=Health.NONE,
        restart_count=0,
        n_deaths_since=0,
        killed_at=0.0,
        oom_at=0.0,
        failure="",
    )


def begin_run(docket: Docket, watched: Watched, at: float, *, is_unseen: bool = False) -> Watched:
    """The container runs since `at`."""
    current = docket.incident_of(watched)
    if current is not None and current.kind.is_quiet:
        watched = docket.close(watched, Outcome.RECOVERED, at, back_at=at)
    elif not watched.deaths:  # else the start is told after the death that waits
        docket.note(watched, Fact(at, "started", is_unseen=is_unseen))
    has_check = watched.health != Health.NONE
    docket.turn(watched.key, at, Standing.UP)
    return docket.change(
        watched,
        phase=Phase.RUNNING,
        phase_since=at,
        run_started_at=at,
        health=Health.STARTING if has_check else Health.NONE,
        is_off=False,
        is_off_told=False,
        is_done=False,
        failure="",
        well_since=None if has_check else at,
    )


def _on_start(docket: Docket, watched: Watched | None, event: ContainerEvent) -> None:
    if watched is None:
        watched = docket.add(event.container_id, event.who, event.at)
    if watched.container_id != event.container_id:
        watched = _succeed(docket, watched, event.container_id, event.at, is_expected=event.who.is_expected)
    begin_run(docket, watched, event.at)


def _on_die(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    is_planned = event.at - watched.killed_at <= docket.rules.intent_window_s
    is_oom = 0.0 <= event.at - watched.oom_at <= OOM_NEAR_S
    death = Death(event.at, event.exit_code or 0, is_planned, is_oom)
    end_run(docket, watched, death)


def end_run(docket: Docket, watched: Watched, death: Death) -> Watched:
    """Write a death down; what it means is judged when it has settled."""
    docket.turn(watched.key, death.at, Standing.DOWN)
    return docket.change(
        watched,
        phase=Phase.DOWN if watched.phase is not Phase.GONE else Phase.GONE,
        phase_since=death.at,
        deaths=(*watched.deaths, death)[-MAX_WAITING_DEATHS:],
        n_deaths_since=watched.n_deaths_since + (not death.is_planned),
        killed_at=0.0,
        oom_at=0.0,
        well_since=None,
    )


def _on_stop(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    if watched.deaths:
        last = replace(watched.deaths[-1], is_planned=True)
        docket.change(watched, deaths=(*watched.deaths[:-1], last))
    elif (
        watched.phase is Phase.DOWN
    ):  # stopped between two runs of a restart loop: there is no death to go with it
        docket.change(watched, is_off=True, phase_since=event.at)
        docket.turn(watched.key, event.at, Standing.OFF)


def _on_kill(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    if event.signal in TERMINATING:
        docket.change(watched, killed_at=event.at)


def _on_oom(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    if watched.deaths and event.at - watched.deaths[-1].at <= OOM_NEAR_S:
        docket.change(watched, deaths=(*watched.deaths[:-1], replace(watched.deaths[-1], is_oom=True)))
    elif told := _told_kill(docket, watched, event.at):
        docket.correct(watched, told, replace(told, code="oom"), Kind.OOM)
    elif watched.phase is Phase.RUNNING and event.at >= watched.run_started_at:
        docket.change(watched, oom_at=event.at)


def _told_kill(docket: Docket, watched: Watched, oom_at: float) -> Fact | None:
    """The death that was told as a kill from outside just before the engine spoke of memory, if any."""
    incident = docket.incident_of(watched)
    deaths = [fact for fact in incident.facts if fact.code in ("died", "oom")] if incident else []
    is_late = bool(deaths) and deaths[-1].exit_code == KILLED and oom_at - deaths[-1].at <= OOM_NEAR_S
    return deaths[-1] if is_late and deaths[-1].code == "died" else None


def pause(docket: Docket, watched: Watched, at: float) -> None:
    """The container is frozen: on purpose, and no verdict on its health counts until it runs on."""
    docket.turn(watched.key, at, Standing.OFF)
    watched = docket.change(watched, phase=Phase.PAUSED, phase_since=at, well_since=None)
    docket.raise_incident(watched, Kind.PAUSED, Fact(at, "paused"))


def unpause(docket: Docket, watched: Watched, at: float) -> None:
    """The container runs on; whether it is healthy the next probe will tell."""
    docket.turn(watched.key, at, Standing.UP)
    has_check = watched.health != Health.NONE
    current = docket.incident_of(watched)
    if current is not None and current.kind.is_quiet:
        watched = docket.close(watched, Outcome.RECOVERED, at, back_at=at)
    else:
        docket.note(watched, Fact(at, "unpaused"))
    docket.change(
        watched,
        phase=Phase.RUNNING,
        phase_since=at,
        health=Health.STARTING if has_check else Health.NONE,
        well_since=None if has_check else at,
    )


def _on_destroy(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    docket.turn(watched.key, event.at, Standing.OFF)
    if watched.successor_id:
        _succeed(docket, watched, watched.successor_id, event.at, is_expected=watched.is_expected)
    else:
        docket.change(watched, phase=Phase.GONE, phase_since=event.at, well_since=None)


def _on_rename(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    if (event.who.key, event.who.name) == (watched.key, watched.title):
        return
    holder = docket.containers.get(event.who.key)
    if holder is not None and holder.container_id != watched.container_id and holder.incident_id is not None:
        docket.close(holder, Outcome.REPLACED, event.at)  # the name's earlier bearer is gone for good
    docket.retitle(watched, event.who.key, event.who.name, event.at)


def note_health(docket: Docket, watched: Watched, health: Health, at: float) -> None:
    """A probe's verdict on a running container; while paused there are no verdicts."""
    if watched.phase is not Phase.RUNNING or watched.health == health:
        return
    was_sick = watched.health == Health.UNHEALTHY
    watched = docket.change(watched, health=health)
    if health is Health.UNHEALTHY:
        docket.turn(watched.key, at, Standing.SICK)
        docket.raise_incident(watched, Kind.UNHEALTHY, Fact(at, "unhealthy"))
    elif health is Health.HEALTHY:
        docket.turn(watched.key, at, Standing.UP)
        if was_sick:
            docket.note(watched, Fact(at, "healthy"))
        docket.change(watched, well_since=at)


def _on_healthy(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    note_health(docket, watched, Health.HEALTHY, event.at)


def _on_unhealthy(docket: Docket, watched: Watched, event: ContainerEvent) -> None:
    note_health(docket, watched, Health.UNHEALTHY, event.at)


_REBIRTHS: dict[str, Callable[[Docket, Watched | None, ContainerEvent], None]] = {
    "create": _on_create,
    "start": _on_start,
}
_STEPS: dict[str, Callable[[Docket, Watched, ContainerEvent], None]] = {
    "die": _on_die,
    "stop": _on_stop,
    "kill": _on_kill,
    "oom": _on_oom,
    "pause": lambda docket, watched, event: pause(docket, watched, event.at),
    "unpause": lambda docket, watched, event: unpause(docket, watched, event.at),
    "destroy": _on_destroy,
    "rename": _on_rename,
    "healthy": _on_healthy,
    "unhealthy": _on_unhealthy,
}
