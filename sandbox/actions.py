"""What a user can do: write, send files, press buttons, react, block the bot. Each deed becomes an update."""

import asyncio
import time
from pathlib import Path

from sandbox.formatting import find_entities, parse_html
from sandbox.methods import Desk, Query
from sandbox.methods.profile import describe_member
from sandbox.methods.sending import store_photo, store_picture
from sandbox.probe import Probe, guess_kind, guess_mime, probe_media, rewrap_as_ogg
from sandbox.refusals import ActionError, Json
from sandbox.world import Chat, Person

_QUERY_KEPT = 1000


def say(desk: Desk, chat: Chat, person: Person, content: Json, reply_to: int | None = None) -> Json:
    """Post a user's message and tell the bot, if it may see it."""
    if person.id not in chat.member_ids:
        raise ActionError(f"{person.first_name} is not in chat {chat.id}")
    if chat.type == "private" and person.has_blocked_bot:
        raise ActionError("unblock the bot first, as a Telegram client would ask")
    if reply_to is not None and (reply_to not in chat.messages or chat.messages[reply_to].is_deleted):
        raise ActionError(f"no message {reply_to} to reply to in chat {chat.id}")
    message = desk.world.post(chat, person.to_json(), content, reply_to)
    if _bot_sees(desk, chat, message):
        desk.updates.add("message", message)
    return message


def _bot_sees(desk: Desk, chat: Chat, message: Json) -> bool:
    """In groups an ordinary member with privacy mode sees commands, mentions and replies to itself only."""
    if chat.bot_status in {"left", "kicked"}:
        return False
    if (
        chat.type == "private"
        or desk.world.bot.reads_all_group_messages
        or chat.bot_status == "administrator"
    ):
        return True
    text = message.get("text") or message.get("caption") or ""
    replied = message.get("reply_to_message", {}).get("from", {}).get("id")
    return text.startswith("/") or f"@{desk.world.bot.username}" in text or replied == desk.world.bot.id


def text_content(text: str) -> Json:
    """A user's text, with commands and links marked."""
    if not text.strip():
        raise ActionError("a message needs some text")
    entities = find_entities(text.strip())
    return {"text": text.strip(), **({"entities": entities} if entities else {})}


def caption_content(caption: str | None, *, is_html: bool = False) -> Json:
    if not caption:
        return {}
    text, entities = parse_html(caption) if is_html else (caption.strip(), find_entities(caption.strip()))
    return {"caption": text, **({"caption_entities": entities} if entities else {})}


async def file_content(
    desk: Desk,
    kind: str,
    source: Path | None,
    file_name: str,
    *,
    overrides: Json,
    size_bytes: int | None = None,
) -> Json:
    """The content of a message with a file, as the user's client would fill it in.

    `kind` may be `auto`. `overrides` replaces fields of the media object (duration, title, performer,
    mime_type, file_name, file_size ...); None removes one. `size_bytes` makes the server believe in another
    size.
    """
    probe = await asyncio.to_thread(probe_media, source) if source else Probe()
    if source and kind == "voice" and probe.codec == "opus" and not probe.is_opus:
        # A browser records Opus into WebM; Telegram's clients send OGG.
        probe = await asyncio.to_thread(rewrap_as_ogg, source)
    if kind == "auto":
        kind = guess_kind(file_name, probe)
    if kind == "photo":
        if source is None:
            raise ActionError("a photo needs its bytes")
        sizes = await asyncio.to_thread(store_photo, desk, source)
        return {"photo": sizes}
    media = await asyncio.to_thread(_media_fields, desk, kind, file_name, probe)
    media = {key: value for key, value in {**media, **overrides}.items() if value is not None}
    stored = desk.world.files.keep(
        kind, media, source=source, suffix=Path(file_name).suffix, declared_size_bytes=size_bytes
    )
    if "file_size" in overrides:
        stored.media.pop("file_size")
        if overrides["file_size"] is not None:
            stored.media["file_size"] = overrides["file_size"]
    return {kind: stored.media}


def _media_fields(desk: Desk, kind: str, file_name: str, probe: Probe) -> Json:
    duration = round(probe.duration_s)
    cover = store_picture(desk, probe.cover) if probe.cover else None
    thumbnail: Json = {"thumbnail": cover} if cover else {}
    mime_type = guess_mime(file_name)
    if kind == "audio":
        tags = {"performer": probe.tags.get("artist"), "title": probe.tags.get("title")}
        known = {key: value for key, value in tags.items() if value}
        return {"duration": duration, **known, "file_name": file_name, "mime_type": mime_type, **thumbnail}
    if kind == "voice":
        return {"duration": duration, "mime_type": "audio/ogg"}
    if kind == "video":
        size = {"width": probe.width or 640, "height": probe.height or 360}
        return {**size, "duration": duration, "file_name": file_name, "mime_type": mime_type}
    if kind == "video_note":
        return {"length": probe.width or 240, "duration": duration}
    if kind == "sticker":
        size = {"width": 512, "height": 512, "is_animated": False, "is_video": False}
        return {"type": "regular", **size, "emoji": "🎵"}
    if kind == "document":
        return {"file_name": file_name, "mime_type": mime_type, **thumbnail}
    raise ActionError(f"unknown kind of message: {kind}")


