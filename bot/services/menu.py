"""What Telegram shows of the bot: commands and descriptions, in both languages, written only when changed."""

import logging

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeUnion,
)

from bot.texts import Texts

logger = logging.getLogger(__name__)

# Each has its sentence `command-...` in the locales.
PRIVATE = (
    "highlight",
    "playlist",
    "history",
    "settings",
    "language",
    "feedback",
    "cancel",
    "help",
    "privacy",
    "forget",
)
GROUP = ("highlight", "cancel", "settings", "help")
# Without a language code: for everybody whose language has no entry of its own.
LANGUAGES = {None: "en", "ru": "ru"}


async def register_menu(bot: Bot, texts: Texts) -> None:
    """Best effort: the bot works without, and the next start tries again."""
    try:
        for code, locale in LANGUAGES.items():
            await _register_commands(bot, texts, code, locale)
            await _register_descriptions(bot, texts, code, locale)
    except TelegramAPIError as exc:
        logger.warning("the menu could not be registered: %s", type(exc).__name__)


async def _register_commands(bot: Bot, texts: Texts, code: str | None, locale: str) -> None:
    scopes: list[tuple[BotCommandScopeUnion, tuple[str, ...]]] = [
        (BotCommandScopeAllPrivateChats(), PRIVATE),
        (BotCommandScopeAllGroupChats(), GROUP),
    ]
    for scope, names in scopes:
        wanted = [
            BotCommand(command=name, description=texts.get(locale, f"command-{name}")) for name in names
        ]
        if await bot.get_my_commands(scope=scope, language_code=code) != wanted:
            await bot.set_my_commands(wanted, scope=scope, language_code=code)


async def _register_descriptions(bot: Bot, texts: Texts, code: str | None, locale: str) -> None:
    description = texts.get(locale, "bot-description")
    if (await bot.get_my_description(language_code=code)).description != description:
        await bot.set_my_description(description, language_code=code)
    short = texts.get(locale, "bot-short-description")
    if (await bot.get_my_short_description(language_code=code)).short_description != short:
        await bot.set_my_short_description(short, language_code=code)
