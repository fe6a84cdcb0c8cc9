"""Presses under a highlight."""

from contextlib import suppress

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import CallbackQuery
from aiogram_i18n import I18nContext

from bot.domain import Listener
from bot.keyboards import AnswerPress
from bot.services.buttons import ButtonService


async def on_press(
    query: CallbackQuery,
    callback_data: AnswerPress,
    listener: Listener,
    buttons: ButtonService,
    bot: Bot,
    i18n: I18nContext,
) -> None:
    if query.message is None:  # from an inline message, which has no such buttons
        await query.answer()
        return
    chat_id, message_id = query.message.chat.id, query.message.message_id
    outcome = await buttons.press(
        listener, chat_id, message_id, callback_data.button, callback_data.revision, query.id
    )
    text = i18n.get(outcome.key, **outcome.args) if outcome.key else None
    with suppress(TelegramBadRequest):  # "query is too old" after an outage: what was pressed counts anyway
        await query.answer(text, show_alert=outcome.is_alert)
    if outcome.keyboard is not None:
        await bot.edit_message_reply_markup(
            chat_id=chat_id, message_id=message_id, reply_markup=outcome.keyboard
        )


def build_router() -> Router:
    router = Router(name="answers")
    router.callback_query.register(on_press, AnswerPress.filter())
    return router
