"""One progress message per chat: the stage of the job in work, the place in the queue, how many tracks wait.

It appears only when an answer takes longer than a moment, is edited in place (seldom: Telegram counts edits),
and is deleted when the chat has nothing left to wait for. Its id is stored, so a restart goes on with the
same message.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError

from bot.db import jobs, people
from bot.db.engine import STORAGE_TROUBLE, Database
from bot.db.models import utc_now
from bot.domain import Job, JobState, Lane, Stage
from bot.services.jobs import Bell
from bot.services.pace import Pace
from bot.services.sender import DeliveryUncertain, is_group
from bot.texts import Texts

logger = logging.getLogger(__name__)

SHOW_AFTER = timedelta(seconds=2.5)
EDIT_EVERY_S = 3.0
GROUP_EDIT_EVERY_S = 8.0
TICK_S = 1.0
REST_S = 0.4  # stages come in quick succession
EDITS_PER_S = 8.0  # of all that a bot may send: the answers come first


class StatusBoard:
    def __init__(
        self,
        bot: Bot,
        database: Database,
        texts: Texts,
        on_stage: Callable[[Job, Stage | None], None] = lambda _job, _stage: None,
        shows: Callable[[Job], bool] = lambda _job: True,
    ) -> None:
        """`on_stage` hears of every change; None: the job has left this process's hands. `shows`: whether
        the chat whose first job this is belongs to this board and not to another front end's.
        """
        self._shows = shows
        self._bot = bot
        self._database = database
        self._texts = texts
        self._is_stopping = False
        self._on_stage = on_stage
        self._stages: dict[int, Stage] = {}
        self._shown: dict[int, tuple[str, float]] = {}  # chat -> text, loop time of the last edit
        self._busy: set[int] = set()
        self._budget = Pace(EDITS_PER_S, EDITS_PER_S, time.monotonic)
        self._bell = Bell()

    def stage(self, job: Job, stage: Stage) -> None:
        self._stages[job.id] = stage
        self._on_stage(job, stage)
        self._bell.ring()

    def forget(self, job: Job) -> None:
        self._stages.pop(job.id, None)
        self._on_stage(job, None)
        self._bell.ring()

    def stop(self) -> None:
        """Begin nothing new; a message that was just sent is still written down."""
        self._is_stopping = True
        self._bell.ring()

    async def run(self) -> None:
        """Until `stop`: make each chat show what it should."""
        async with asyncio.TaskGroup() as tasks:
            while not self._is_stopping:
                rope = self._bell.rope
                try:
                    await self._reconcile(tasks)
                except STORAGE_TROUBLE as exc:
                    logger.warning("cannot read what to show: %s", type(exc).__name__)
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await rope.wait()
                await asyncio.sleep(REST_S)

    async def _reconcile(self, tasks: asyncio.TaskGroup) -> None:
        busy = set(self._busy)  # what is read below may be older than what these are about to store
        async with self._database.read() as session:
            active = [job for job in await jobs.active(session) if job.lane is Lane.HEAVY]
            messages = await people.status_messages(session)
        by_chat: dict[int, list[Job]] = {}
        places: dict[int, int] = {}
        for job in active:
            by_chat.setdefault(job.chat_id, []).append(job)
            if job.state is JobState.QUEUED:
                places[job.id] = len(places) + 1
        chats = messages.keys() | by_chat.keys()
        for chat_id in sorted(chats, key=lambda chat_id: self._shown.get(chat_id, ("", 0.0))[1]):
            if chat_id not in busy | self._busy and all(map(self._shows, by_chat.get(chat_id, [])[:1])):
                self._busy.add(chat_id)
                tasks.create_task(
                    self._show(chat_id, messages.get(chat_id), by_chat.get(chat_id, []), places)
                )

    async def _show(
        self, chat_id: int, message_id: int | None, chat_jobs: list[Job], places: dict[int, int]
    ) -> None:
        try:
            await self._show_or_forget(chat_id, message_id, chat_jobs, places)
        except (TelegramAPIError, DeliveryUncertain, *STORAGE_TROUBLE) as exc:
            logger.info("status not shown: %s", type(exc).__name__, extra={"chat_id": chat_id})
        finally:
            self._busy.discard(chat_id)

    async def _show_or_forget(
        self, chat_id: int, message_id: int | None, chat_jobs: list[Job], places: dict[int, int]
    ) -> None:
        try:
            if chat_jobs:
                await self._write(chat_id, message_id, chat_jobs, places)
            elif message_id is not None:
                await self._bot.delete_message(chat_id, message_id)
                await self._forget_message(chat_id)
        except TelegramBadRequest as exc:
            if "not modified" not in exc.message:  # deleted by the user: the next pass sends a new one
                await self._forget_message(chat_id)
        except TelegramForbiddenError:
            await self._forget_message(chat_id)

    async def _write(
        self, chat_id: int, message_id: int | None, chat_jobs: list[Job], places: dict[int, int]
    ) -> None:
        head = chat_jobs[0]
        oldest = min(job.created_at for job in chat_jobs)
        if message_id is None and utc_now() - oldest < SHOW_AFTER:
            return
        now = asyncio.get_running_loop().time()
        text, edited_at = self._shown.get(chat_id, ("", -1e9))
        if now - edited_at < (GROUP_EDIT_EVERY_S if is_group(chat_id) else EDIT_EVERY_S):
            return
        async with self._database.read() as session:
            locale = (await people.get_listener(session, head.user_id)).locale
        stage = self._stages.get(head.id, Stage.DOWNLOADING) if head.id not in places else Stage.WAITING
        wanted = self._texts.status(locale, stage, place=places.get(head.id, 0), others=len(chat_jobs) - 1)
        if wanted == text or not self._budget.try_take():
            return
        self._shown[chat_id] = (wanted, now)
        if message_id is not None:
            await self._bot.edit_message_text(wanted, chat_id=chat_id, message_id=message_id)
        elif stage is not Stage.SENDING:
            message = await self._bot.send_message(chat_id, wanted, disable_notification=True)
            async with self._database.write() as session:
                await people.set_status_message(session, chat_id, message.message_id)

    async def _forget_message(self, chat_id: int) -> None:
        self._shown.pop(chat_id, None)
        async with self._database.write() as session:
            await people.set_status_message(session, chat_id, None)
