"""The judge's open case: a working copy of the state on which one observation is judged.

Everything that opens, changes or closes an incident goes through here, so that the rules "at most one open
incident per container" and "what was opened is closed" have one home.
"""

from dataclasses import replace
from typing import Any

from watchdog.domain import Health, Identity, Rules
from watchdog.incidents import Change, ChangeType, Fact, Incident, Kind, Outcome, Standing, Turn
from watchdog.state import Phase, Verdict, Watched, WatchState

_STANDINGS = {Phase.RUNNING: Standing.UP, Phase.DOWN: Standing.DOWN}
MAX_FACTS = 8  # a message shows the first few and the last few


def standing_of(watched: Watched) -> Standing:
    """How the container stands right now."""
    if watched.phase is Phase.RUNNING and watched.health == Health.UNHEALTHY:
        return Standing.SICK
    if watched.is_off or watched.is_done:
        return Standing.OFF
    return _STANDINGS.get(watched.phase, Standing.OFF)


class Docket:
    """Collects the changes of one observation."""

    def __init__(self, state: WatchState, rules: Rules) -> None:
        self.rules = rules
        self.containers = dict(state.containers)
        self.incidents = dict(state.incidents)
        self.engine = state.engine
        self.has_baseline = state.has_baseline
        self.snapshot_at = state.snapshot_at
        self.missing_since = dict(state.missing_since)
        self._next_id = state.next_incident_id
        self._changes: list[Change] = []
        self._turns: list[Turn] = []

    def verdict(self) -> Verdict:
        """The state after the observation and all that it led to."""
        state = WatchState(
            containers=self.containers,
            incidents=self.incidents,
            engine=self.engine,
            next_incident_id=self._next_id,
            has_baseline=self.has_baseline,
            snapshot_at=self.snapshot_at,
            missing_since=self.missing_since,
        )
        return Verdict(state, tuple(self._changes), tuple(self._turns))

    # containers

    def find(self, container_id: str, key: str) -> Watched | None:
        """The record of this container: by its id, or as the next bearer of its key."""
        by_key = self.containers.get(key)
        if by_key is not None and container_id in (by_key.container_id, by_key.successor_id):
            return by_key
        for watched in self.containers.values():
            if watched.container_id == container_id:
                return watched
        return by_key

    def add(self, container_id: str, who: Identity, at: float, phase: Phase = Phase.CREATED) -> Watched:
        """A record for a container that was not known."""
        return self.put(Watched(who.key, who.name, container_id, phase, at, is_expected=who.is_expected))

    def put(self, watched: Watched) -> Watched:
        self.containers[watched.key] = watched
        return watched

    def change(self, watched: Watched, **fields: Any) -> Watched:
        return self.put(replace(watched, **fields))

    def turn(self, key: str, at: float, standing: Standing) -> None:
        self._turns.append(Turn(key, at, standing))

    # incidents

    def incident_of(self, watched: Watched) -> Incident | None:
        return None if watched.incident_id is None else self.incidents.get(watched.incident_id)

    def raise_incident(self, watched: Watched, kind: Kind, fact: Fact, *, deaths: int = 0) -> Watched:
        """Open an incident of this kind, or carry the container's open one on with this fact.

        A loud finding replaces a quiet incident (its message made no sound); a quiet one adds to a loud one.
        """
        current = self.incident_of(watched)
        if current is not None and current.kind.is_quiet and not kind.is_quiet:
            watched = self.close(watched, Outcome.REPLACED, fact.at)
            current = None
        if current is None:
            incident = self._open(watched.key, watched.title, kind, fact, deaths)
            return self.change(watched, incident_id=incident.id, well_since=None)
        if not kind.is_quiet and current.kind is not Kind.RESTART_LOOP:
            current = replace(current, kind=kind)
        self._update(replace(current, n_deaths=current.n_deaths + deaths), fact)
        return watched if kind.is_quiet else self.change(watched, well_since=None)

    def note(self, watched: Watched, fact: Fact) -> None:
        """Add a fact to the container's open incident; nothing where there is none."""
        current = self.incident_of(watched)
        if current is not None:
            self._update(current, fact)

    def correct(self, watched: Watched, told: Fact, better: Fact, kind: Kind) -> None:
        """Put what is known by now in the place of a fact that was told already; a restart loop stays one."""
        current = self.incident_of(watched)
        if current is not None:
            facts = tuple(better if fact == told else fact for fact in current.facts)
            kind = current.kind if current.kind is Kind.RESTART_LOOP else kind
            self._update(replace(current, kind=kind, facts=facts), None)

    def close(self, watched: Watched, outcome: Outcome, at: float, back_at: float | None = None) -> Watched:
        """Close the container's open incident, if it has one."""
        current = self.incident_of(watched)
        if current is not None:
            self.close_incident(replace(current, back_at=back_at), outcome, at)
        return self.change(watched, incident_id=None, well_since=None)

    def open_for(self, key: str, title: str, kind: Kind, fact: Fact) -> Incident:
        """Open an incident that belongs to no container record: the engine, or a container never seen."""
        return self._open(key, title, kind, fact, 0)

    def close_incident(self, incident: Incident, outcome: Outcome, at: float) -> None:
        closed = replace(incident, closed_at=max(at, incident.opened_at), outcome=outcome)
        self.incidents.pop(incident.id, None)
        self._changes.append(Change(ChangeType.CLOSED, closed))

    def remind(self, incident: Incident, at: float) -> None:
        """Say again that an incident is still open, and when to say it next."""
        gaps = self.rules.reminders_s
        n = incident.n_reminders + 1
        incident = replace(incident, n_reminders=n, next_reminder_at=at + gaps[min(n, len(gaps) - 1)])
        self.incidents[incident.id] = incident
        self._changes.append(Change(ChangeType.REMINDER, incident))

    def retitle(self, watched: Watched, key: str, title: str, at: float) -> Watched:
        """Carry a record over to the container's new name."""
        self.containers.pop(watched.key, None)
        if key != watched.key:
            self.turn(watched.key, at, Standing.OFF)
            self.turn(key, at, standing_of(watched))
        moved = self.put(replace(watched, key=key, title=title))
        current = self.incident_of(moved)
        if current is not None:
            self._update(replace(current, key=key, title=title), None)
        return moved

    def _open(self, key: str, title: str, kind: Kind, fact: Fact, deaths: int) -> Incident:
        remind_at = None if kind.is_quiet else fact.at + self.rules.reminders_s[0]
        incident = Incident(
            self._next_id, key, title, kind, fact.at, (fact,), n_deaths=deaths, next_reminder_at=remind_at
        )
        self._next_id += 1
        self.incidents[incident.id] = incident
        self._changes.append(Change(ChangeType.OPENED, incident))
        return incident

    def _update(self, incident: Incident, fact: Fact | None) -> None:
        facts = incident.facts
        if fact is not None:
            facts = (*facts, fact)
            if len(facts) > MAX_FACTS:
                facts = (*facts[: MAX_FACTS // 4], *facts[-(MAX_FACTS - MAX_FACTS // 4) :])
        incident = replace(incident, facts=facts)
        self.incidents[incident.id] = incident
        self._changes.append(Change(ChangeType.UPDATED, incident))
