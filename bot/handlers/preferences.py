"""/settings and /language."""

from contextlib import suppress
from dataclasses import replace

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from aiogram_i18n import I18nContext

from bot.db import people
from bot.db.engine import Database
from bot.domain import AnswerKind, Listener
from bot.handlers.replies import refuse_stranger, respond
from bot.keyboards import LANGUAGES, LanguagePress, SettingPress, language_keyboard, settings_keyboard
from bot.texts import Texts
from inference.config import LENGTHS_S

LENGTHS = {f"{length_s:g}": length_s for length_s in LENGTHS_S}


async def on_settings(message: Message, listener: Listener, texts: Texts, i18n: I18nContext) -> None:
    await respond(message, i18n.get("settings"), settings_keyboard(texts, listener))


async def on_language(message: Message, listener: Listener, i18n: I18nContext) -> None:
    await respond(message, i18n.get("language"), language_keyboard(listener))


async def choose(
    listener: Listener, field: str, value: str, database: Database, i18n: I18nContext
) -> Listener:
    """Store one choice. What no keyboard of ours offers changes nothing."""
    if field == "length" and value in LENGTHS:
        async with database.write() as session:
            await people.set_length(session, listener.id, LENGTHS[value])
        return replace(listener, length_s=LENGTHS[value])
    if field == "answer" and value in set(AnswerKind):
        async with database.write() as session:
            await people.set_answer_kind(session, listener.id, AnswerKind(value))
        return replace(listener, answer_kind=AnswerKind(value))
    if field == "language" and value in LANGUAGES:
        await i18n.set_locale(value)
        return replace(listener, locale=value)
    return listener


async def on_setting(
    query: CallbackQuery,
    callback_data: SettingPress,
    listener: Listener,
    database: Database,
    texts: Texts,
    bot: Bot,
    i18n: I18nContext,
) -> None:
    if query.message is None or await refuse_stranger(query, callback_data.owner_id, listener, i18n):
        return
    changed = await choose(listener, callback_data.field, callback_data.value, database, i18n)
    with suppress(TelegramBadRequest):
        await query.answer(i18n.get("saved") if changed != listener else None)
    if changed != listener:
        await bot.edit_message_text(
            i18n.get("settings"),
            chat_id=query.message.chat.id,
            message_id=query.message.message_id,
            reply_markup=settings_keyboard(texts, changed),
        )


async def on_language_press(
    query: CallbackQuery,
    callback_data: LanguagePress,
    listener: Listener,
    database: Database,
    bot: Bot,
    i18n: I18nContext,
) -> None:
    if query.message is None or await refuse_stranger(query, callback_data.owner_id, listener, i18n):
        return
    changed = await choose(listener, "language", callback_data.locale, database, i18n)
    with suppress(TelegramBadRequest):
        await query.answer(i18n.get("saved") if changed != listener else None)
    if changed != listener:
        await bot.edit_message_text(
            i18n.get("language"),
            chat_id=query.message.chat.id,
            message_id=query.message.message_id,
            reply_markup=language_keyboard(changed),
        )


def build_router() -> Router:
    router = Router(name="preferences")
    router.message.register(on_settings, Command("settings"))
    router.message.register(on_language, Command("language"))
    router.callback_query.register(on_setting, SettingPress.filter())
    router.callback_query.register(on_language_press, LanguagePress.filter())
    return router
