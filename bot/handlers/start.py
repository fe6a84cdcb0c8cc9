"""/start and /help."""

from aiogram import Router
from aiogram.filters import Command, CommandStart
from aiogram.types import Message
from aiogram_i18n import I18nContext

from bot.domain import Listener
from bot.handlers.replies import respond
from bot.texts import clean_name


async def on_start(message: Message, i18n: I18nContext) -> None:
    name = message.from_user.first_name if message.from_user else ""
    await respond(message, i18n.get("start", name=clean_name(name)))


async def on_help(message: Message, i18n: I18nContext, listener: Listener) -> None:
    await respond(message, i18n.get("help", length=int(listener.length_s)))


def build_router() -> Router:
    router = Router(name="start")
    router.message.register(on_start, CommandStart())
    router.message.register(on_help, Command("help"))
    return router
