"""Availability from turns: how long each container was up, down, off or unseen within a span. Pure."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchdog.domain import ENGINE_KEY
from watchdog.incidents import Incident, Kind, Standing, Turn


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in which a container stood in one way; half-open, in seconds since the epoch."""

    start: float
    end: float
    standing: Standing


@dataclass(frozen=True, slots=True)
class Record:
    """One container's day."""

    key: str
    spans: tuple[Span, ...]
    n_incidents: int
    n_crashes: int
    n_ooms: int

    def seconds(self, standing: Standing) -> float:
        return sum(span.end - span.start for span in self.spans if span.standing is standing)

    @property
    def availability(self) -> float | None:
        """The share of the time it was seen and should have run in which it ran well; None without any."""
        up_s = self.seconds(Standing.UP)
        wanted_s = up_s + self.seconds(Standing.SICK) + self.seconds(Standing.DOWN)
        return None if wanted_s <= 0 else up_s / wanted_s


@dataclass(frozen=True, slots=True)
class Report:
    """What happened between two times, worst container first."""

    start: float
    end: float
    records: tuple[Record, ...]
    blind_s: float
    n_outages: int


def summarise(turns: Iterable[Turn], incidents: Sequence[Incident], start: float, end: float) -> Report:
    """The report for a span. `turns` are ordered and begin with each key's turn in force at `start`."""
    by_key: dict[str, list[Turn]] = {}
    for turn in turns:
        by_key.setdefault(turn.key, []).append(turn)
    blind = [
        span for span in _spans(by_key.pop(ENGINE_KEY, []), start, end) if span.standing is Standing.BLIND
    ]
    records = []
    for key, own_turns in by_key.items():
        own = [incident for incident in incidents if incident.key == key and not incident.kind.is_quiet]
        spans = _hide(_spans(own_turns, start, end), blind)
        if not own and all(span.standing in (Standing.OFF, Standing.BLIND) for span in spans):
            continue  # neither ran nor should have
        record = Record(
            key,
            spans,
            n_incidents=len(own),
            n_crashes=sum(incident.n_deaths for incident in own),
            n_ooms=sum(_count_ooms(incident) for incident in own),
        )
        records.append(record)
    records.sort(key=lambda record: (1.0 if record.availability is None else record.availability, record.key))
    outages = [incident for incident in incidents if incident.kind is Kind.ENGINE_GONE]
    blind_s = sum(span.end - span.start for span in blind)
    return Report(start, end, tuple(records), blind_s, len(outages))


def _count_ooms(incident: Incident) -> int:
    return sum(fact.code in ("oom", "oom_child") for fact in incident.facts)


def _spans(turns: Sequence[Turn], start: float, end: float) -> list[Span]:
    spans = []
    for turn, following in itertools.zip_longest(turns, turns[1:]):
        span_start = max(turn.at, start)
        span_end = min(following.at if following is not None else end, end)
        if span_end > span_start:
            spans.append(Span(span_start, span_end, turn.standing))
    return spans


def _hide(spans: Iterable[Span], blind: Sequence[Span]) -> tuple[Span, ...]:
    """The spans with everything that nobody saw marked as such."""
    shown = []
    for span in spans:
        at = span.start
        for dark in blind:
            if dark.end <= at or dark.start >= span.end:
                continue
            if dark.start > at:
                shown.append(Span(at, dark.start, span.standing))
            at = min(dark.end, span.end)
            shown.append(Span(max(dark.start, span.start), at, Standing.BLIND))
        if at < span.end:
            shown.append(Span(at, span.end, span.standing))
    return tuple(shown)
