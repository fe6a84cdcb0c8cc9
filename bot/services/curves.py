"""The recipe of the curve: a picture of a track's interest over time, drawn from what is stored of it."""

from aiogram.methods import SendPhoto, TelegramMethod
from aiogram.types import FSInputFile, Message
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db import tracks
from bot.db.engine import Database
from bot.domain import Job, JobRequest, Lane, Sent, Stage, Track
from bot.services import audio_tasks
from bot.services.recipes import AudioPool, Desk, reply_to
from bot.texts import Texts, track_name

POOL_LIMIT_S = 60.0


class CurveRecipe:
    """The payload holds `highlight_id`; the picture is kept by its file_id."""

    def __init__(self, *, database: Database, pool: AudioPool, texts: Texts) -> None:
        self._database = database
        self._pool = pool
        self._texts = texts

    async def lane(self, session: AsyncSession, request: JobRequest) -> Lane:
        found = await tracks.get_analysis_of(session, (request.payload or {})["highlight_id"])
        return Lane.LIGHT if found and found[1].curve_file_id else Lane.HEAVY

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        async with self._database.read() as session:
            found = await tracks.get_analysis_of(session, job.payload["highlight_id"])
            track = await tracks.get_track(session, job.track_id or "")
        if found is None or track is None:
            raise LookupError(f"highlight {job.payload['highlight_id']} is not stored")
        analysis, highlight = found
        photo: FSInputFile | str | None = None if job.payload.get("is_stale") else highlight.curve_file_id
        if photo is None:
            desk.stage(Stage.DRAWING)
            path = await self._pool.run(
                audio_tasks.draw,
                analysis.document,
                highlight.start_s,
                highlight.end_s,
                str(desk.folder / "curve.png"),
                self._title(track),
                timeout_s=POOL_LIMIT_S,
            )
            photo = FSInputFile(path)
        key = "curve-caption" if highlight.choices.n_moments > 1 else "curve-caption-alone"
        return SendPhoto(
            chat_id=job.chat_id,
            photo=photo,
            caption=self._texts.get(desk.listener.locale, key),
            reply_parameters=reply_to(job),
        )

    def _title(self, track: Track) -> str:
        return track_name(track) or ""

    async def confirm(self, session: AsyncSession, job: Job, sent: Sent) -> None:
        if sent.file_id is not None:
            await tracks.set_curve_file_id(session, job.payload["highlight_id"], sent.file_id)
