"""Telegram calls us: an update is written down, answered for at once, and handled from the inbox.

Written down first, so that a kill loses none; answered at once, so that Telegram never waits for our sends;
handled chat by chat in order, whichever of the front ends behind one address took it (see `bot.db.fleet`).
What cannot be written down stays with Telegram, which brings it again, and its chat is told so once.
"""

import asyncio
import contextlib
import hmac
import logging
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.types import Update
from aiohttp import web
from pydantic import ValidationError

from bot.db import fleet
from bot.db.engine import STORAGE_TRIES, STORAGE_TROUBLE, Database
from bot.db.fleet import Letterbox
from bot.handlers.errors import tell_of_storage
from bot.incoming import is_known, loads
from bot.polling import PATIENCE_S, chat_of
from bot.services.fleet import Fleet
from bot.services.jobs import Bell
from bot.texts import Texts

logger = logging.getLogger(__name__)

HANDLERS = 8  # chats that are served side by side
LOOK_EVERY_S = 0.5  # for what other front ends received, or left behind
CONNECTIONS = 8  # of Telegram's, at once
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  # the header's name


class Webhook:
    def __init__(
        self,
        dispatcher: Dispatcher,
        bot: Bot,
        database: Database,
        front_ends: Fleet,
        texts: Texts,
        secret: str,
    ) -> None:
        self._dispatcher = dispatcher
        self._bot = bot
        self._database = database
        self._fleet = front_ends
        self._texts = texts
        self._secret = secret
        self._bell = Bell()
        self._is_stopping = False
        self._handling: set[asyncio.Task[None]] = set()
        self._told: set[int] = set()  # chats that know that storage is away

    async def announce(self, url: str) -> None:
        """Tell Telegram where we are. Every front end says the same."""
        await self._bot.set_webhook(
            url,
            secret_token=self._secret,
            max_connections=CONNECTIONS,
            allowed_updates=self._dispatcher.resolve_used_update_types(),
        )

    async def answer(self, request: web.Request) -> web.Response:
        """The route. 200 means: it is ours now."""
        told = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(told.encode(), self._secret.encode()):
            return web.Response(status=401)
        payload: dict[str, Any] = await request.json(loads=loads)
        try:
            update = Update.model_validate(payload, context={"bot": self._bot})
        except ValidationError:
            logger.exception("an update that this version cannot read was dropped")
            return web.Response()  # anything else, and Telegram repeats it for a day
        if not is_known(update):
            return web.Response()
        chat_id = chat_of(update)
        try:
            async with self._database.write() as session:
                await fleet.receive(session, update.update_id, chat_id, payload)
        except STORAGE_TROUBLE as exc:
            logger.warning("update %d waits for storage: %s", update.update_id, exc)
            if chat_id not in self._told:
                self._told.add(chat_id)
                await tell_of_storage(update, self._texts)
            return web.Response(status=503)
        self._told.clear()
        self._bell.ring()
        return web.Response()

    async def run(self) -> None:
        """Until cancelled; handlers that have begun are finished first."""
        async with asyncio.TaskGroup() as tasks:
            handing_out = tasks.create_task(self._hand_out(tasks))
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self._is_stopping = True
                self._bell.ring()
                # Not for as long as storage may keep them: what is not ticked off is handled later.
                await asyncio.wait({handing_out, *self._handling}, timeout=PATIENCE_S)
                raise

    async def _hand_out(self, tasks: asyncio.TaskGroup) -> None:
        free = asyncio.Semaphore(HANDLERS)
        while not self._is_stopping:
            async with free:
                rope = self._bell.rope
                try:
                    async with self._database.write() as session:
                        letter = await fleet.claim(session, self._fleet.id)
                except STORAGE_TROUBLE:
                    await self._database.wait_until_writable()
                    continue
            if letter is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await rope.wait()
                continue
            await free.acquire()
            task = tasks.create_task(self._handle_one(letter))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
            task.add_done_callback(lambda _: free.release())

    async def _handle_one(self, letter: Letterbox) -> None:
        for tries in range(1, STORAGE_TRIES + 1):
            may_wait = tries < STORAGE_TRIES
            try:
                async with asyncio.timeout(PATIENCE_S) as patience:
                    await self._dispatcher.feed_raw_update(
                        self._bot, letter.payload, may_wait=may_wait, is_told=tries > 1
                    )
            except Exception as exc:  # one update's fault must not end the others; errors.py has had its turn
                is_storage = isinstance(exc, STORAGE_TROUBLE)
                if patience.expired():
                    is_storage = not await self._database.is_writable()
                if may_wait and is_storage:
                    await self._database.wait_until_writable()
                    continue
                logger.exception("update %d was not handled", letter.update_id)
            break
        await self._tick_off(letter)

    async def _tick_off(self, letter: Letterbox) -> None:
        while True:
            try:
                async with self._database.write() as session:
                    await fleet.done(session, letter.update_id)
            except STORAGE_TROUBLE:
                await self._database.wait_until_writable()
            else:
                break
        self._bell.ring()  # the chat's next one may be taken
