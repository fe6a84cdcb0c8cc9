"""edit*, deleteMessage(s), setMessageReaction: what changes a message that is there."""

from typing import Any

from aiogram import methods as api

from sandbox.limits import check_caption, check_markup, check_reaction, check_text
from sandbox.methods import Desk, method
from sandbox.methods.sending import input_media_content
from sandbox.refusals import Json, Refusal, bad_request
from sandbox.requests import to_json
from sandbox.world import Chat, StoredMessage

_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
_MEDIA = ("audio", "photo", "document", "video", "animation")


@method("editMessageText")
async def edit_message_text(desk: Desk, call: api.EditMessageText) -> Json:
    chat, stored = _own_message(desk, call)
    if "text" not in stored.message:
        raise bad_request("there is no text in the message to edit")
    content = check_text(call.text, call.parse_mode, call.entities)
    return _change(desk, chat, stored, content, drops={"text", "entities"}, call=call)


@method("editMessageCaption")
async def edit_message_caption(desk: Desk, call: api.EditMessageCaption) -> Json:
    chat, stored = _own_message(desk, call)
    if not any(key in stored.message for key in (*_MEDIA, "voice")):
        raise bad_request("there is no caption in the message to edit")
    content = check_caption(call.caption, call.parse_mode, call.caption_entities)
    return _change(desk, chat, stored, content, drops={"caption", "caption_entities"}, call=call)


@method("editMessageMedia")
async def edit_message_media(desk: Desk, call: api.EditMessageMedia) -> Json:
    chat, stored = _own_message(desk, call)
    kinds = [key for key in _MEDIA if key in stored.message]
    if not kinds and "text" not in stored.message:
        # Voice notes are sealed: neither may they change nor may another message become one.
        raise bad_request("message can't be edited")
    new_kind = str(call.media.type)
    is_strict_album = "media_group_id" in stored.message and bool({new_kind, *kinds} & {"audio", "document"})
    if is_strict_album and kinds != [new_kind]:
        raise bad_request("can't change the type of a file in an album of audio or documents")
    content = await input_media_content(desk, call.media)
    if "voice" in content:
        raise bad_request("wrong file: voice messages can't be set by editing")
    drops = {*_MEDIA, "text", "entities", "caption", "caption_entities"}
    return _change(desk, chat, stored, content, drops=drops, call=call)


@method("editMessageReplyMarkup")
async def edit_message_reply_markup(desk: Desk, call: api.EditMessageReplyMarkup) -> Json:
    chat, stored = _own_message(desk, call)
    return _change(desk, chat, stored, {}, drops=set(), call=call)


def _own_message(desk: Desk, call: Any) -> tuple[Chat, StoredMessage]:
    if call.inline_message_id is not None:
        raise bad_request("MESSAGE_ID_INVALID")  # the sandbox posts inline results as ordinary messages
    if call.chat_id is None:
        raise bad_request("chat_id is empty")
    if call.message_id is None:
        raise bad_request("message identifier is not specified")
    chat = desk.world.reachable_chat(call.chat_id)
    stored = desk.world.message(chat, call.message_id, "to edit")
    if stored.message["from"]["id"] != desk.world.bot.id or "forward_origin" in stored.message:
        raise bad_request("message can't be edited")
    return chat, stored


def _change(
    desk: Desk, chat: Chat, stored: StoredMessage, content: Json, *, drops: set[str], call: Any
) -> Json:
    markup = check_markup(call.reply_markup)
    kept = {k: v for k, v in stored.message.items() if k not in drops | {"reply_markup", "edit_date"}}
    changed = kept | content | ({"reply_markup": markup} if markup else {})
    if _content(changed) == _content(stored.message):
        raise bad_request(_NOT_MODIFIED)
    return desk.world.edit(chat, stored.message["message_id"], changed)


def _content(message: Json) -> Json:
    """A message without what may differ between equal contents: dates, and the file_id of the same file."""
    shown = {key: value for key, value in message.items() if key != "edit_date"}
    for kind in _MEDIA:
        media = shown.get(kind)
        if isinstance(media, dict):
            shown[kind] = media["file_unique_id"]
        elif isinstance(media, list):
            shown[kind] = [size["file_unique_id"] for size in media]
    return shown


@method("deleteMessage")
async def delete_message(desk: Desk, call: api.DeleteMessage) -> bool:
    chat = desk.world.reachable_chat(call.chat_id)
    stored = desk.world.message(chat, call.message_id, "to delete")
    is_own = stored.message["from"]["id"] == desk.world.bot.id
    if not is_own and chat.type != "private" and chat.bot_status != "administrator":
        raise bad_request("message can't be deleted")
    desk.world.delete(chat, call.message_id)
    return True


@method("deleteMessages")
async def delete_messages(desk: Desk, call: api.DeleteMessages) -> bool:
    if not 1 <= len(call.message_ids) <= 100:
        raise bad_request("message identifiers: 1-100 expected")
    for message_id in call.message_ids:
        try:
            await delete_message(desk, api.DeleteMessage(chat_id=call.chat_id, message_id=message_id))
        except Refusal as refusal:
            if "message to delete not found" not in refusal.description:
                raise  # missing ones are skipped, as the server does
    return True


@method("setMessageReaction")
async def set_message_reaction(desk: Desk, call: api.SetMessageReaction) -> bool:
    chat = desk.world.reachable_chat(call.chat_id)
    desk.world.message(chat, call.message_id, "to react")
    reaction: list[Json] = to_json(call.reaction or [])
    check_reaction(reaction)
    desk.world.react(chat, call.message_id, desk.world.bot.id, reaction)
    return True
