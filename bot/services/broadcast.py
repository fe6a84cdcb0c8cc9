"""A message of the team to everybody: each copy a job of its own, a few at a time.

The feeder keeps `AHEAD` jobs under way and adds at most `PER_S` a second, so that answers to listeners keep
their share of Telegram's 30 messages a second. A restart goes on at the stored cursor; a recipient whose job
is there already does not get a second one.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import TelegramMethod
from aiogram.types import Message

from bot.db import broadcasts, jobs
from bot.db.engine import STORAGE_TROUBLE, Database
from bot.domain import Broadcast, BroadcastProgress, BroadcastState, Job, JobKind, JobRequest, Lane
from bot.feedback_buttons import broadcast_keyboard
from bot.services.jobs import Bell, JobService
from bot.services.letters import render
from bot.services.recipes import Desk, InLightLane, KeepsNothing
from bot.texts import Texts

logger = logging.getLogger(__name__)

AHEAD = 30
PER_S = 10
TICK_S = 1.0
TELL_EVERY_TICKS = 5


class BroadcastRecipe(InLightLane, KeepsNothing):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:  # noqa: ARG002
        async with self._database.read() as session:
            broadcast = await broadcasts.get(session, int(job.payload["broadcast_id"]))
        if broadcast is None:
            raise LookupError(f"broadcast {job.payload['broadcast_id']} is not stored")
        return render(broadcast.content, job.chat_id, None, 0)


class BroadcastService:
    def __init__(
        self, *, bot: Bot, database: Database, jobs: JobService, texts: Texts, tick_s: float = TICK_S
    ) -> None:
        self._bot = bot
        self._database = database
        self._jobs = jobs
        self._texts = texts
        self._tick_s = tick_s
        self._bell = Bell()

    async def draft(
        self, content: dict[str, Any], *, chat_id: int, source_message_id: int, locale: str
    ) -> tuple[Broadcast, int]:
        """Written down, nothing sent; and how many people it would go to."""
        async with self._database.write() as session:
            broadcast = await broadcasts.add(
                session, content, chat_id=chat_id, source_message_id=source_message_id, locale=locale
            )
            return broadcast, await broadcasts.count_reachable(session)

    async def shown(self, broadcast_id: int, message_id: int) -> None:
        """Which message tells how it goes."""
        async with self._database.write() as session:
            await broadcasts.set_status_message(session, broadcast_id, message_id)

    async def start(self, broadcast_id: int) -> bool:
        """False: it was started or cancelled before."""
        async with self._database.write() as session:
            started = await broadcasts.move(
                session, broadcast_id, BroadcastState.DRAFT, BroadcastState.SENDING
            )
        self._bell.ring()
        return started

    async def cancel(self, broadcast_id: int) -> bool:
        """Before or in the middle; who has it, has it."""
        async with self._database.write() as session:
            before = (BroadcastState.DRAFT, BroadcastState.SENDING)
            moved = [
                await broadcasts.move(session, broadcast_id, state, BroadcastState.CANCELLED)
                for state in before
            ]
        return any(moved)

    async def run(self) -> None:
        """The feeder: until cancelled."""
        while True:
            try:
                await self._run()
            except STORAGE_TROUBLE as exc:
                logger.warning("a broadcast waits for storage: %s", exc)
                await self._database.wait_until_writable()

    async def _run(self) -> None:
        ticks = 0
        while True:
            rope = self._bell.rope
            async with self._database.read() as session:
                broadcast = await broadcasts.sending(session)
            if broadcast is None:
                await rope.wait()
                continue
            is_over = await self._feed(broadcast)
            if is_over or ticks % TELL_EVERY_TICKS == 0:
                await self._tell(broadcast, is_over=is_over)
            ticks += 1
            if not is_over:
                await asyncio.sleep(self._tick_s)

    async def _feed(self, broadcast: Broadcast) -> bool:
        """Hand the next recipients to the queue. True when all have been served."""
        async with self._database.write() as session:
            progress = await broadcasts.progress(session, broadcast.id)
            room = min(AHEAD - progress.waiting, PER_S)
            recipients = await broadcasts.next_recipients(session, broadcast.cursor, room) if room > 0 else []
            for user_id in recipients:
                request = JobRequest(
                    kind=JobKind.BROADCAST,
                    user_id=user_id,
                    chat_id=user_id,
                    message_id=0,
                    options=broadcasts.options(broadcast.id),
                    payload={"broadcast_id": broadcast.id},
                )
                if await jobs.find_same(session, request) is None:
                    await jobs.add(session, request, Lane.LIGHT)
            if recipients:
                await broadcasts.advance(session, broadcast.id, recipients[-1])
            is_over = room > 0 and not recipients and progress.waiting == 0
            if is_over:
                await broadcasts.move(session, broadcast.id, BroadcastState.SENDING, BroadcastState.DONE)
        if recipients:
            self._jobs.bell.ring()
        return is_over

    async def _tell(self, broadcast: Broadcast, *, is_over: bool) -> None:
        """Progress, in place. A missed edit is made good by the next."""
        if broadcast.status_message_id is None:
            return
        async with self._database.read() as session:
            progress = await broadcasts.progress(session, broadcast.id)
        with suppress(TelegramAPIError):
            await self._bot.edit_message_text(
                self.status(broadcast.locale, progress, is_over=is_over),
                chat_id=broadcast.chat_id,
                message_id=broadcast.status_message_id,
                reply_markup=None
                if is_over
                else broadcast_keyboard(self._texts, broadcast.locale, broadcast.id, is_sending=True),
            )

    def status(self, locale: str, progress: BroadcastProgress, *, is_over: bool) -> str:
        key = "broadcast-done" if is_over else "broadcast-progress"
        return self._texts.get(
            locale, key, sent=progress.sent, blocked=progress.blocked, failed=progress.failed
        )
