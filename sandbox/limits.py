"""The server's own limits on texts, keyboards, reactions and the like, with its wording."""

import re
from typing import Any
from urllib.parse import urlsplit

from aiogram.types import (
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
)

from sandbox.formatting import read_text
from sandbox.refusals import Json, bad_request
from sandbox.requests import given, to_json

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
CALLBACK_DATA_LIMIT_BYTES = 64
BUTTON_LIMIT = 100
ROW_LIMIT = 8

# https://core.telegram.org/bots/api#reactiontypeemoji
REACTIONS = frozenset(
    [
        "👍",
        "👎",
        "❤",
        "🔥",
        "🥰",
        "👏",
        "😁",
        "🤔",
        "🤯",
        "😱",
        "🤬",
        "😢",
        "🎉",
        "🤩",
        "🤮",
        "💩",
        "🙏",
        "👌",
        "🕊",
        "🤡",
        "🥱",
        "🥴",
        "😍",
        "🐳",
        "❤\u200d🔥",
        "🌚",
        "🌭",
        "💯",
        "🤣",
        "⚡",
        "🍌",
        "🏆",
        "💔",
        "🤨",
        "😐",
        "🍓",
        "🍾",
        "💋",
        "🖕",
        "😈",
        "😴",
        "😭",
        "🤓",
        "👻",
        "👨\u200d💻",
        "👀",
        "🎃",
        "🙈",
        "😇",
        "😨",
        "🤝",
        "✍",
        "🤗",
        "🫡",
        "🎅",
        "🎄",
        "☃",
        "💅",
        "🤪",
        "🗿",
        "🆒",
        "💘",
        "🙉",
        "🦄",
        "😘",
        "💊",
        "🙊",
        "😎",
        "👾",
        "🤷\u200d♂",
        "🤷",
        "🤷\u200d♀",
        "😡",
    ]
)
CHAT_ACTIONS = {
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
}
_ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
    "disabled",
)


def check_text(text: str | None, parse_mode: Any, entities: Any) -> Json:
    """`text` and `entities` of a message: 1-4096 characters after parsing."""
    plain, found = read_text(text or "", given(parse_mode), to_json(given(entities)))
    if not plain:
        raise bad_request("message text is empty")
    if len(plain) > TEXT_LIMIT:
        raise bad_request("message is too long")
    return {"text": plain, "entities": found} if found else {"text": plain}


def check_caption(caption: str | None, parse_mode: Any, entities: Any) -> Json:
    """`caption` and `caption_entities`, nothing when empty: 0-1024 characters after parsing."""
    plain, found = read_text(caption or "", given(parse_mode), to_json(given(entities)))
    if len(plain) > CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    if not plain:
        return {}
    return {"caption": plain, "caption_entities": found} if found else {"caption": plain}


def check_markup(markup: Any) -> Json | None:
    """The keyboard as the message shows it; None without one or for one that the message does not show."""
    if markup is None:
        return None
    if isinstance(markup, InlineKeyboardMarkup):
        rows = markup.inline_keyboard
        if sum(len(row) for row in rows) > BUTTON_LIMIT or any(len(row) > ROW_LIMIT for row in rows):
            raise bad_request("reply markup is too long")
        for row in rows:
            for button in row:
                _check_button(button)
        shown: Json = to_json(markup)
        shown["inline_keyboard"] = [row for row in shown["inline_keyboard"] if row]
        return shown if shown["inline_keyboard"] else None
    if isinstance(markup, ReplyKeyboardMarkup):
        if any(not button.text for row in markup.keyboard for button in row):
            raise bad_request('can\'t parse keyboard button: field "text" must be non-empty')
        return None
    if not isinstance(markup, ReplyKeyboardRemove | ForceReply):
        raise bad_request("object expected as reply markup")
    return None


def reply_keyboard(markup: Any) -> Json | None:
    """What the chat's own keyboard becomes: {} when removed, None when untouched."""
    if isinstance(markup, ReplyKeyboardMarkup | ForceReply):
        keyboard: Json = to_json(markup)
        return keyboard
    return {} if isinstance(markup, ReplyKeyboardRemove) else None


def _check_button(button: InlineKeyboardButton) -> None:
    if not button.text.strip():
        raise bad_request('can\'t parse inline keyboard button: field "text" must be non-empty')
    actions = [name for name in _ACTIONS if getattr(button, name) is not None]
    if not actions:
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    if len(actions) > 1:
        raise bad_request(f"can't parse inline keyboard button: exactly one action expected, got {actions}")
    if button.callback_data is not None:
        size_bytes = len(button.callback_data.encode())
        if not 1 <= size_bytes <= CALLBACK_DATA_LIMIT_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
    if button.url is not None and not is_link(button.url):
        raise bad_request(f"inline keyboard button URL '{button.url}' is invalid: Wrong HTTP URL")
    if button.copy_text is not None and not 1 <= len(button.copy_text.text) <= 256:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    if button.style is not None and button.style not in {"danger", "success", "primary"}:
        raise bad_request("can't parse inline keyboard button: wrong button style")


def is_link(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"tg", "tel", "mailto"} or (
        parts.scheme in {"http", "https"} and bool(parts.hostname) and "." in (parts.hostname or "")
    )


def check_reaction(reactions: list[Json]) -> None:
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    for reaction in reactions:
        if reaction.get("type") != "emoji" or reaction.get("emoji") not in REACTIONS:
            raise bad_request("REACTION_INVALID")


def check_commands(commands: list[Json]) -> None:
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"].removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command["description"]) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
