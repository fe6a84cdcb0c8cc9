"""The recipe of the main job: a track in, its highlight back as a voice message (or audio, where voice is
off). The same recipe serves the buttons under an answer and the history: what they ask for is a window too.

A changed window takes the old answer's place. Audio is edited. Telegram lets nobody edit a voice message into
another one, so there the new one is sent and the old one goes: deleted in a private chat, where it would only
pile up with each bar (not one that the listener liked: that is to be kept), stripped of its buttons in a
group, where others may have replied to it.
"""

from dataclasses import replace
from pathlib import Path

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import EditMessageMedia, SendAudio, SendVoice
from aiogram.types import FSInputFile, InlineKeyboardMarkup, InputMediaAudio
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db import answers, opinions, tracks
from bot.db.engine import Database
from bot.domain import (
    Analysis,
    AnswerKind,
    Highlight,
    HighlightOptions,
    Job,
    JobRequest,
    Lane,
    Opinion,
    RecutOrder,
    Sent,
    Stage,
    Track,
)
from bot.keyboards import answer_keyboard
from bot.services import audio_tasks
from bot.services.analyses import keep_analysis
from bot.services.audio_tasks import ClipOrder
from bot.services.recipes import AudioPool, Desk, Fetch, Reply, reply_to
from bot.services.sender import is_group
from bot.texts import Caption, Texts, clean_name, track_name

# Generous: the slowest file within the limits, on a machine that is busy with others.
POOL_LIMIT_S = 600.0


