"""Who is banned is not served. Their own data they can still see to: /privacy and /forget pass."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import TelegramObject, Update

from bot.db import feedback
from bot.db.engine import Database
from bot.domain import Listener
from bot.keyboards import ForgetPress

ALWAYS = ("/privacy", "/forget")


class BanMiddleware(BaseMiddleware):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        listener: Listener | None = data.get("listener")
        if listener is None or _is_about_own_data(event):
            return await handler(event, data)
        async with self._database.read() as session:
            if await feedback.is_banned(session, listener.id):
                return None
        return await handler(event, data)


def _is_about_own_data(event: TelegramObject) -> bool:
    if not isinstance(event, Update):
        return False
    text = event.message.text if event.message else None
    pressed = event.callback_query.data if event.callback_query else None
    return (text or "").startswith(ALWAYS) or (pressed or "").startswith(f"{ForgetPress.__prefix__}:")
