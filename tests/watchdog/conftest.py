"""A scene for the judge: containers by name, a clock that tests move, and what was concluded."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from watchdog.domain import (
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
from watchdog.incidents import Change, ChangeType, Incident, Kind, Turn
from watchdog.judging import judge
from watchdog.state import WatchState
from watchdog.telling import Teller

START = 1_800_000_000.0


@dataclass
class Scene:
    """Feeds the judge and keeps what it says."""

    rules: Rules = field(default_factory=Rules)
    now: float = START
    state: WatchState = field(default_factory=WatchState)
    changes: list[Change] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def observe(self, observation: Observation) -> list[Change]:
        before = self.state
        verdict = judge(self.state, observation, self.rules)
        assert self.state is before
        self.state = verdict.state
        self.changes += verdict.changes
        self.turns += verdict.turns
        return list(verdict.changes)

    def event(
        self, action: str, name: str = "bot", *, container_id: str = "", key: str = "", **fields: Any
    ) -> list[Change]:
        self.now += 0.01
        who = Identity(key or name, name, is_expected=fields.pop("is_expected", False))
        return self.observe(ContainerEvent(self.now, action, container_id or f"id-{name}", who, **fields))

    def events(self, *actions: str, name: str = "bot") -> None:
        for action in actions:
            word, _, code = action.partition(":")
            if word == "die":
                self.event("die", name, exit_code=int(code))
            elif word == "kill":
                self.event("kill", name, signal=int(code))
            else:
                self.event(word, name)

    def seen(self, name: str = "bot", **fields: Any) -> Inspection:
        usual = Inspection(
            container_id=f"id-{name}",
            who=Identity(name, name),
            status="running",
            created_at=START - 100,
            started_at=START - 99,
            finished_at=None,
            exit_code=0,
            error="",
            oom_flag=False,
            restart_count=0,
            restart_policy="no",
            health=Health.NONE,
        )
        return replace(usual, **fields)

    def look(self, *inspections: Inspection, is_complete: bool = True) -> list[Change]:
        return self.observe(Snapshot(self.now, inspections, is_complete))

    def baseline(self, *names: str) -> None:
        self.look(*(self.seen(name) for name in names))

    def wait(self, seconds: float, step: float = 1.0) -> list[Change]:
        changes: list[Change] = []
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + step, end)
            changes += self.observe(Tick(self.now))
        return changes

    def lose_engine(self) -> None:
        self.observe(EngineLost(self.now))

    def regain_engine(self, gap: Gap) -> None:
        self.observe(EngineBack(self.now, gap))

    def opened(self) -> list[Incident]:
        return [change.incident for change in self.changes if change.type is ChangeType.OPENED]

    def closed(self) -> list[Incident]:
        return [change.incident for change in self.changes if change.type is ChangeType.CLOSED]

    def last(self) -> Incident:
        return self.changes[-1].incident

    def kinds(self) -> list[Kind]:
        """The kind that each incident had in the end, in order of their opening."""
        final: dict[int, Kind] = {}
        for change in self.changes:
            final[change.incident.id] = change.incident.kind
        return list(final.values())


@pytest.fixture
def make_scene() -> Callable[..., Scene]:
    return Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def make_teller() -> Callable[[str], Teller]:
    return lambda language: Teller(language, ZoneInfo("UTC"))
