"""send*, copyMessage, forwardMessage: whatever puts a new message into a chat."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiogram import methods as api

from sandbox.limits import check_caption, check_markup, check_text, reply_keyboard
from sandbox.methods import Desk, method
from sandbox.probe import Probe, guess_mime, image_size, probe_media, shrink_image
from sandbox.refusals import Json, bad_request
from sandbox.requests import Upload, given
from sandbox.world import Chat

THUMBNAIL_LIMIT_BYTES = 200 * 1024
THUMBNAIL_SIDE = 320
PHOTO_LIMIT_BYTES = 10 * 1024 * 1024
_KIND_NAMES = {
    "audio": "Audio",
    "voice": "VoiceMessage",
    "photo": "Photo",
    "document": "Document",
    "video": "Video",
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the bot said about a file it sends."""

    duration_s: int | None = None
    title: str | None = None
    performer: str | None = None
    width: int | None = None
    height: int | None = None
    thumbnail: Any = None


@method("sendMessage")
async def send_message(desk: Desk, call: api.SendMessage) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    content = check_text(call.text, call.parse_mode, call.entities)
    return post(desk, chat, content, call)


@method("sendVoice")
async def send_voice(desk: Desk, call: api.SendVoice) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    caption = check_caption(call.caption, call.parse_mode, call.caption_entities)
    content = await media_content(desk, "voice", call.voice, Attributes(duration_s=call.duration))
    refuse_forbidden_voice(desk, chat, content)
    return post(desk, chat, content | caption, call)


@method("sendAudio")
async def send_audio(desk: Desk, call: api.SendAudio) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    caption = check_caption(call.caption, call.parse_mode, call.caption_entities)
    about = Attributes(call.duration, call.title, call.performer, thumbnail=call.thumbnail)
    content = await media_content(desk, "audio", call.audio, about)
    refuse_forbidden_voice(desk, chat, content)
    return post(desk, chat, content | caption, call)


@method("sendPhoto")
async def send_photo(desk: Desk, call: api.SendPhoto) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    caption = check_caption(call.caption, call.parse_mode, call.caption_entities)
    content = await media_content(desk, "photo", call.photo, Attributes())
    return post(desk, chat, content | caption, call)


@method("sendDocument")
async def send_document(desk: Desk, call: api.SendDocument) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    caption = check_caption(call.caption, call.parse_mode, call.caption_entities)
    content = await media_content(desk, "document", call.document, Attributes(thumbnail=call.thumbnail))
    return post(desk, chat, content | caption, call)


@method("sendVideo")
async def send_video(desk: Desk, call: api.SendVideo) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    caption = check_caption(call.caption, call.parse_mode, call.caption_entities)
    about = Attributes(call.duration, width=call.width, height=call.height, thumbnail=call.thumbnail)
    content = await media_content(desk, "video", call.video, about)
    return post(desk, chat, content | caption, call)


@method("sendSticker")
async def send_sticker(desk: Desk, call: api.SendSticker) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    return post(desk, chat, await known_media(desk, "sticker", call.sticker), call)


@method("sendVideoNote")
async def send_video_note(desk: Desk, call: api.SendVideoNote) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    return post(desk, chat, await known_media(desk, "video_note", call.video_note), call)


@method("sendMediaGroup")
async def send_media_group(desk: Desk, call: api.SendMediaGroup) -> list[Json]:
    chat = desk.world.reachable_chat(call.chat_id)
    if len(call.media) < 2:
        raise bad_request("group send must contain at least 2 messages: too few messages to send as an album")
    if len(call.media) > 10:
        raise bad_request("too many messages to send as an album")
    kinds = {str(item.type) for item in call.media}
    if len(kinds) > 1 and kinds & {"audio", "document"}:
        raise bad_request("audio and document can't be mixed with other media types in an album")
    contents = [await input_media_content(desk, item) for item in call.media]
    group_id = str(13_000_000_000 + desk.world.serial())
    return [post(desk, chat, {**content, "media_group_id": group_id}, call) for content in contents]


@method("copyMessage")
async def copy_message(desk: Desk, call: api.CopyMessage) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    source = desk.world.message(desk.world.chat(call.from_chat_id), call.message_id, "to copy").message
    content = {key: value for key, value in source.items() if key in _CONTENT}
    if call.caption is not None and "text" not in content:
        content = {k: v for k, v in content.items() if k not in {"caption", "caption_entities"}}
        content |= check_caption(call.caption, call.parse_mode, call.caption_entities)
    refuse_forbidden_voice(desk, chat, content)
    return {"message_id": post(desk, chat, content, call)["message_id"]}


