"""Engine, SQLite's per-connection settings, and the two kinds of session.

SQLite has one writer. A transaction that starts by reading and writes later may find its snapshot stale, and
then fails at once with "database is locked" whatever the busy time-out says; so writers say BEGIN IMMEDIATE.
Inside one process they also queue on a lock, which is fair, instead of polling the file.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

BUSY_TIMEOUT_MS = 15_000


def create_engine(url: str, *, foreign_keys: bool = True) -> AsyncEngine:
    """An async engine for SQLite or PostgreSQL; a SQLite file's folder is made."""
    engine = create_async_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, foreign_keys)
    return engine


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
    """Short sessions, one transaction each. Never hold one across a download, a send or the pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._readers = async_sessionmaker(engine, expire_on_commit=False)
        self._writers = async_sessionmaker(engine.execution_options(writes=True), expire_on_commit=False)
        self._writing = asyncio.Lock() if engine.dialect.name == "sqlite" else contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with self._readers() as session:
            yield session

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Commits at the end of the block, rolls back if it raises."""
        async with self._writing, self._writers.begin() as session:
            yield session

    async def close(self) -> None:
        await self.engine.dispose()
