"""Engine, SQLite's per-connection settings, and the two kinds of session.

SQLite has one writer. A transaction that starts by reading and writes later may find its snapshot stale, and
then fails at once with "database is locked" whatever the busy time-out says; so writers say BEGIN IMMEDIATE.
Inside one process they also queue on a lock, which is fair, instead of polling the file.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Connection, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

BUSY_TIMEOUT_MS = 15_000
SQLITE_CONNECTIONS = 15  # each is a thread; none beyond them that would be made and ended as the load changes
# What a storage that is away for a while raises: locked, full, read-only; PostgreSQL restarting.
STORAGE_TROUBLE = (OperationalError, InterfaceError, NoConnectionFree, OSError)
# Classes of SQLSTATE that say the same of PostgreSQL: connection, resources, intervention, system.
PASSING_SQLSTATES = ("08", "53", "57", "58")
# A PostgreSQL host may vanish without a word. Longer than SQLite waits for a lock would outlast a handler.
ANSWER_WITHIN_S = 15.0
LOOK_AGAIN_S = (1.0, 2.0, 5.0, 10.0)
# Of one thing, each with a storage that works again: after them it is the thing's own fault.
STORAGE_TRIES = 3

logger = logging.getLogger(__name__)


def create_engine(url: str, *, foreign_keys: bool = True) -> AsyncEngine:
    """An async engine for SQLite or PostgreSQL; a SQLite file's folder is made."""
    if url.startswith("sqlite"):
        engine = create_async_engine(url, pool_size=SQLITE_CONNECTIONS, max_overflow=0)
        _prepare_sqlite(engine, foreign_keys)
    else:
        engine = create_async_engine(url, pool_pre_ping=True)
        event.listen(engine.sync_engine, "handle_error", _name_trouble)
    return engine


def _name_trouble(context: ExceptionContext) -> DBAPIError | None:
    """asyncpg's errors of a server that starts, stops or is full come without a kind: give them theirs."""
    error = context.sqlalchemy_exception
    if type(error) is not DBAPIError or not isinstance(error.orig, Exception):
        return None
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    if not (error.connection_invalidated or sqlstate.startswith(PASSING_SQLSTATES)):
        return None
    return OperationalError(
        error.statement, None, error.orig, True, connection_invalidated=error.connection_invalidated
    )


def _prepare_sqlite(engine: AsyncEngine, foreign_keys: bool) -> None:
    if database := make_url(engine.url).database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA foreign_keys={int(foreign_keys)}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """Short sessions, one transaction each. Never hold one across a download, a send or the pool.

    `answer_within_s`: a session on PostgreSQL that takes longer raises TimeoutError, which is an OSError.
    """

    def __init__(self, engine: AsyncEngine, answer_within_s: float | None = None) -> None:
        self.engine = engine
        self._limit_s = None if engine.dialect.name == "sqlite" else answer_within_s
        self._readers = async_sessionmaker(engine, expire_on_commit=False)
        self._writers = async_sessionmaker(engine.execution_options(writes=True), expire_on_commit=False)
        self._writing = asyncio.Lock() if engine.dialect.name == "sqlite" else contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with asyncio.timeout(self._limit_s), self._readers() as session:
            yield session

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Commits at the end of the block, rolls back if it raises."""
        async with asyncio.timeout(self._limit_s), self._writing, self._writers.begin() as session:
            yield session

    async def open_connections(self) -> None:
        """Open all that SQLite's pool may hold, before anybody writes to us.

        Each starts a thread, and the event loop stands still until that thread had its first turn on a core:
        half a second on a busy machine.
        """
        if self.engine.dialect.name != "sqlite":
            return
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(SQLITE_CONNECTIONS):
                await stack.enter_async_context(self.engine.connect())

    async def is_writable(self) -> bool:
        """Whether something can be written now: not locked by another process, not full, not read-only."""
        try:
            async with self.write() as session:
                await session.execute(text("INSERT INTO chats (id, kind) VALUES (0, 'probe')"))
                await session.execute(text("DELETE FROM chats WHERE id = 0"))
        except STORAGE_TROUBLE:
            return False
        return True

    async def wait_until_writable(self) -> None:
        logger.error("storage is in trouble, waiting for it")
        tries = 0
        while True:
            await asyncio.sleep(LOOK_AGAIN_S[min(tries, len(LOOK_AGAIN_S) - 1)])
            if await self.is_writable():
                logger.info("storage is well again")
                return
            tries += 1

    async def close(self) -> None:
        await self.engine.dispose()
