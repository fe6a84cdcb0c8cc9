"""Who serves: one process on SQLite, or several front ends on one PostgreSQL that say that they live.

A job belongs to the front end that claimed it. What a dead one left running or sending is taken over by the
living; what a living one works on is left alone.
"""

import asyncio
import logging
import secrets
from collections.abc import Collection
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from bot.db import fleet
from bot.db.engine import STORAGE_TROUBLE, Database
from bot.domain import Job

logger = logging.getLogger(__name__)

BEAT_S = 3.0
DEAD_AFTER_S = 20.0  # several missed beats, and more than clocks of two hosts differ by


class Fleet:
    """This front end's place among the others. Alone, it has none and asks nobody."""

    def __init__(self, database: Database) -> None:
        self.id = secrets.token_hex(8)
        self.others: Collection[str] = ()
        self._database = database
        self._is_alone = database.engine.dialect.name == "sqlite"

    async def join(self) -> None:
        """Before anything is recovered: learn who else lives."""
        if not self._is_alone:
            await self._beat()

    async def run(self) -> None:
        """Until cancelled."""
        if self._is_alone:
            return
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self._beat()
            except (SQLAlchemyError, OSError):
                logger.warning("could not say that this front end lives", exc_info=True)

    async def leave(self) -> None:
        """What this front end still holds is the others' at once; in a while, where storage is away."""
        if self._is_alone:
            return
        with suppress(*STORAGE_TROUBLE):
            async with self._database.write() as session:
                await fleet.leave(session, self.id)

    def shows(self, job: Job) -> bool:
        """Whether this front end tells the chat of a job's progress: the owner, or the first of all."""
        is_first = all(self.id < other for other in self.others)
        return job.owner == self.id or (job.owner not in self.others and is_first)

    async def _beat(self) -> None:
        async with self._database.write() as session:
            self.others = frozenset(await fleet.beat(session, self.id, dead_after_s=DEAD_AFTER_S))
