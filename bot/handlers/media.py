"""Which track a message holds."""

from aiogram.types import Audio, Document, ExternalReplyInfo, Message, Video, VideoNote, Voice

from bot.domain import Track

# Some clients send music as a plain file without an audio type; the decoder judges by content in the end.
MEDIA_ENDINGS = (
    *(".mp3", ".m4a", ".m4b", ".aac", ".ac3", ".ogg", ".oga", ".opus", ".flac", ".wav", ".wma", ".aif"),
    *(".aiff", ".ape", ".amr", ".alac", ".wv", ".mka"),
    *(".mp4", ".m4v", ".mkv", ".mov", ".webm", ".avi", ".3gp", ".mpg", ".mpeg", ".wmv", ".flv"),
)


def track_from(message: Message | ExternalReplyInfo) -> Track | None:
    """The track in a message, None if it holds none. A video counts: its sound is the track."""
    if (media := message.audio or message.voice or message.video or message.video_note) is not None:
        return _track(media)
    if message.document is not None and is_media_document(message.document):
        return _track(message.document)
    return None


def is_media_document(document: Document) -> bool:
    """A file that plays, by its type or its name."""
    mime_type, name = document.mime_type or "", (document.file_name or "").lower()
    return mime_type.startswith(("audio/", "video/")) or name.endswith(MEDIA_ENDINGS)


def _track(media: Audio | Voice | Video | VideoNote | Document) -> Track:
    duration = getattr(media, "duration", None)
    return Track(
        id=media.file_unique_id,
        file_id=media.file_id,
        size_bytes=media.file_size,
        duration_s=None if duration is None else float(duration),
        title=getattr(media, "title", None),
        performer=getattr(media, "performer", None),
        file_name=getattr(media, "file_name", None),
        mime_type=getattr(media, "mime_type", None),
    )
