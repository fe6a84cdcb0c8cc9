"""Random lives of containers and engine: whatever happens, the judge keeps its promises.

A small model of the engine produces what the real one would: events (lost while nobody listens, some
replayed), inspections, restart counts that fall back to 0, the stop of all containers with the engine.
"""

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from watchdog.domain import (
    ENGINE_KEY,
    ContainerEvent,
    EngineBack,
    EngineLost,
    Gap,
    Health,
    Identity,
    Inspection,
    Observation,
    Rules,
    Snapshot,
    Tick,
)
from watchdog.incidents import ChangeType
from watchdog.judging import judge
from watchdog.state import Phase, WatchState

NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)


@dataclass
class Box:
    """One container as the engine knows it."""

    id: str
    policy: str
    status: str = "created"
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int = 0
    error: str = ""
    restart_count: int = 0
    health: Health = Health.NONE
    was_stopped: bool = False


class Engine(RuleBasedStateMachine):
    """The engine's side, with the judge listening."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        self.rules_of_judge = Rules()
        self.state = WatchState()
        self.boxes: dict[str, Box] = {}
        self.n_ids = 0
        self.is_listening = True
        self.is_up = True
        self.missed: list[ContainerEvent] = []
        self.open: set[int] = set()
        self.ever: set[int] = set()
        self.loud_opened = 0
        self.n_crashes_heard = 0
        self.deaths_told: dict[int, int] = {}
        self._look()

    # delivery

    def _observe(self, observation: Observation) -> None:
        verdict = judge(self.state, observation, self.rules_of_judge)
        self.state = verdict.state
        for change in verdict.changes:
            incident = change.incident
            self.deaths_told[incident.id] = incident.n_deaths
            if change.type is ChangeType.OPENED:
                assert incident.id not in self.ever, "opened twice"
                self.ever.add(incident.id)
                self.open.add(incident.id)
                self.loud_opened += not incident.kind.is_quiet
            else:
                assert incident.id in self.open, "changed while not open"
            if change.type is ChangeType.CLOSED:
                assert incident.closed_at is not None
                assert incident.closed_at >= incident.opened_at
                self.open.discard(incident.id)

    def _emit(self, name: str, action: str, exit_code: int | None = None, signal: int | None = None) -> None:
        self.now += 0.05
        event = ContainerEvent(
            self.now, action, self.boxes[name].id, Identity(name, name), exit_code=exit_code, signal=signal
        )
        if self.is_listening:
            self._observe(event)
        else:
            self.missed.append(event)

    def _look(self) -> None:
        seen = tuple(
            Inspection(
                box.id, Identity(name, name), box.status, 0.0, box.started_at, box.finished_at,
                box.exit_code, box.error,
                oom_flag=False, restart_count=box.restart_count, restart_policy=box.policy,
                health=box.health if box.status == "running" else Health.NONE,
            )
            for name, box in self.boxes.items()
        )  # fmt: skip
        self.now += 0.05
        self._observe(Snapshot(self.now, seen, is_complete=True))

    def _wait(self, seconds: int) -> None:
        for second in range(seconds):
            self.now += 1.0
            self._observe(Tick(self.now))
            if second % 30 == 29 and self.is_listening:
                self._look()

    # what happens to containers

    def _start(self, name: str) -> None:
        box = self.boxes[name]
        box.status, box.started_at, box.error, box.was_stopped = "running", self.now + 0.05, "", False
        box.health = Health.STARTING if box.health is not Health.NONE else Health.NONE
        self._emit(name, "start")

    def _end(self, name: str, code: int) -> None:
        box = self.boxes[name]
        box.status, box.finished_at, box.exit_code = "exited", self.now + 0.05, code
        self._emit(name, "die", exit_code=code)

    def _running(self, name: str) -> bool:
        return self.is_up and name in self.boxes and self.boxes[name].status in ("running", "paused")

    @precondition(lambda self: self.is_up)
    @rule(name=names, policy=st.sampled_from(["no", "always"]), has_check=st.booleans())
    def run_new(self, name: str, policy: str, has_check: bool) -> None:
        if name not in self.boxes:
            self.n_ids += 1
            health = Health.STARTING if has_check else Health.NONE
            self.boxes[name] = Box(f"id{self.n_ids}", policy, health=health)
            self._emit(name, "create")
            self._start(name)

    @rule(name=names)
    def stop(self, name: str) -> None:
        if self._running(name):
            self._emit(name, "kill", signal=15)
            self.boxes[name].was_stopped = True
            self._end(name, 0)
            self._emit(name, "stop")

    @rule(name=names)
    def restart(self, name: str) -> None:
        if self._running(name):
            self.stop(name)
            self.boxes[name].restart_count = 0
            self._start(name)
            self._emit(name, "restart")

    @rule(name=names)
    def start(self, name: str) -> None:
        if self.is_up and name in self.boxes and self.boxes[name].status in ("exited", "created"):
            self.boxes[name].restart_count = 0
            self._start(name)

    @rule(name=names)
    def remove(self, name: str) -> None:
        if self.is_up and name in self.boxes:
            if self._running(name):
                self._emit(name, "kill", signal=9)
                self._end(name, 137)
            self._emit(name, "destroy")
            del self.boxes[name]

    @rule(name=names)
    def recreate(self, name: str) -> None:
        if self._running(name):
            policy = self.boxes[name].policy
            self.stop(name)
            self.remove(name)
            self.run_new(name, policy, False)

    @rule(name=names)
    def pause(self, name: str) -> None:
        if self.is_up and name in self.boxes and self.boxes[name].status == "running":
            self.boxes[name].status = "paused"
            self._emit(name, "pause")
            self._wait(5)
            self.boxes[name].status = "running"
            self._emit(name, "unpause")

    @precondition(lambda self: self.is_listening)
    @rule(seconds=st.sampled_from([1, 3, 20, 70, 400]))
    def wait(self, seconds: int) -> None:
        self._wait(seconds)

    # promises

    @invariant()
    def one_open_incident_per_container(self) -> None:
        keys = [incident.key for incident in self.state.incidents.values()]
        assert len(keys) == len(set(keys)), keys
        assert set(self.state.incidents) == self.open
        for watched in self.state.containers.values():
            assert watched.incident_id is None or watched.incident_id in self.state.incidents


class Calm(Engine):
    """Only what people do on purpose."""

    @invariant()
    def nothing_loud(self) -> None:
        assert self.loud_opened == 0


class Storm(Engine):
    """Everything that can go wrong."""

    @rule(name=names, code=st.sampled_from([1, 137, 139]), n=st.sampled_from([1, 1, 4]))
    def crash(self, name: str, code: int, n: int) -> None:
        for _ in range(n):
            if not self._running(name):
                return
            self._wait(61 if self.is_listening else 0)  # out of the window in which a kill was wanted
            self.n_crashes_heard += self.is_listening
            self._end(name, code)
            if self.boxes[name].policy == "always":
                self.boxes[name].restart_count += 1
                self._start(name)

    @rule(name=names)
    def sicken(self, name: str) -> None:
        if self._running(name) and self.boxes[name].health is not Health.NONE:
            self.boxes[name].health = Health.UNHEALTHY
            self._emit(name, "unhealthy")

    @rule(name=names)
    def heal(self, name: str) -> None:
        if self._running(name) and self.boxes[name].health is not Health.NONE:
            self.boxes[name].health = Health.HEALTHY
            self._emit(name, "healthy")

    @rule(name=names)
    def kill_a_child_for_memory(self, name: str) -> None:
        if self._running(name):
            self._emit(name, "oom")

    @precondition(lambda self: self.is_up)
    @rule(name=names)
    def fail_to_start(self, name: str) -> None:
        if name not in self.boxes:
            self.n_ids += 1
            self.boxes[name] = Box(f"id{self.n_ids}", "no", exit_code=127, error="no such file")
            self._emit(name, "create")

    @precondition(lambda self: self.is_up and self.is_listening)
    @rule()
    def cut_the_line(self) -> None:
        self.is_listening = False
        self._observe(EngineLost(self.now))

    @precondition(lambda self: self.is_up and not self.is_listening)
    @rule(replays=st.booleans(), away=st.sampled_from([1, 30]))
    def mend_the_line(self, replays: bool, away: int) -> None:
        self._wait(away)
        self.is_listening = True
        missed, self.missed = self.missed, []
        self._observe(EngineBack(self.now, Gap.NONE if replays else Gap.ROLLED))
        for event in missed if replays else ():
            self._observe(event)
        self._look()
        self._wait(3)

    @precondition(lambda self: self.is_up and self.is_listening)
    @rule(is_graceful=st.booleans(), away=st.sampled_from([2, 60]), returns=st.booleans())
    def restart_the_engine(self, is_graceful: bool, away: int, returns: bool) -> None:
        running = [name for name in self.boxes if self._running(name)]
        for name in running:
            if is_graceful:
                self._emit(name, "kill", signal=15)
                self._end(name, 0)
                self._emit(name, "stop")
            else:
                self.boxes[name].status, self.boxes[name].finished_at = "exited", self.now
        self.is_up = self.is_listening = False
        self._observe(EngineLost(self.now))
        self._wait(away)
        self.is_up = self.is_listening = True
        for name in running:
            box = self.boxes[name]
            box.restart_count = 0
            if box.policy == "always" and returns:
                box.status, box.started_at = "running", self.now
        self._observe(EngineBack(self.now, Gap.RESTARTED))
        self._look()
        self._wait(40)

    def teardown(self) -> None:
        if not self.is_listening:
            self.mend_the_line(replays=True, away=1)
        self._wait(5)
        assert sum(self.deaths_told.values()) >= self.n_crashes_heard, "a crash was not told"
        for name, box in self.boxes.items():
            if box.status != "running":
                self._start(name)
            if box.health is not Health.NONE:
                box.health = Health.HEALTHY
                self._emit(name, "healthy")
        self._wait(1000)
        assert not self.state.incidents, "something stayed open although all is well"
        assert ENGINE_KEY not in self.state.containers
        phases = {watched.key: watched.phase for watched in self.state.containers.values()}
        assert phases == dict.fromkeys(self.boxes, Phase.RUNNING)


_moderate = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCalm = pytest.mark.slow(Calm.TestCase)
TestCalm.settings = _moderate
TestStorm = pytest.mark.slow(Storm.TestCase)
TestStorm.settings = _moderate