class HighlightRecipe:
    def __init__(
        self,
        *,
        bot: Bot,
        fetch: Fetch,
        database: Database,
        pool: AudioPool,
        texts: Texts,
        model_version: str,
        max_download_bytes: int,
        max_track_s: float,
    ) -> None:
        self._bot = bot
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
        options = HighlightOptions.from_key(request.options)
        _, highlight = await self._cached(session, request.track.id, options.key)
        return Lane.LIGHT if highlight is not None and highlight.file_id else Lane.HEAVY

    async def _cached(
        self, session: AsyncSession, track_id: str, options: str
    ) -> tuple[Analysis | None, Highlight | None]:
        analysis = await tracks.get_analysis(session, track_id, self._model_version)
        if analysis is None:
            return None, None
        return analysis, await tracks.get_highlight(session, analysis.id, options)

    async def prepare(self, job: Job, desk: Desk) -> Reply:
        options = effective_options(job, desk)
        async with self._database.read() as session:
            track = await tracks.get_track(session, job.track_id or "")
            if track is None:
                raise LookupError(f"track {job.track_id} is not stored")
            analysis, highlight = await self._cached(session, track.id, options.key)
        clip = None
        if not (analysis and highlight and highlight.file_id) or job.payload.get("is_stale"):
            analysis, highlight, clip = await self._make(track, desk, options, analysis)
        order = RecutOrder.from_payload(job.payload)
        async with self._database.read() as session:
            span = (highlight.start_s, highlight.end_s)
            opinion = await opinions.get(session, job.user_id, track.id, analysis.model_version, span)
        if order.replaces is not None and options.answer_kind is AnswerKind.VOICE:
            await self._retire_later(job, desk, order.replaces)
        return self._answer(job, desk, track, analysis, highlight, options, opinion, clip)

    async def _retire_later(self, job: Job, desk: Desk, message_id: int) -> None:
        """Once the new voice message has arrived, its predecessor makes room."""
        async with self._database.read() as session:
            old = await answers.find(session, job.chat_id, message_id)
            if old is None:
                return
            opinion = await opinions.get(
                session, job.user_id, old.track.id, old.model_version, opinions.span_of(old)
            )
        if opinion.rating == 1:
            return

        async def retire() -> None:
            if not is_group(job.chat_id):
                try:
                    await self._bot.delete_message(job.chat_id, message_id)
                except TelegramBadRequest:  # over 48 hours old: it cannot be deleted any more
                    await self._bot.edit_message_reply_markup(chat_id=job.chat_id, message_id=message_id)
            else:
                await self._bot.edit_message_reply_markup(chat_id=job.chat_id, message_id=message_id)

        desk.afterwards.append(retire)

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
            analysis = await keep_analysis(self._database, track, result)
        else:
            desk.stage(Stage.CUTTING)
            clip = await self._pool.run(
                audio_tasks.cut, str(path), out_path, order, analysis.document, timeout_s=POOL_LIMIT_S
            )
        return analysis, await self._keep_highlight(analysis, options, clip), clip

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
                choices=clip.choices,
            )

    def _answer(
        self,
        job: Job,
        desk: Desk,
        track: Track,
        analysis: Analysis,
        highlight: Highlight,
        options: HighlightOptions,
        opinion: Opinion,
        clip: audio_tasks.Clip | None,
    ) -> Reply:
        """`clip` None: sent again by its file_id."""
        order = RecutOrder.from_payload(job.payload)
        locale = desk.listener.locale
        caption = self._texts.caption(locale, caption_of(track, analysis, highlight, options))
        if not desk.voice_allowed:
            caption = f"{caption}\n\n{self._texts.get(locale, 'voice-off')}"
        media = FSInputFile(clip.path, file_name(track, clip.path)) if clip else highlight.file_id or ""
        duration_s = round(clip.duration_s if clip else highlight.end_s - highlight.start_s)
        markup: InlineKeyboardMarkup | None = None
        if not order.is_export:
            markup = answer_keyboard(
                self._texts, locale, highlight, opinion, analysis.duration_s, order.revision
            )
        reply = reply_to(job, order.reply_to)
        if options.answer_kind is AnswerKind.VOICE:
            return SendVoice(
                chat_id=job.chat_id,
                voice=media,
                caption=caption,
                duration=duration_s,
                reply_parameters=reply,
                reply_markup=markup,
            )
        title, performer = clean_name(track.title or track.file_name or ""), clean_name(track.performer or "")
        thumbnail = FSInputFile(clip.thumbnail) if clip and clip.thumbnail else None
        if order.replaces is not None:
            return EditMessageMedia(
                chat_id=job.chat_id,
                message_id=order.replaces,
                media=InputMediaAudio(
                    media=media,
                    thumbnail=thumbnail,
                    caption=caption,
                    duration=duration_s,
                    title=title,
                    performer=performer,
                ),
                reply_markup=markup,
            )
        return SendAudio(
            chat_id=job.chat_id,
            audio=media,
            thumbnail=thumbnail,
            caption=caption,
            duration=duration_s,
            title=title,
            performer=performer,
            reply_parameters=reply,
            reply_markup=markup,
        )

    async def confirm(self, session: AsyncSession, job: Job, sent: Sent) -> None:
        """Keep the file_id for next time, with the kind that was really sent; and what the buttons need."""
        if job.track_id is None:
            return
        asked = HighlightOptions.from_key(job.options)
        options = replace(asked, answer_kind=AnswerKind.AUDIO) if sent.method == "sendAudio" else asked
        analysis, highlight = await self._cached(session, job.track_id, options.key)
        if analysis is None or highlight is None:
            return
        if sent.file_id is not None:
            await tracks.set_file_id(session, highlight.id, sent.file_id)
        order = RecutOrder.from_payload(job.payload)
        if order.is_export:
            return
        await answers.put(
            session,
            user_id=job.user_id,
            chat_id=sent.chat_id,
            message_id=sent.message_id,
            source_message_id=order.reply_to or job.message_id,
            highlight_id=highlight.id,
            revision=order.revision,
        )
        if order.replaces is not None and order.replaces != sent.message_id:
            await answers.set_replaced(session, job.chat_id, order.replaces)
        if order.is_correction:
            offered, wanted = highlight.choices.best, (highlight.start_s, highlight.end_s)
            await opinions.correct(
                session, job.user_id, job.track_id, analysis.model_version, offered, wanted
            )


def caption_of(track: Track, analysis: Analysis, highlight: Highlight, options: HighlightOptions) -> Caption:
    return Caption(
        name=track_name(track),
        start_s=highlight.start_s,
        end_s=highlight.end_s,
        tempo_bpm=analysis.tempo_bpm,
        key=analysis.key,
        confidence=analysis.confidence,
        rank=1 if options.start_s is None else highlight.choices.rank,
    )


def file_name(track: Track, path: str) -> str:
    """How a saved file is called: by the track, without what file systems or an upload's header forbid."""
    stem = "".join(" " if c in '<>:"/\\|?*;' else c for c in track_name(track) or "highlight")
    return " ".join(stem.split()) + Path(path).suffix


def effective_options(job: Job, desk: Desk) -> HighlightOptions:
    """What was asked for, as audio where the chat refuses voice messages."""
    options = HighlightOptions.from_key(job.options)
    return options if desk.voice_allowed else replace(options, answer_kind=AnswerKind.AUDIO)
