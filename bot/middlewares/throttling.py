"""A user who floods is told once, then not heard until they slow down.

Room for two albums at once, then one update every two seconds: nobody who means it notices.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import TelegramObject, Update
from aiogram_i18n import I18nContext

from bot.domain import Listener
from bot.services.pace import Pace

BURST = 25
PER_S = 0.5
FORGET_OVER = 10_000


class ThrottlingMiddleware(BaseMiddleware):
    def __init__(
        self, burst: int = BURST, per_s: float = PER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._paces: dict[int, Pace] = {}
        self._told: set[int] = set()

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        listener: Listener | None = data.get("listener")
        if listener is None:
            return await handler(event, data)
        if self._may_pass(listener.id):
            return await handler(event, data)
        if not isinstance(event, Update):
            return None
        i18n: I18nContext = data["i18n"]
        if event.callback_query is not None:  # a notice costs nothing, and the button's spinner ends
            await event.callback_query.answer(i18n.get("slow-down"))
        elif listener.id not in self._told and event.message is not None:
            self._told.add(listener.id)
            await event.message.answer(i18n.get("slow-down"))
        return None

    def _may_pass(self, user_id: int) -> bool:
        if len(self._paces) > FORGET_OVER:
            self._paces = {user: pace for user, pace in self._paces.items() if not pace.is_full}
        pace = self._paces.get(user_id)
        if pace is None:
            pace = self._paces[user_id] = Pace(self._per_s, self._burst, self._clock)
        if pace.is_full:
            self._told.discard(user_id)
        return pace.try_take()
