"""What the bot does by the clock: the nightly copy of its database."""

import asyncio
import logging
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from bot.backup import BackupError, back_up, rotate, sqlite_file
from bot.settings import Settings

logger = logging.getLogger(__name__)

STALE_S = 2 * 3600  # no job is worked on for so long
LATE_S = 6 * 3600  # a copy that was missed, the machine asleep, is made this much later at most


def prepare_folder(folder: Path, now: float | None = None) -> None:
    """Make it, without what killed processes left there: another process may be working in it."""
    folder.mkdir(parents=True, exist_ok=True)
    limit = (time.time() if now is None else now) - STALE_S
    for left in folder.iterdir():
        if left.stat().st_mtime < limit:
            shutil.rmtree(left, ignore_errors=True)
            logger.info("removed %s, which a killed process left", left.name)


class Routine:
    """Start it inside the event loop; `notify` tells the team when a copy could not be made."""

    def __init__(self, settings: Settings, notify: Callable[[str], Awaitable[None]]) -> None:
        self._settings = settings
        self._notify = notify
        self._file = sqlite_file(settings.database)
        self._scheduler = AsyncIOScheduler(timezone=ZoneInfo(settings.tz))

    def start(self) -> None:
        at = self._settings.backup_at
        if at is not None and self._file is not None:
            trigger = CronTrigger(hour=at.hour, minute=at.minute, timezone=ZoneInfo(self._settings.tz))
            self._scheduler.add_job(
                self.back_up, trigger, id="backup", misfire_grace_time=LATE_S, coalesce=True
            )
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def back_up(self) -> None:
        """Copy, then drop what is over the number to keep."""
        if self._file is None:
            return
        folder = self._settings.backups
        try:
            await asyncio.to_thread(back_up, self._file, folder)
            await asyncio.to_thread(rotate, folder, self._settings.backup_keep)
        except (BackupError, sqlite3.Error, OSError) as exc:
            logger.exception("no backup was made")
            await self._notify(f"No backup of the database was made: {exc}. Is the disk full?")
