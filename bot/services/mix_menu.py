"""The menu of a mix as text and keyboard: which tracks, in which order, how long."""

from typing import Any

from aiogram.types import InlineKeyboardMarkup

from bot.db import mixes
from bot.db.engine import Database
from bot.domain import MixDraft, Track
from bot.mix_buttons import PAGE, choosing_keyboard, planned_keyboard
from bot.texts import Html, Texts, clean_name, format_clock, track_name

MAX_LABEL = 40
MAX_LINE = 60
MAX_CAPTION = 1000  # of Telegram's 1024

Menu = tuple[str, InlineKeyboardMarkup | None]


def short_name(texts: Texts, locale: str, track: Track | None, limit: int) -> str:
    name = clean_name((track and track_name(track)) or texts.get(locale, "unnamed-track"))
    return name if len(name) <= limit else f"{name[: limit - 1].rstrip()}…"


class MixMenu:
    def __init__(self, database: Database, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    async def choosing(self, mix: MixDraft, locale: str) -> Menu:
        n_pages = -(-len(mix.candidates) // PAGE)
        shown = mix.candidates[mix.page * PAGE : (mix.page + 1) * PAGE]
        async with self._database.read() as session:
            found = await mixes.tracks_of(session, [one.track_id for one in shown])
        names = [short_name(self._texts, locale, track, MAX_LABEL) for track in found]
        text = self._texts.get(locale, "mix-choose", n=len(mix.chosen), page=mix.page + 1, pages=n_pages)
        return text, choosing_keyboard(self._texts, locale, mix, names, n_pages)

    async def planned(self, mix: MixDraft, plan: dict[str, Any], locale: str) -> Menu:
        lines = await self.tracklist(plan, locale)
        text = self._texts.get(
            locale,
            "mix-planned",
            n=len(plan["segments"]),
            total=format_clock(plan["total_s"]),
            lines=Html("\n".join(lines)),
        )
        return text, planned_keyboard(self._texts, locale, mix, len(plan["transitions"]))

    async def tracklist(self, plan: dict[str, Any], locale: str) -> list[str]:
        """HTML lines: time code, name, tempo and key."""
        async with self._database.read() as session:
            found = await mixes.tracks_of(session, plan["tracks"])
        lines = []
        for segment in plan["segments"]:
            facts = [segment["camelot"]] if segment["camelot"] else []
            if segment["tempo_bpm"]:
                facts.insert(0, f"{segment['tempo_bpm']:.0f}")
            lines.append(
                self._texts.get(
                    locale,
                    "mix-line",
                    time=format_clock(segment["start_s"]),
                    name=short_name(self._texts, locale, found[segment["track"]], MAX_LINE),
                    facts=f" · {' '.join(facts)}" if facts else "",
                )
            )
        return lines
