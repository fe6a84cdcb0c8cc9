"""/cancel and /forget: a listener takes back what they asked for, or everything."""

import logging
from contextlib import suppress

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError

from bot.db import erasing, people, tracks
from bot.db.engine import Database
from bot.services.feedback import FeedbackService
from bot.services.jobs import JobService
from bot.services.worker import Worker
from bot.texts import track_name

logger = logging.getLogger(__name__)


class PrivacyService:
    def __init__(
        self, bot: Bot, database: Database, jobs: JobService, worker: Worker, feedback: FeedbackService
    ) -> None:
        self._bot = bot
        self._database = database
        self._jobs = jobs
        self._worker = worker
        self._feedback = feedback

    async def cancel(self, user_id: int, chat_id: int | None) -> list[str | None]:
        """End the user's waiting and running jobs (in one chat); the names of their tracks."""
        cancelled = await self._jobs.cancel(user_id, chat_id)
        for job in cancelled:
            self._worker.drop(job.id)
        names: list[str | None] = []
        async with self._database.read() as session:
            for job in cancelled:
                track = await tracks.get_track(session, job.track_id) if job.track_id else None
                names.append(track_name(track) if track else None)
        return names

    async def forget(self, user_id: int) -> dict[str, int]:
        """Erase the user; rows by table."""
        await self.cancel(user_id, None)
        await self._feedback.redact(user_id)
        async with self._database.read() as session:
            status_id = (await people.status_messages(session)).get(user_id)
        if status_id is not None:
            with suppress(TelegramAPIError):
                await self._bot.delete_message(user_id, status_id)
        async with self._database.write() as session:
            counts = await erasing.erase_user(session, user_id)
        logger.info("a user was erased: %d rows", sum(counts.values()))
        return counts
