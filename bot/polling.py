"""Long polling that loses no update.

Telegram forgets an update as soon as a later offset is asked for. aiogram's own loop asks on while handlers
still run, so a kill loses what they had not written down yet. Here the next batch is asked for only when the
handlers of this one are through: after a kill Telegram sends the batch again, and handlers are safe to repeat
(a job is unique on its message). Updates of one chat are handled in order, those of different chats side by
side. While storage is in trouble updates stay with Telegram, which keeps them for a day.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress

from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramRetryAfter,
)
from aiogram.methods import GetUpdates
from aiogram.types import Update
from aiogram.types.update import UpdateTypeLookupError

from bot.db.engine import STORAGE_TRIES, STORAGE_TROUBLE, Database
from bot.incoming import is_known, readable_updates

logger = logging.getLogger(__name__)

POLL_S = 25
PATIENCE_S = 20.0  # one stuck handler must not deafen the bot
RETRY_S = (1.0, 2.0, 5.0, 10.0)


def chat_of(update: Update) -> int:
    """What must stay in order: the chat, else the user, else the update itself."""
    try:
        event = update.event
    except UpdateTypeLookupError:  # newer than our library
        return update.update_id
    message = getattr(event, "message", event)
    chat = getattr(message, "chat", None)
    user = getattr(event, "from_user", None)
    return chat.id if chat else user.id if user else update.update_id


class Poller:
    def __init__(self, dispatcher: Dispatcher, bot: Bot, database: Database) -> None:
        self._dispatcher = dispatcher
        self._bot = bot
        self._database = database
        self._handled: set[int] = set()  # of a batch that is not through
        self._failures: dict[int, int] = {}  # update -> how often storage failed it
        self._offset: int | None = None
        self._allowed = dispatcher.resolve_used_update_types()
        self.last_success: float | None = None  # time.monotonic(); for health checks

    async def run(self) -> None:
        """Until cancelled; handlers that have begun are finished first."""
        failures = 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    updates = await self._ask(POLL_S)
                except TelegramConflictError:
                    logger.error("another process polls with this token: run only one")
                    await asyncio.sleep(RETRY_S[-1])
                    continue
                except TelegramRetryAfter as exc:
                    await asyncio.sleep(exc.retry_after)
                    continue
                except (TelegramAPIError, ClientDecodeError) as exc:
                    delay_s = RETRY_S[min(failures, len(RETRY_S) - 1)]
                    failures += 1
                    logger.warning("getUpdates failed (%s), again in %.0f s", type(exc).__name__, delay_s)
                    await asyncio.sleep(delay_s)
                    continue
                failures = 0
                if updates:
                    handling = tasks.create_task(self._handle(updates))
                    try:
                        is_through = await asyncio.shield(handling)
                    except asyncio.CancelledError:
                        await asyncio.wait({handling})
                        await self._confirm()
                        raise
                    if not is_through:
                        await self._database.wait_until_writable()

    async def _ask(self, timeout_s: int, limit: int | None = None) -> list[Update]:
        ask = GetUpdates(offset=self._offset, timeout=timeout_s, limit=limit, allowed_updates=self._allowed)
        try:
            updates = await self._bot(ask, request_timeout=timeout_s + 15)
        except ClientDecodeError as exc:
            try:
                updates = readable_updates(exc.data, self._bot)
            except ValueError:  # a proxy's page, say: nothing in it is ours
                raise exc from None
        self.last_success = time.monotonic()
        return updates

    async def _confirm(self) -> None:
        """Tell Telegram that the last batch was handled. What this brings is not, and comes again."""
        with suppress(TelegramAPIError, TimeoutError):
            async with asyncio.timeout(3.0):
                await self._ask(0, limit=1)

    async def _handle(self, updates: list[Update]) -> bool:
        """A batch. False: storage is away; what it failed stays with Telegram, to be asked for again."""
        by_chat: dict[int, list[Update]] = {}
        for update in updates:
            by_chat.setdefault(chat_of(update), []).append(update)
        try:
            async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
                for chat_updates in by_chat.values():
                    tasks.create_task(self._in_order(chat_updates))
        except TimeoutError:
            if not await self._database.is_writable():
                self._failures |= {u.update_id: 1 for u in updates if u.update_id not in self._handled}
            else:
                logger.error("handlers took over %.0f s and were ended", PATIENCE_S)
        waiting = [u.update_id for u in updates if u.update_id in self._failures]
        if waiting:
            self._offset = waiting[0]
            return False
        self._handled.clear()
        self._offset = updates[-1].update_id + 1
        return True

    async def _in_order(self, updates: Iterable[Update]) -> None:
        for update in updates:
            if update.update_id in self._handled or not is_known(update):
                continue
            failures = self._failures.get(update.update_id, 0)
            may_wait = failures + 1 < STORAGE_TRIES
            try:
                await self._dispatcher.feed_update(self._bot, update, may_wait=may_wait, is_told=failures > 0)
            except STORAGE_TROUBLE as exc:
                if may_wait:  # the chat's next ones wait too, for their order
                    logger.warning("update %d waits for storage: %s", update.update_id, exc)
                    self._failures[update.update_id] = failures + 1
                    return
                logger.exception("update %d could not be handled", update.update_id)
            except Exception:  # the error handlers failed too; the next update must not suffer
                logger.exception("update %d could not be handled", update.update_id)
            self._failures.pop(update.update_id, None)
            self._handled.add(update.update_id)