@method("forwardMessage")
async def forward_message(desk: Desk, call: api.ForwardMessage) -> Json:
    chat = desk.world.reachable_chat(call.chat_id)
    source = desk.world.message(desk.world.chat(call.from_chat_id), call.message_id, "to forward").message
    content = {key: value for key, value in source.items() if key in _CONTENT}
    refuse_forbidden_voice(desk, chat, content)
    origin = source.get("forward_origin") or {
        "type": "user",
        "sender_user": source["from"],
        "date": source["date"],
    }
    return post(desk, chat, {**content, "forward_origin": origin}, call)


@method("sendMessageDraft")
async def send_message_draft(desk: Desk, call: api.SendMessageDraft) -> bool:
    chat = desk.world.reachable_chat(call.chat_id)
    if chat.type != "private":
        raise bad_request("drafts can be sent to private chats only")
    if not call.draft_id:
        raise bad_request("draft_id must be non-zero")
    content = check_text(call.text, call.parse_mode, call.entities) if call.text else {"text": ""}
    desk.drafts[chat.id] = {"draft_id": call.draft_id, **content}
    desk.world.feed.publish("draft", {"chat": chat.id, **desk.drafts[chat.id]})
    return True


def post(desk: Desk, chat: Chat, content: Json, call: Any) -> Json:
    """Put the bot's message into the chat, with its keyboard and as the reply it asked to be."""
    markup = check_markup(call.reply_markup) if hasattr(call, "reply_markup") else None
    if markup is not None:
        content = {**content, "reply_markup": markup}
    if hasattr(call, "reply_markup") and (keyboard := reply_keyboard(call.reply_markup)) is not None:
        desk.keyboards[chat.id] = keyboard
        desk.world.feed.publish("keyboard", {"chat": chat.id, "keyboard": keyboard})
    reply_to = _reply_target(desk, chat, call)
    if desk.drafts.pop(chat.id, None):
        desk.world.feed.publish("draft", {"chat": chat.id, "text": None})
    return desk.world.post(chat, desk.world.bot.to_json(), content, reply_to)


def _reply_target(desk: Desk, chat: Chat, call: Any) -> int | None:
    asked = getattr(call, "reply_parameters", None)
    message_id = asked.message_id if asked else getattr(call, "reply_to_message_id", None)
    if message_id is None:
        return None
    may_be_missing = given(asked.allow_sending_without_reply) if asked else call.allow_sending_without_reply
    source = desk.world.chat(asked.chat_id) if asked and asked.chat_id else chat
    stored = source.messages.get(message_id)
    if stored is None or stored.is_deleted:
        if may_be_missing:
            return None
        raise bad_request("message to be replied not found")
    if asked and asked.quote:
        said = stored.message.get("text") or stored.message.get("caption") or ""
        if asked.quote not in said:
            raise bad_request("QUOTE_TEXT_INVALID")
    return int(message_id)


def refuse_forbidden_voice(desk: Desk, chat: Chat, content: Json) -> None:
    if chat.type == "private" and "voice" in content and desk.world.people[chat.id].forbids_voice:
        raise bad_request("VOICE_MESSAGES_FORBIDDEN")


async def input_media_content(desk: Desk, item: Any) -> Json:
    """The content of one item of an album, or of editMessageMedia."""
    about = Attributes(
        duration_s=getattr(item, "duration", None),
        title=getattr(item, "title", None),
        performer=getattr(item, "performer", None),
        width=getattr(item, "width", None),
        height=getattr(item, "height", None),
        thumbnail=getattr(item, "thumbnail", None),
    )
    content = await media_content(desk, str(item.type), item.media, about)
    return content | check_caption(item.caption, item.parse_mode, item.caption_entities)


async def known_media(desk: Desk, kind: str, source: Any) -> Json:
    """By file_id only: the bot passes on what a user sent."""
    if isinstance(source, Upload):
        raise bad_request(f"the sandbox takes a {kind} by its file_id only")
    return await media_content(desk, kind, source, Attributes())


