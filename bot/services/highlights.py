"""The recipe of the main job: a track in, its highlight back as a voice message (or audio, where voice is
off).
"""

from dataclasses import replace

from aiogram.methods import SendAudio, SendVoice, TelegramMethod
from aiogram.types import FSInputFile, Message
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db import tracks
from bot.db.engine import Database
from bot.domain import (
    Analysis,
    AnswerKind,
    Highlight,
    HighlightOptions,
    Job,
    JobRequest,
    Lane,
    Sent,
    Stage,
    Track,
)
from bot.services import audio_tasks
from bot.services.audio_tasks import ClipOrder
from bot.services.recipes import AudioPool, Desk, Fetch, reply_to
from bot.texts import Caption, Texts, clean_name, track_name

# Generous: the slowest file within the limits, on a machine that is busy with others.
POOL_LIMIT_S = 600.0


class HighlightRecipe:
    def __init__(
        self,
        *,
        fetch: Fetch,
        database: Database,
        pool: AudioPool,
        texts: Texts,
        model_version: str,
        max_download_bytes: int,
        max_track_s: float,
    ) -> None:
        self._fetch = fetch
        self._database = database
        self._pool = pool
        self._texts = texts
        self._model_version = model_version
        self._max_download_bytes = max_download_bytes
        self._max_track_s = max_track_s

    async def lane(self, session: AsyncSession, request: JobRequest) -> Lane:
        if request.track is None:
            return Lane.HEAVY
        _, highlight = await self._cached(session, request.track.id, request.options)
        return Lane.LIGHT if highlight is not None and highlight.file_id else Lane.HEAVY

    async def _cached(
        self, session: AsyncSession, track_id: str, options: str
    ) -> tuple[Analysis | None, Highlight | None]:
        analysis = await tracks.get_analysis(session, track_id, self._model_version)
        if analysis is None:
            return None, None
        return analysis, await tracks.get_highlight(session, analysis.id, options)

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        options = effective_options(job, desk)
        async with self._database.read() as session:
            track = await tracks.get_track(session, job.track_id or "")
            if track is None:
                raise LookupError(f"track {job.track_id} is not stored")
            analysis, highlight = await self._cached(session, track.id, options.key)
        if analysis and highlight and highlight.file_id and not job.payload.get("is_stale"):
            return self._answer(job, desk, track, analysis, highlight, options, None)
        analysis, highlight, clip = await self._make(track, desk, options, analysis)
        return self._answer(job, desk, track, analysis, highlight, options, clip)

    async def _make(
        self, track: Track, desk: Desk, options: HighlightOptions, analysis: Analysis | None
    ) -> tuple[Analysis, Highlight, audio_tasks.Clip]:
        path = desk.folder / "track"
        if not path.exists():
            desk.stage(Stage.DOWNLOADING)
            await self._fetch(track.file_id, path, self._max_download_bytes)
        is_mp3 = options.answer_kind is AnswerKind.AUDIO
        order = ClipOrder(
            length_s=options.length_s,
            start_s=options.start_s,
            is_mp3=is_mp3,
            title=clean_name(track.title or ""),
            performer=clean_name(track.performer or ""),
        )
        out_path = str(desk.folder / ("highlight.mp3" if is_mp3 else "highlight.ogg"))
        if analysis is None:
            desk.stage(Stage.LISTENING)
            result, clip = await self._pool.run(
                audio_tasks.analyse_and_cut,
                str(path),
                out_path,
                order,
                self._max_track_s,
                timeout_s=POOL_LIMIT_S,
            )
            analysis = await self._keep_analysis(track, result)
        else:
            desk.stage(Stage.CUTTING)
            clip = await self._pool.run(
                audio_tasks.cut, str(path), out_path, order, analysis.document, timeout_s=POOL_LIMIT_S
            )
        return analysis, await self._keep_highlight(analysis, options, clip), clip

    async def _keep_analysis(self, track: Track, result: audio_tasks.AnalysisResult) -> Analysis:
        async with self._database.write() as session:
            # The file's own tags, where Telegram had none; the true duration in any case.
            await tracks.see_track(
                session,
                replace(
                    track,
                    duration_s=result.duration_s,
                    title=track.title or result.title,
                    performer=track.performer or result.performer,
                ),
            )
            await tracks.put_analysis(
                session,
                track_id=track.id,
                model_version=result.model_version,
                duration_s=result.duration_s,
                tempo_bpm=result.tempo_bpm,
                key=result.key,
                confidence=result.confidence,
                document=result.document,
            )
            analysis = await tracks.get_analysis(session, track.id, result.model_version)
        assert analysis is not None  # noqa: S101  # stored three lines above
        return analysis

    async def _keep_highlight(
        self, analysis: Analysis, options: HighlightOptions, clip: audio_tasks.Clip
    ) -> Highlight:
        async with self._database.write() as session:
            return await tracks.put_highlight(
                session,
                analysis_id=analysis.id,
                options=options.key,
                start_s=clip.start_s,
                end_s=clip.end_s,
                score=clip.score,
            )

    def _answer(
        self,
        job: Job,
        desk: Desk,
        track: Track,
        analysis: Analysis,
        highlight: Highlight,
        options: HighlightOptions,
        clip: audio_tasks.Clip | None,
    ) -> TelegramMethod[Message]:
        """`clip` None: sent again by its file_id."""
        caption = self._texts.caption(
            desk.listener.locale,
            Caption(
                name=track_name(track),
                start_s=highlight.start_s,
                end_s=highlight.end_s,
                tempo_bpm=analysis.tempo_bpm,
                key=analysis.key,
                confidence=analysis.confidence,
            ),
        )
        media = FSInputFile(clip.path) if clip else highlight.file_id or ""
        duration_s = round(clip.duration_s if clip else highlight.end_s - highlight.start_s)
        if options.answer_kind is AnswerKind.VOICE:
            return SendVoice(
                chat_id=job.chat_id,
                voice=media,
                caption=caption,
                duration=duration_s,
                reply_parameters=reply_to(job),
            )
        if not desk.voice_allowed:
            caption = f"{caption}\n\n{self._texts.get(desk.listener.locale, 'voice-off')}"
        return SendAudio(
            chat_id=job.chat_id,
            audio=media,
            caption=caption,
            duration=duration_s,
            title=clean_name(track.title or track.file_name or ""),
            performer=clean_name(track.performer or ""),
            reply_parameters=reply_to(job),
        )

    async def confirm(self, session: AsyncSession, job: Job, sent: Sent) -> None:
        """Keep the file_id for next time, with the kind that was really sent."""
        if sent.file_id is None or job.track_id is None:
            return
        asked = HighlightOptions.from_key(job.options)
        options = replace(asked, answer_kind=AnswerKind.AUDIO) if sent.method == "sendAudio" else asked
        _, highlight = await self._cached(session, job.track_id, options.key)
        if highlight is not None:
            await tracks.set_file_id(session, highlight.id, sent.file_id)


def effective_options(job: Job, desk: Desk) -> HighlightOptions:
    """What was asked for, as audio where the chat refuses voice messages."""
    options = HighlightOptions.from_key(job.options)
    return options if desk.voice_allowed else replace(options, answer_kind=AnswerKind.AUDIO)
