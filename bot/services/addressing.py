"""Whom a group message is for."""

from aiogram import Bot
from aiogram.types import Message


async def is_mention(message: Message, bot: Bot) -> bool:
    """The bot's name is in the text or caption."""
    name = f"@{(await bot.me()).username}".lower()
    return name in (message.text or message.caption or "").lower()


async def is_command(message: Message, bot: Bot) -> bool:
    """A command that is not for another bot."""
    words = (message.text or message.caption or "").split(maxsplit=1)
    if not words or not words[0].startswith("/"):
        return False
    _, at, name = words[0].partition("@")
    return not at or name.lower() == str((await bot.me()).username).lower()


def is_reply_to_us(message: Message, bot: Bot) -> bool:
    replied = message.reply_to_message
    return replied is not None and replied.from_user is not None and replied.from_user.id == bot.id
