"""In groups the bot minds its own business: what is not addressed to it is neither answered nor written
down.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Bot
from aiogram.types import Message, TelegramObject, Update

from bot.db import jobs
from bot.db.engine import Database
from bot.services.addressing import is_command, is_mention, is_reply_to_us
from bot.services.sender import Sender


class GroupsMiddleware(BaseMiddleware):
    """Lets through commands, mentions, replies to the bot, and the rest of an album whose first track was
    for it.
    """

    def __init__(self, database: Database, sender: Sender) -> None:
        self._database = database
        self._sender = sender

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        message = event.message if isinstance(event, Update) else None
        if message is None or message.chat.type == "private" or await self._is_for_us(message, data["bot"]):
            return await handler(event, data)
        self._sender.note(message.chat.id, message.message_id)
        return None

    async def _is_for_us(self, message: Message, bot: Bot) -> bool:
        if is_reply_to_us(message, bot) or await is_command(message, bot) or await is_mention(message, bot):
            return True
        if message.media_group_id is None:
            return False
        async with self._database.read() as session:
            return await jobs.has_batch(session, message.chat.id, message.media_group_id)
