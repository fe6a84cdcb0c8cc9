"""Every sentence a user sees: Fluent files in `locales/<language>/`, and what must be worked out around them.

Arguments are escaped for HTML by construction: pass plain strings, whatever is in them; only what is HTML
already is wrapped in `Html`. The handlers' `i18n` (aiogram-i18n) and `Texts` (for work outside an update)
share one core.
"""

import html
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aiogram_i18n.cores.fluent_runtime_core import FluentRuntimeCore
from aiogram_i18n.exceptions import KeyNotFoundError

from bot.domain import RequestRefused, Stage, Track
from inference.config import CLEAR_CONFIDENCE

LOCALES_DIR = Path(__file__).parent / "locales"
SURE_CONFIDENCE = 0.65
MAX_NAME = 100
LONGEST_PLACED = 900
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"


class Html(str):
    """Already HTML: not escaped again."""

    __slots__ = ()


class SafeCore(FluentRuntimeCore):
    """Fluent with its string arguments escaped for parse_mode=HTML."""

    def get(self, message_id: str, locale: str | None = None, /, **kwargs: Any) -> str:
        safe = {
            name: html.escape(value, quote=False)
            if isinstance(value, str) and not isinstance(value, Html)
            else value
            for name, value in kwargs.items()
        }
        # Fluent refuses to place more than a thousand characters: lists go in afterwards.
        long = {
            f"\ue000{name}\ue001": value
            for name, value in safe.items()
            if isinstance(value, str) and len(value) > LONGEST_PLACED
        }
        text = super().get(message_id, locale, **safe | {mark[1:-1]: mark for mark in long})
        for mark, value in long.items():
            text = text.replace(mark, value)
        return text


@cache  # parsing every sentence takes a third of a second
def build_core() -> SafeCore:
    core = SafeCore(path=LOCALES_DIR / "{locale}", default_locale="en")
    core.locales.update(core.find_locales())
    return core


def format_clock(seconds: float) -> str:
    """62.4 -> `1:02`; 3723 -> `1:02:03`."""
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def clean_name(name: str) -> str:
    """A title or name fit for one line: no line breaks, control or direction signs; isolated if it runs right
    to left, so that it cannot turn the rest of the line around."""
    kept = (" " if unicodedata.category(c) in {"Zl", "Zp"} or c in "\n\r\t\v\f" else c for c in name)
    # Cf: direction marks and other invisible signs; the zero-width joiner holds emoji together.
    visible = "".join(c for c in kept if unicodedata.category(c) not in {"Cc", "Cf", "Cs"} or c == "\u200d")
    line = " ".join(visible.split())
    if len(line) > MAX_NAME:
        line = line[: MAX_NAME - 1].rstrip() + "…"
    if any(unicodedata.bidirectional(c) in {"R", "AL"} for c in line):
        line = f"{FIRST_STRONG_ISOLATE}{line}{POP_ISOLATE}"
    return line


def track_name(track: Track) -> str | None:
    """`Performer — Title`, else the file's name without its ending, else None."""
    title, performer = clean_name(track.title or ""), clean_name(track.performer or "")
    if title and performer:
        return f"{performer} — {title}"
    stem = clean_name(Path(track.file_name or "").stem.replace("_", " "))
    return title or stem or performer or None


@dataclass(frozen=True, slots=True)
class Caption:
    """What a highlight's caption says. `key` as Key.name, for example `F# minor`. `rank`: 1 for the best
    moment, 0 for a window that the listener moved.
    """

    name: str | None
    start_s: float
    end_s: float
    tempo_bpm: float | None
    key: str | None
    confidence: float
    rank: int = 1


class Texts:
    def __init__(self, core: SafeCore, *, limit_mb: int = 20, limit_min: int = 180) -> None:
        """The limits that sentences name: of a download, and of a track."""
        self._core = core
        self._limits = {"limit_mb": limit_mb, "limit_min": limit_min}

    def get(self, locale: str, key: str, /, **args: Any) -> str:
        return self._core.get(key, locale, **args)

    def rejected(self, locale: str, code: str) -> str:
        """The sentence for an InputRejected code."""
        return self.get(locale, f"rejected-{code.replace('_', '-')}", **self._limits)

    def refused(self, locale: str, refusal: RequestRefused) -> str:
        return self.get(locale, f"refused-{refusal.code.replace('_', '-')}", **refusal.args_)

    def apology(self, locale: str, incident: str) -> str:
        return self.get(locale, "apology", incident=incident)

    def erased(self, locale: str, counts: Mapping[str, int]) -> str:
        """What /forget erased, by table; a table without a sentence of its own counts as other records."""
        lines, others = [], 0
        for table, n in sorted(counts.items()):
            try:
                lines.append(self.get(locale, f"erased-{table.replace('_', '-')}", n=n))
            except KeyNotFoundError:
                others += n
        if others:
            lines.append(self.get(locale, "erased-other", n=others))
        lines.append(self.get(locale, "erased-profile"))
        listed = "\n".join(self.get(locale, "list-line", text=line) for line in lines)
        return f"{self.get(locale, 'erased')}\n{listed}\n\n{self.get(locale, 'erased-end')}"

    def status(self, locale: str, stage: Stage, *, place: int, others: int) -> str:
        text = self.get(locale, f"stage-{stage}", place=place)
        return f"{text}\n{self.get(locale, 'stage-others', others=others)}" if others > 0 else text

    def caption(self, locale: str, caption: Caption) -> str:
        name = caption.name or self.get(locale, "unnamed-track")
        facts = [f"{format_clock(caption.start_s)}–{format_clock(caption.end_s)}"]
        if caption.tempo_bpm is not None:
            facts.append(self.get(locale, "tempo", bpm=round(caption.tempo_bpm)))
        if caption.key is not None:
            facts.append(self.key_name(locale, caption.key))
        title = f"<b>{html.escape(name, quote=False)}</b>"
        return "\n".join([title, " · ".join(facts), self._sureness(locale, caption)])

    def _sureness(self, locale: str, caption: Caption) -> str:
        if caption.rank == 0:
            return self.get(locale, "moved-window")
        if caption.rank > 1:
            return self.get(locale, "other-moment", rank=caption.rank)
        if caption.confidence < CLEAR_CONFIDENCE:
            return self.get(locale, "unsure")
        return self.get(locale, "sure" if caption.confidence >= SURE_CONFIDENCE else "fairly-sure")

    def key_name(self, locale: str, key: str) -> str:
        tonic, _, mode = key.partition(" ")
        note = self.get(locale, f"note-{tonic.lower().replace('#', '-sharp')}")
        return self.get(locale, f"key-{mode}", note=note)