async def media_content(desk: Desk, kind: str, source: Any, about: Attributes) -> Json:
    """`{kind: media}` for an uploaded file or a file_id; what the bytes are decides about the kind."""
    if isinstance(source, Upload):
        return await asyncio.to_thread(store_upload, desk, kind, source, about)
    if "://" in source:
        raise bad_request("failed to get HTTP URL content")
    stored = desk.world.files.get(source)
    if stored.kind != kind:
        names = [_KIND_NAMES.get(name, name.title()) for name in (stored.kind, kind)]
        raise bad_request(f"can't use file of type {names[0]} as {names[1]}")
    if kind == "photo":
        return {"photo": stored.media["sizes"]}
    media = dict(stored.media)
    for key, value in (
        ("duration", about.duration_s),
        ("title", about.title),
        ("performer", about.performer),
    ):
        if (
            value is not None
            and kind in {"audio", "voice", "video"}
            and (kind == "audio" or key == "duration")
        ):
            media.setdefault(key, value)
    return {kind: media}


def store_upload(desk: Desk, kind: str, upload: Upload, about: Attributes) -> Json:
    """Probe and keep an uploaded file; the message content it makes."""
    probe = probe_media(upload.path) if kind in {"voice", "audio", "video", "document"} else Probe()
    name = upload.filename or "file"
    thumbnail = _thumbnail(desk, about.thumbnail, probe)
    size = {"mime_type": guess_mime(name)}
    if kind == "voice" and not probe.is_voice_format:
        raise bad_request(
            f"wrong file: a voice message is OGG with Opus, MP3 or M4A, not {probe.codec or probe.container}"
        )
    if kind == "audio" and probe.is_opus:
        kind = "voice"  # so does the real server
    if kind == "audio" and not probe.is_music_format:
        kind = "document"
    if kind == "photo":
        return {"photo": store_photo(desk, upload.path)}
    if kind == "voice":
        # Telegram measures nothing: without `duration` a client shows 0:00.
        media: Json = {"duration": about.duration_s or 0, **size, "mime_type": "audio/ogg"}
    elif kind == "audio":
        tags = {"title": about.title or probe.tags.get("title")}
        tags["performer"] = about.performer or probe.tags.get("artist")
        media = {"duration": about.duration_s or round(probe.duration_s)}
        media |= {key: value for key, value in tags.items() if value}
        media |= {"file_name": name, **size}
    elif kind == "video":
        if not probe.has_video:
            raise bad_request("wrong file: a video stream is expected")
        media = {"width": about.width or probe.width, "height": about.height or probe.height}
        media |= {"duration": about.duration_s or round(probe.duration_s), "file_name": name, **size}
    else:
        media = {"file_name": name, **size}
    if thumbnail and kind != "voice":
        media["thumbnail"] = thumbnail
    stored = desk.world.files.keep(kind, media, source=upload.path, suffix=Path(name).suffix)
    return {kind: stored.media}


def _thumbnail(desk: Desk, given_thumbnail: Any, probe: Probe) -> Json | None:
    if isinstance(given_thumbnail, str):
        raise bad_request("thumbnail must be uploaded as a new file")
    if isinstance(given_thumbnail, Upload):
        size = image_size(given_thumbnail.path)
        is_small = (
            given_thumbnail.size_bytes <= THUMBNAIL_LIMIT_BYTES and size and max(size[:2]) <= THUMBNAIL_SIDE
        )
        if not size or size[2] != "JPEG" or not is_small:
            raise bad_request("wrong thumbnail: a JPEG of at most 200 kB and 320 x 320 pixels is expected")
        return store_picture(desk, given_thumbnail.path)
    return store_picture(desk, probe.cover) if probe.cover else None


def store_picture(desk: Desk, content: bytes | Path, side: int = THUMBNAIL_SIDE) -> Json | None:
    """A PhotoSize of at most `side` pixels."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "picture.jpg"
        size = shrink_image(content, side, target)
        if size is None:
            return None
        media = {"width": size[0], "height": size[1]}
        return desk.world.files.keep("photo", media, source=target, suffix=".jpg").media


def store_photo(desk: Desk, path: Path) -> list[Json]:
    """The sizes of a photo, smallest first."""
    size = image_size(path)
    if size is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height, _ = size
    if path.stat().st_size > PHOTO_LIMIT_BYTES:
        raise bad_request("file is too big for a photo")
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    sizes = [picture for side in (320, 1280) if (picture := store_picture(desk, path, side))]
    if max(width, height) <= THUMBNAIL_SIDE:
        sizes = sizes[:1]
    shown = [dict(picture) for picture in sizes]
    for picture in sizes:
        desk.world.files.get(picture["file_id"]).media["sizes"] = shown
    return shown


_CONTENT = {
    "text",
    "entities",
    "caption",
    "caption_entities",
    "audio",
    "voice",
    "photo",
    "document",
    "video",
    "video_note",
    "animation",
    "sticker",
    "contact",
}
