"""/playlist: choose tracks, see the mix that they make, change it, hear a transition, get it."""

from contextlib import suppress

from aiogram import F, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from aiogram_i18n import I18nContext

from bot.domain import Listener, MixDraft, MixState
from bot.handlers.replies import refuse_stranger
from bot.mix_buttons import MixAction, MixPress, making_keyboard
from bot.services.mix_menu import MixMenu
from bot.services.mixes import MixRefused, MixService
from bot.services.worker import Worker
from bot.texts import Texts


async def on_playlist(
    message: Message, listener: Listener, mixing: MixService, mix_menu: MixMenu, i18n: I18nContext
) -> None:
    replied = message.reply_to_message
    try:
        mix = await mixing.begin(listener, message.chat.id, replied.media_group_id if replied else None)
    except MixRefused as exc:
        await message.answer(i18n.get(exc.key))
        return
    text, keyboard = await mix_menu.choosing(mix, listener.locale)
    shown = await message.answer(text, reply_markup=keyboard)
    await mixing.shown(mix.id, shown.message_id)


async def on_playlist_in_group(message: Message, i18n: I18nContext) -> None:
    await message.reply(i18n.get("mix-in-private"))


async def on_press(
    query: CallbackQuery,
    callback_data: MixPress,
    listener: Listener,
    mixing: MixService,
    mix_menu: MixMenu,
    worker: Worker,
    texts: Texts,
    i18n: I18nContext,
) -> None:
    mix = await mixing.get(callback_data.mix_id)
    if mix is None or not isinstance(query.message, Message):
        await query.answer(i18n.get("mix-over"))
        return
    if await refuse_stranger(query, mix.user_id, listener, i18n):
        return
    try:
        notice = await _act(
            query, query.message, mix, callback_data, listener, mixing, mix_menu, worker, texts, i18n
        )
    except MixRefused as exc:
        await query.answer(i18n.get(exc.key), show_alert=True)
        return
    await query.answer(notice)


async def _act(
    query: CallbackQuery,
    message: Message,
    mix: MixDraft,
    press: MixPress,
    listener: Listener,
    mixing: MixService,
    mix_menu: MixMenu,
    worker: Worker,
    texts: Texts,
    i18n: I18nContext,
) -> str | None:
    """Do what was pressed; a notice for the presser, None where the menu shows it."""
    if press.action is MixAction.CANCEL and mix.state is MixState.MAKING:
        for job_id in await mixing.cancel(mix):
            worker.drop(job_id)
        await message.edit_text(i18n.get("mix-cancelled"))
        return None
    if press.action is MixAction.PREVIEW:
        if not (press.value.isascii() and press.value.isdigit()):
            return None
        await mixing.ask_preview(mix, int(press.value[:3]), query.id)
        return i18n.get("mix-preview-coming")
    if press.action is MixAction.MAKE:
        mix = await mixing.make(mix, query.id)
        await message.edit_text(
            i18n.get("mix-making-begins"), reply_markup=making_keyboard(texts, listener.locale, mix)
        )
        return None
    before = mix.state
    mix = await mixing.press(mix, press.action, press.value)
    with suppress(TelegramBadRequest):  # pressed twice
        if mix.state is MixState.CANCELLED:
            await message.edit_text(i18n.get("mix-cancelled"))
        elif mix.state is MixState.CHOOSING:
            text, keyboard = await mix_menu.choosing(mix, listener.locale)
            await message.edit_text(text, reply_markup=keyboard)
        elif before is not MixState.PLANNED:
            await message.edit_text(i18n.get("mix-planning"))
    if mix.state is MixState.PLANNED:
        await mixing.ask_plan(mix, query.id)
    return None


def build_router() -> Router:
    router = Router(name="playlist")
    router.message.register(on_playlist, F.chat.type == "private", Command("playlist"))
    router.message.register(on_playlist_in_group, Command("playlist"))
    router.callback_query.register(on_press, MixPress.filter())
    return router
