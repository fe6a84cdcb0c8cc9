"""Which language to answer in: the listener's."""

from typing import Any

from aiogram_i18n import I18nMiddleware
from aiogram_i18n.managers.base import BaseManager

from bot.db import people
from bot.db.engine import Database
from bot.domain import Listener
from bot.texts import SafeCore


class ListenerLocale(BaseManager):
    """aiogram-i18n's way to the user's language: `listener` reads it, `i18n.set_locale` stores a choice."""

    def __init__(self, database: Database) -> None:
        super().__init__(default_locale="en")
        self._database = database

    async def get_locale(self, listener: Listener | None = None, **_: Any) -> str:
        return listener.locale if listener is not None else "en"

    async def set_locale(self, locale: str, listener: Listener, **_: Any) -> None:
        async with self._database.write() as session:
            await people.set_locale(session, listener.id, locale)


def language_middleware(core: SafeCore, database: Database) -> I18nMiddleware:
    return I18nMiddleware(core=core, manager=ListenerLocale(database), default_locale="en")
