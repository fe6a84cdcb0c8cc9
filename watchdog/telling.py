"""Incidents as messages: HTML for Telegram, in the team's language and time zone.

The same incident always gives the same text (no "n minutes ago"), so a text differs only when there is news,
and the outbox edits a message exactly then.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from watchdog.domain import ENGINE_KEY
from watchdog.incidents import Fact, Incident, Kind, Outcome
from watchdog.store import Filed
from watchdog.words import EXIT_CODES, FACTS, KINDS, OUTCOMES, SAYINGS, UNITS, Language

MAX_TEXT = 4000  # Telegram's limit is 4096 after parsing; the rest is for its own counting of signs
MAX_LOG = 1500
MAX_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Teller:
    """Puts sentences together."""

    language: Language
    zone: ZoneInfo

    def say(self, key: str, **values: object) -> str:
        """A sentence of `words.SAYINGS`; the values must be escaped already where they come from outside."""
        return SAYINGS[self.language][key].format(**values)

    def clock(self, at: float, *, with_day: bool = False) -> str:
        """A local time of day, `14:03:09`, or with its day `25.11. 14:03`."""
        return datetime.fromtimestamp(at, self.zone).strftime("%d.%m. %H:%M" if with_day else "%H:%M:%S")

    def duration(self, seconds: float) -> str:
        """The two largest units, `1 min 5 s`; tenths below ten seconds, for a crash can be that quick."""
        days, hours, minutes, secs = UNITS[self.language]
        if seconds < 9.95:
            return f"{max(seconds, 0.0):.1f} {secs}"
        left = round(seconds)
        parts: list[str] = []
        for size, unit in ((86_400, days), (3600, hours), (60, minutes), (1, secs)):
            count, left = divmod(left, size)
            if count or parts:
                parts.append(f"{count} {unit}")
        return " ".join(part for part in parts[:2] if not part.startswith("0 "))

    def exit_code(self, code: int) -> str:
        """An exit code in words."""
        known = EXIT_CODES[self.language].get(code)
        if known is not None:
            return known
        if 128 < code < 128 + 65:
            return self.say("by_signal", n=code - 128)
        return self.say("own_code")

    def title(self, incident: Incident) -> str:
        return self.say("engine") if incident.key == ENGINE_KEY else html.escape(incident.title)

    def headline(self, incident: Incident) -> str:
        """The message's first line: who, what, and how it ended."""
        line = f"{_icon(incident)} <b>{self.title(incident)}</b> {KINDS[self.language][incident.kind]}"
        is_note = (
            incident.kind is Kind.REMOVED
        )  # opened and closed in one breath: there is no outcome to tell
        if incident.outcome is not None and incident.closed_at is not None and not is_note:
            ended_at = incident.back_at if incident.back_at is not None else incident.closed_at
            duration = self.duration(ended_at - incident.opened_at)
            line += " → " + OUTCOMES[self.language][incident.outcome].format(duration=duration)
        return line

    def fact(self, fact: Fact) -> str:
        """One line of the incident's life."""
        words = FACTS[self.language]
        code, exit_code = fact.code, fact.exit_code if fact.exit_code is not None else -1
        if code == "died" and exit_code < 0:
            code = "died_unknown"
        detail = html.escape(_cut(" ".join(fact.detail.split()), MAX_DETAIL))
        said = words[code].format(code=exit_code, meaning=self.exit_code(exit_code), detail=detail)
        note = f" ({words['unseen']})" if fact.is_unseen else ""
        return f"{self.clock(fact.at)} {said}{note}"

    def incident(self, filed: Filed, *, with_evidence: bool = True) -> str:
        """Everything about one incident."""
        incident = filed.incident
        lines = [self.headline(incident), *(self.fact(fact) for fact in incident.facts)]
        if incident.n_deaths > 1:
            lines.append(self.say("n_deaths", n=incident.n_deaths))
        if incident.outcome is Outcome.RETURNED:
            lines += self._return(incident)
        evidence = filed.evidence.strip()
        if evidence and with_evidence:
            lines.append(f"<pre>{_escape_tail(evidence, MAX_LOG)}</pre>")
        return "\n".join(lines)

    def _return(self, incident: Incident) -> list[str]:
        if not incident.not_back:
            return [self.say("all_back", n=incident.n_back), self.say("maybe_missed")]
        names = html.escape(_cut(", ".join(incident.not_back), MAX_DETAIL))
        lost = self.say("not_back", n=len(incident.not_back), names=names)
        return [self.say("back", n=incident.n_back), lost, self.say("maybe_missed")]

    def card(self, header: str, incidents: Sequence[Filed]) -> str:
        """A message that shows these incidents: in full, without logs or as headlines, as space allows."""
        for is_full, with_evidence in ((True, True), (True, False), (False, False)):
            blocks = [
                self.incident(filed, with_evidence=with_evidence)
                if is_full
                else self.headline(filed.incident)
                for filed in incidents
            ]
            text = ("\n\n" if is_full else "\n").join([header, *blocks] if header else blocks)
            if len(text) <= MAX_TEXT:
                return text
        return self._fitting(text)

    def _fitting(self, text: str) -> str:
        lines = text.split("\n")
        n_kept = len(lines)
        while n_kept > 1 and sum(len(line) + 1 for line in lines[:n_kept]) > MAX_TEXT - 60:
            n_kept -= 1
        return "\n".join([*lines[:n_kept], self.say("cut", n=len(lines) - n_kept)])

    def reminder(self, incident: Incident, now: float) -> str:
        """What is still open."""
        what = f"<b>{self.title(incident)}</b> {KINDS[self.language][incident.kind]}"
        return self.say("reminder", duration=self.duration(now - incident.opened_at), what=what)


def _icon(incident: Incident) -> str:
    if incident.outcome in (Outcome.RECOVERED, Outcome.RETURNED):
        return "🟢" if not incident.not_back else "🟠"
    if incident.kind is Kind.PAUSED:
        return "⏸"
    if incident.kind is Kind.FINISHED:
        return "🏁"
    if incident.kind.is_quiet or not incident.is_open:
        return "⚪"
    return "🟠" if incident.kind in (Kind.UNHEALTHY, Kind.OOM_CHILD) else "🔴"


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def _escape_tail(text: str, size: int) -> str:
    """The end of the text, escaped, at most this long: the last lines are the ones that matter."""
    kept: list[str] = []
    left = size
    for line in reversed(text.splitlines()):
        escaped = html.escape(_printable(line), quote=False)
        if len(escaped) >= left:
            if not kept:
                kept.append(html.escape(_printable(line)[-(size // 6) :], quote=False))
            break
        kept.append(escaped)
        left -= len(escaped) + 1
    return "\n".join(reversed(kept))


def _printable(line: str) -> str:
    return "".join(sign if sign.isprintable() or sign == "\t" else "�" for sign in line)
