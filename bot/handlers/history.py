"""/history, and the same highlights inline in any chat."""

import re
from contextlib import suppress

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardMarkup,
    InlineQuery,
    InlineQueryResultCachedVoice,
    InlineQueryResultsButton,
    Message,
)
from aiogram_i18n import I18nContext

from bot.db.answers import Heard
from bot.domain import Listener
from bot.handlers.replies import refuse_stranger, respond
from bot.keyboards import HistoryPress, history_keyboard
from bot.services.history import HistoryService, Page
from bot.texts import clean_name, format_clock, track_name

MAX_LABEL = 48
INLINE_CACHE_S = 5


def label_of(heard: Heard, i18n: I18nContext) -> str:
    """Plain text: buttons and inline titles show no HTML."""
    name = clean_name(track_name(heard.track) or i18n.get("unnamed-track"))
    short = name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL - 1].rstrip()}…"
    return f"{short} · {format_clock(heard.highlight.start_s)}–{format_clock(heard.highlight.end_s)}"


def show(page: Page, listener: Listener, i18n: I18nContext) -> tuple[str, InlineKeyboardMarkup | None]:
    if not page.items:
        return i18n.get("history-empty"), None
    labels = [(heard.highlight.id, label_of(heard, i18n)) for heard in page.items]
    keyboard = history_keyboard(listener.id, labels, page.number, page.n_pages)
    return i18n.get("history", page=page.number + 1, pages=page.n_pages), keyboard


async def on_history(
    message: Message, listener: Listener, history: HistoryService, i18n: I18nContext
) -> None:
    text, keyboard = show(await history.page(listener.id, 0), listener, i18n)
    await respond(message, text, keyboard)


async def on_press(
    query: CallbackQuery,
    callback_data: HistoryPress,
    listener: Listener,
    history: HistoryService,
    bot: Bot,
    i18n: I18nContext,
) -> None:
    if query.message is None or await refuse_stranger(query, callback_data.owner_id, listener, i18n):
        return
    chat_id, message_id = query.message.chat.id, query.message.message_id
    if callback_data.highlight_id:
        is_new = await history.send_again(listener, chat_id, message_id, callback_data.highlight_id, query.id)
        with suppress(TelegramBadRequest):
            await query.answer(None if is_new else i18n.get("already-there"))
        return
    with suppress(TelegramBadRequest):
        await query.answer()
    text, keyboard = show(await history.page(listener.id, callback_data.page), listener, i18n)
    await bot.edit_message_text(text, chat_id=chat_id, message_id=message_id, reply_markup=keyboard)


async def on_inline(
    query: InlineQuery, listener: Listener, history: HistoryService, i18n: I18nContext
) -> None:
    offset = int(query.offset) if re.fullmatch(r"[0-9]{1,6}", query.offset) else 0
    found, following = await history.search(listener.id, query.query, offset)
    results = [
        InlineQueryResultCachedVoice(
            id=str(heard.highlight.id),
            voice_file_id=heard.highlight.file_id or "",
            title=label_of(heard, i18n),
            caption=i18n.get("inline-caption", name=track_name(heard.track) or i18n.get("unnamed-track")),
        )
        for heard in found
    ]
    button = None
    if not results and offset == 0:
        key = "inline-nothing-found" if query.query.strip() else "inline-empty"
        button = InlineQueryResultsButton(text=i18n.get(key), start_parameter="inline")
    await query.answer(
        list(results),
        cache_time=INLINE_CACHE_S,
        is_personal=True,
        next_offset="" if following is None else str(following),
        button=button,
    )


def build_router() -> Router:
    router = Router(name="history")
    router.message.register(on_history, Command("history"))
    router.callback_query.register(on_press, HistoryPress.filter())
    router.inline_query.register(on_inline)
    return router
