"""Writes down who speaks, and gives the handlers `listener`."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import Chat, TelegramObject, Update, User

from bot.db import people
from bot.db.engine import Database
from bot.domain import Listener
from bot.services.sender import Sender

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


class PeopleMiddleware(BaseMiddleware):
    def __init__(self, database: Database, sender: Sender) -> None:
        self._database = database
        self._sender = sender

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        user: User | None = data.get("event_from_user")
        chat: Chat | None = data.get("event_chat")
        if user is not None:
            data["listener"] = await self._meet(user, chat)
        if isinstance(event, Update) and event.message is not None and chat is not None:
            self._sender.note(chat.id, event.message.message_id)
            if user is None:
                return None  # written by nobody: there is nobody to answer
            await self._sender.set_blocked(chat.id, False)  # whoever writes to us can be written to
        return await handler(event, data)

    async def _meet(self, user: User, chat: Chat | None) -> Listener:
        async with self._database.write() as session:
            if chat is not None:
                await people.meet_chat(session, chat.id, chat.type)
            return await people.meet(session, user.id, user.full_name, user.username, user.language_code)
