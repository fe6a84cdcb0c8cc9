"""Tracks that arrive: audio, voice and audio documents become jobs."""

from contextlib import suppress

from aiogram import F, Router
from aiogram.exceptions import TelegramAPIError
from aiogram.types import Message, ReactionTypeEmoji

from bot.domain import HighlightOptions, JobKind, JobRequest, Lane, Listener, Track
from bot.services.jobs import JobService

# Some clients send music as a plain file without an audio type; the decoder judges by content in the end.
AUDIO_ENDINGS = (".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".flac", ".wav", ".wma", ".aif", ".aiff")


def track_from(message: Message) -> Track | None:
    """The track in a message, None if it holds none."""
    if audio := message.audio:
        return Track(
            id=audio.file_unique_id,
            file_id=audio.file_id,
            size_bytes=audio.file_size,
            duration_s=audio.duration,
            title=audio.title,
            performer=audio.performer,
            file_name=audio.file_name,
            mime_type=audio.mime_type,
        )
    if voice := message.voice:
        return Track(
            id=voice.file_unique_id,
            file_id=voice.file_id,
            size_bytes=voice.file_size,
            duration_s=voice.duration,
            mime_type=voice.mime_type,
        )
    if (document := message.document) and is_audio_document(message):
        return Track(
            id=document.file_unique_id,
            file_id=document.file_id,
            size_bytes=document.file_size,
            file_name=document.file_name,
            mime_type=document.mime_type,
        )
    return None


def is_audio_document(message: Message) -> bool:
    document = message.document
    if document is None:
        return False
    return (document.mime_type or "").startswith("audio/") or (document.file_name or "").lower().endswith(
        AUDIO_ENDINGS
    )


def request_from(message: Message, track: Track, listener: Listener) -> JobRequest:
    return JobRequest(
        kind=JobKind.HIGHLIGHT,
        user_id=listener.id,
        chat_id=message.chat.id,
        message_id=message.message_id,
        options=HighlightOptions(listener.length_s, listener.answer_kind).key,
        track=track,
        batch=message.media_group_id,
    )


async def on_track(message: Message, listener: Listener, jobs: JobService) -> None:
    track = track_from(message)
    if track is None:
        return
    submission = await jobs.submit(request_from(message, track, listener))
    if submission.is_new and submission.job.lane is Lane.HEAVY:
        with suppress(TelegramAPIError):  # a group may allow no reactions
            await message.react([ReactionTypeEmoji(emoji="👀")])


def build_router() -> Router:
    router = Router(name="audio")
    router.message.register(on_track, F.chat.type == "private", F.audio | F.voice)
    router.message.register(on_track, F.chat.type == "private", is_audio_document)
    return router
