"""/cancel, /privacy and /forget."""

from contextlib import suppress

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from aiogram_i18n import I18nContext

from bot.domain import Listener
from bot.handlers.replies import refuse_stranger, respond
from bot.keyboards import ForgetPress, forget_keyboard
from bot.services.privacy import PrivacyService
from bot.texts import Html, Texts

MAX_NAMED = 20


async def on_cancel(message: Message, listener: Listener, privacy: PrivacyService, i18n: I18nContext) -> None:
    names = await privacy.cancel(listener.id, message.chat.id)
    if not names:
        await respond(message, i18n.get("nothing-to-cancel"))
        return
    lines = [i18n.get("list-line", text=name or i18n.get("unnamed-track")) for name in names[:MAX_NAMED]]
    if len(names) > MAX_NAMED:
        lines.append(i18n.get("list-more", n=len(names) - MAX_NAMED))
    await respond(message, i18n.get("cancelled", n=len(names), names=Html("\n".join(lines))))


async def on_privacy(message: Message, i18n: I18nContext) -> None:
    await respond(message, i18n.get("privacy"))


async def on_forget(message: Message, listener: Listener, texts: Texts, i18n: I18nContext) -> None:
    await respond(message, i18n.get("forget-sure"), forget_keyboard(texts, listener))


async def on_press(
    query: CallbackQuery,
    callback_data: ForgetPress,
    listener: Listener,
    privacy: PrivacyService,
    texts: Texts,
    bot: Bot,
    i18n: I18nContext,
) -> None:
    if query.message is None or await refuse_stranger(query, callback_data.owner_id, listener, i18n):
        return
    with suppress(TelegramBadRequest):
        await query.answer()
    text = i18n.get("forget-kept")
    if callback_data.is_sure:
        counts = await privacy.forget(listener.id)
        text = texts.erased(listener.locale, counts)
    # Told by an edit: a new message would be written down, and nothing about the user is to be stored.
    await bot.edit_message_text(text, chat_id=query.message.chat.id, message_id=query.message.message_id)


def build_router() -> Router:
    router = Router(name="privacy")
    router.message.register(on_cancel, Command("cancel"))
    router.message.register(on_privacy, Command("privacy"))
    router.message.register(on_forget, Command("forget"))
    router.callback_query.register(on_press, ForgetPress.filter())
    return router
