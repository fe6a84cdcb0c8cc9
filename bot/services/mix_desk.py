"""What the jobs of a mix share: the draft, its tracks with their analyses and files, and the plan."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db import mixes, tracks
from bot.db.engine import Database
from bot.domain import Analysis, Job, MixDraft, Stage, Track
from bot.services import audio_tasks, mix_tasks
from bot.services.analyses import keep_analysis
from bot.services.mix_menu import MixMenu
from bot.services.recipes import AudioPool, Desk, Fetch
from bot.texts import Texts
from inference.errors import InputRejected

logger = logging.getLogger(__name__)

ANALYSE_LIMIT_S = 600.0
PLAN_LIMIT_S = 60.0
SAME_LENGTH_S = 1.0


@dataclass(frozen=True, slots=True)
class Material:
    """One track of a mix. `span`: the window that the listener chose for it."""

    track: Track
    analysis: Analysis
    span: tuple[float, float] | None


class MixDesk:
    """See the module's docstring; one for all recipes of mixes."""

    def __init__(
        self,
        *,
        bot: Bot,
        database: Database,
        pool: AudioPool,
        fetch: Fetch,
        texts: Texts,
        model_version: str,
        max_download_bytes: int,
        max_track_s: float,
    ) -> None:
        self.bot = bot
        self.database = database
        self.pool = pool
        self.texts = texts
        self.menu = MixMenu(database, texts)
        self.model_version = model_version
        self._fetch = fetch
        self._max_download_bytes = max_download_bytes
        self._max_track_s = max_track_s

    async def draft(self, job: Job) -> MixDraft:
        async with self.database.read() as session:
            mix = await mixes.get(session, int(job.payload["mix_id"]))
        if mix is None:
            raise LookupError(f"mix {job.payload['mix_id']} is not stored")
        return mix

    async def lacks_analysis(self, session: AsyncSession, mix_id: int) -> bool:
        mix = await mixes.get(session, mix_id)
        for index in mix.chosen if mix else ():
            track_id = mix.candidates[index].track_id if mix else ""
            if await tracks.get_analysis(session, track_id, self.model_version) is None:
                return True
        return False

    async def materials(
        self, mix: MixDraft, desk: Desk, on_track: Callable[[int, int], None] = lambda _n, _of: None
    ) -> tuple[list[Material], list[str]]:
        """The chosen tracks with their analyses, made where they are missing; and the ids of those that
        cannot be had.
        """
        found: list[Material] = []
        left_out: list[str] = []
        for n, index in enumerate(mix.chosen):
            candidate = mix.candidates[index]
            on_track(n, len(mix.chosen))
            try:
                track, analysis = await self._analysed(candidate.track_id, desk)
            except (InputRejected, TelegramBadRequest, LookupError) as exc:
                logger.info("a track is left out of the mix: %s", type(exc).__name__)
                left_out.append(candidate.track_id)
                continue
            span = candidate.span
            if span and abs(span[1] - span[0] - mix.settings.length_s) > SAME_LENGTH_S:
                span = None  # another length was chosen since
            found.append(Material(track, analysis, span))
        return found, left_out

    async def _analysed(self, track_id: str, desk: Desk) -> tuple[Track, Analysis]:
        async with self.database.read() as session:
            track = await tracks.get_track(session, track_id)
            analysis = await tracks.get_analysis(session, track_id, self.model_version)
        if track is None:
            raise LookupError(track_id)
        if analysis is None:
            path = await self.file(track, desk)
            desk.stage(Stage.LISTENING)
            result = await self.pool.run(
                audio_tasks.analyse, path, self._max_track_s, timeout_s=ANALYSE_LIMIT_S
            )
            analysis = await keep_analysis(self.database, track, result)
        return track, analysis

    async def file(self, track: Track, desk: Desk) -> str:
        """The track's file in the job's folder, downloaded once."""
        path = desk.folder / f"track-{track.id}"
        if not path.exists():
            desk.stage(Stage.DOWNLOADING)
            await self._fetch(track.file_id, path, self._max_download_bytes)
        return str(path)

    async def plan(self, mix: MixDraft, materials: list[Material], left_out: list[str]) -> dict[str, Any]:
        """The mixer's plan; `tracks` and `left_out` say which tracks it speaks of."""
        planned = await self.pool.run(
            mix_tasks.plan,
            [one.analysis.document for one in materials],
            [one.span for one in materials],
            asdict(mix.settings),
            timeout_s=PLAN_LIMIT_S,
        )
        return {**planned, "tracks": [one.track.id for one in materials], "left_out": left_out}