def forward_origin(source: Json | None, hidden_name: str | None) -> Json:
    """The mark of a forwarded message: of a known one, or from somebody who hides their account."""
    if hidden_name:
        origin: Json = {
            "type": "hidden_user",
            "sender_user_name": hidden_name,
            "date": int(time.time()) - 86_400,
        }
    elif source:
        if "forward_origin" in source:
            return {"forward_origin": source["forward_origin"]}
        origin = {"type": "user", "sender_user": source["from"], "date": source["date"]}
    else:
        return {}
    return {"forward_origin": origin}


def edit_text(desk: Desk, chat: Chat, person: Person, message_id: int, text: str) -> Json:
    stored = chat.messages.get(message_id)
    if stored is None or stored.is_deleted or stored.message["from"]["id"] != person.id:
        raise ActionError("a user edits only their own messages")
    old = {key: value for key, value in stored.message.items() if key not in {"text", "entities"}}
    message = desk.world.edit(chat, message_id, old | text_content(text))
    desk.updates.add("edited_message", message)
    return message


def press(
    desk: Desk, chat: Chat, person: Person, message_id: int, callback_data: str, *, is_late: bool = False
) -> str:
    """Press a button that some version of the message had; the id of the callback query.

    `is_late`: the bot's answer will come too late, as after a long outage.
    """
    stored = chat.messages.get(message_id)
    if stored is None:
        raise ActionError(f"no message {message_id} in chat {chat.id}")
    message = stored.message
    shown = [version for version in (message, *stored.versions) if _has_button(version, callback_data)]
    if not shown:
        raise ActionError(f"message {message_id} has no button with data {callback_data!r}")
    query = Query(str(7_000_000_000 + desk.world.serial()), person.id, time.time(), is_late)
    _remember(desk, query)
    payload: Json = {
        "id": query.id,
        "from": person.to_json(),
        "message": message,
        "chat_instance": str(chat.id * 31),
        "data": callback_data,
    }
    if stored.is_deleted:
        payload["message"] = {"chat": message["chat"], "message_id": message_id, "date": 0}
    desk.updates.add("callback_query", payload)
    return query.id


def _has_button(message: Json, callback_data: str) -> bool:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return any(button.get("callback_data") == callback_data for row in rows for button in row)


def ask_inline(desk: Desk, person: Person, text: str, offset: str = "") -> str:
    """Type `@bot text` in some chat; the id of the inline query."""
    query = Query(str(8_000_000_000 + desk.world.serial()), person.id, time.time())
    _remember(desk, query)
    desk.updates.add(
        "inline_query",
        {"id": query.id, "from": person.to_json(), "query": text, "offset": offset, "chat_type": "sender"},
    )
    return query.id


def choose_inline(desk: Desk, chat: Chat, person: Person, query_id: str, result_id: str) -> Json:
    """Drop a result of an answered inline query into a chat."""
    query = desk.queries.get(query_id)
    results = (query.answer or {}).get("results", []) if query else []
    result = next((one for one in results if one["id"] == result_id), None)
    if result is None:
        raise ActionError("no such inline result")
    content: Json = {"via_bot": desk.world.bot.to_json()}
    for key in ("voice", "audio", "photo", "document", "video"):
        if f"{key}_file_id" in result:
            media = desk.world.files.get(result[f"{key}_file_id"]).media
            content[key] = media["sizes"] if key == "photo" else media
    if "input_message_content" in result:
        content |= text_content(result["input_message_content"].get("message_text", result["title"]))
    content |= {
        key: result[key] for key in ("caption", "caption_entities", "reply_markup") if result.get(key)
    }
    desk.updates.add("chosen_inline_result", {"result_id": result_id, "from": person.to_json(), "query": ""})
    return say(desk, chat, person, content)


def _remember(desk: Desk, query: Query) -> None:
    desk.queries[query.id] = query
    while len(desk.queries) > _QUERY_KEPT:
        desk.queries.pop(next(iter(desk.queries)))


def react(desk: Desk, chat: Chat, person: Person, message_id: int, emoji: str | None) -> None:
    """Put a reaction on a message, or take it away."""
    if message_id not in chat.messages:
        raise ActionError(f"no message {message_id} in chat {chat.id}")
    new = [{"type": "emoji", "emoji": emoji}] if emoji else []
    old = desk.world.react(chat, message_id, person.id, new)
    where = {"chat": desk.world.describe_chat(chat), "message_id": message_id, "date": int(time.time())}
    desk.updates.add(
        "message_reaction", {**where, "user": person.to_json(), "old_reaction": old, "new_reaction": new}
    )


def set_blocked(desk: Desk, person: Person, *, is_blocked: bool) -> None:
    """Block or unblock the bot: my_chat_member tells it."""
    if person.has_blocked_bot == is_blocked:
        return
    person.has_blocked_bot = is_blocked
    set_bot_status(desk, desk.world.chats[person.id], person, "kicked" if is_blocked else "member")
    desk.world.feed.publish("people", {"user": person.id})


def set_bot_status(desk: Desk, chat: Chat, person: Person, status: str) -> None:
    """Add the bot to a group, make it administrator, remove it."""
    user = desk.world.bot.to_json()
    old, chat.bot_status = chat.bot_status, status
    desk.updates.add(
        "my_chat_member",
        {
            "chat": desk.world.describe_chat(chat),
            "from": person.to_json(),
            "date": int(time.time()),
            "old_chat_member": describe_member(user, old),
            "new_chat_member": describe_member(user, status),
        },
    )
    desk.world.feed.publish("chat", {"chat": chat.id})
