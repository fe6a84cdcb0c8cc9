"""The watchdog's memory on disk: SQLite, one file, one writer.

What an observation led to (the judge's state, incidents, messages to send) is written in one transaction,
with the time of the last event: after a kill at any point the engine replays what was not yet written.
"""

import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiosqlite
from pydantic import TypeAdapter, ValidationError

from watchdog.incidents import Incident, Standing, Turn
from watchdog.state import WatchState

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incidents (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, opened_at REAL NOT NULL, closed_at REAL, body TEXT NOT NULL,
    evidence TEXT NOT NULL DEFAULT '', message_id INTEGER REFERENCES messages (id),
    is_held INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS incidents_opened ON incidents (opened_at);
CREATE INDEX IF NOT EXISTS incidents_message ON incidents (message_id);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, created_at REAL NOT NULL, due_at REAL NOT NULL,
    group_until REAL NOT NULL, is_silent INTEGER NOT NULL, header TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL, sent_text TEXT, photo BLOB, reply_to INTEGER REFERENCES messages (id),
    telegram_id INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
    gave_up TEXT
);
CREATE INDEX IF NOT EXISTS messages_due ON messages (due_at) WHERE gave_up IS NULL AND text IS NOT sent_text;
CREATE TABLE IF NOT EXISTS mutes (key TEXT PRIMARY KEY, since REAL NOT NULL, until REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS turns (
    key TEXT NOT NULL, at REAL NOT NULL, standing TEXT NOT NULL, PRIMARY KEY (key, at)
) WITHOUT ROWID;
"""
KEPT_S = 40 * 86_400.0
ALL = "*"  # the mute key of everything

_state_json = TypeAdapter(WatchState)
_incident_json = TypeAdapter(Incident)


@dataclass(frozen=True, slots=True)
class Filed:
    """An incident with what only the store knows of it."""

    incident: Incident
    evidence: str  # last log lines or the probe's output
    message_id: int | None  # the message that shows it
    is_held: bool  # happened while muted


@dataclass(frozen=True, slots=True)
class Mute:
    key: str
    since: float
    until: float | None  # None: until it is lifted


class Store:
    """Reads and writes; every method that writes expects to be inside `transaction()`."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self.db = db

    @classmethod
    async def open(cls, path: Path) -> Self:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = await aiosqlite.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
            await db.execute(f"PRAGMA {pragma}")
        await db.executescript(SCHEMA)
        return cls(db)

    async def close(self) -> None:
        await self.db.close()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """One short transaction. Callers hold the service's lock, so transactions never nest."""
        try:
            await self.db.execute("BEGIN IMMEDIATE")
            yield
            await self.db.execute("COMMIT")
        except BaseException:
            # When cancelled, the statement that was waited for still runs in its thread, before this one.
            with contextlib.suppress(sqlite3.OperationalError):  # "no transaction is active"
                await self.db.execute("ROLLBACK")
            raise

    async def get(self, name: str) -> str | None:
        async with self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)) as rows:
            row = await rows.fetchone()
        return None if row is None else str(row[0])

    async def set(self, name: str, value: str) -> None:
        await self.db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))

    async def get_float(self, name: str) -> float | None:
        value = await self.get(name)
        return None if value is None else float(value)

    async def load_state(self) -> WatchState | None:
        """The judge's state as last saved; None at the very first start."""
        value = await self.get("state")
        if value is None:
            return None
        try:
            return _state_json.validate_json(value)
        except ValidationError as exc:
            # Written by a version with other nouns: look at everything anew; give no number twice.
            log.warning("the stored state cannot be read (%d errors), starting afresh", exc.error_count())
            async with self.db.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM incidents") as rows:
                row = await rows.fetchone()
            return WatchState(next_incident_id=1 if row is None else int(row[0]))

    async def save_state(self, state: WatchState) -> None:
        await self.set("state", _state_json.dump_json(state).decode())

    # incidents

    async def file_incident(self, incident: Incident) -> None:
        """Insert or update the incident; its evidence and message stay."""
        body = _incident_json.dump_json(incident).decode()
        await self.db.execute(
            "INSERT INTO incidents (id, key, opened_at, closed_at, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET "
            "key = excluded.key, closed_at = excluded.closed_at, body = excluded.body",
            (incident.id, incident.key, incident.opened_at, incident.closed_at, body),
        )

    async def set_evidence(self, incident_id: int, evidence: str) -> None:
        await self.db.execute("UPDATE incidents SET evidence = ? WHERE id = ?", (evidence, incident_id))

    async def attach(self, incident_id: int, message_id: int) -> None:
        """Show this incident in this message from now on."""
        await self.db.execute(
            "UPDATE incidents SET message_id = ?, is_held = 0 WHERE id = ?", (message_id, incident_id)
        )

    async def hold(self, incident_id: int) -> None:
        """Keep this incident out of the chat: it happened while muted."""
        await self.db.execute("UPDATE incidents SET is_held = 1 WHERE id = ?", (incident_id,))

    async def incidents(self, where: str, *values: object) -> list[Filed]:
        """Incidents by a condition on the table's columns, oldest first."""
        query = f"SELECT body, evidence, message_id, is_held FROM incidents WHERE {where} ORDER BY id"  # noqa: S608
        async with self.db.execute(query, values) as rows:
            return [
                Filed(_incident_json.validate_json(body), evidence, message_id, bool(held))
                async for body, evidence, message_id, held in rows
            ]

    # turns and mutes

    async def add_turns(self, turns: Iterable[Turn]) -> None:
        rows = [(turn.key, turn.at, turn.standing) for turn in turns]
        if rows:
            await self.db.executemany(
                "INSERT OR REPLACE INTO turns (key, at, standing) VALUES (?, ?, ?)", rows
            )

    async def turns(self, start: float, end: float) -> list[Turn]:
        """The turns within the span, and for each key the one in force at its start; ordered by time."""
        query = (
            "SELECT key, MAX(at), standing FROM turns WHERE at < ?1 GROUP BY key "
            "UNION ALL SELECT key, at, standing FROM turns WHERE at >= ?1 AND at < ?2 ORDER BY 2"
        )
        async with self.db.execute(query, (start, end)) as rows:
            return [Turn(key, at, Standing(standing)) async for key, at, standing in rows]

    async def set_mute(self, mute: Mute) -> None:
        await self.db.execute(
            "INSERT OR REPLACE INTO mutes VALUES (?, ?, ?)", (mute.key, mute.since, mute.until)
        )

    async def drop_mute(self, key: str) -> None:
        await self.db.execute("DELETE FROM mutes WHERE key = ?", (key,))

    async def mutes(self) -> list[Mute]:
        async with self.db.execute("SELECT key, since, until FROM mutes ORDER BY key") as rows:
            return [Mute(*row) async for row in rows]

    async def prune(self, now: float) -> None:
        """Forget what is older than the reports look back; each key keeps its last turn."""
        limit = now - KEPT_S
        await self.db.execute("DELETE FROM incidents WHERE closed_at < ?", (limit,))
        await self.db.execute(
            "DELETE FROM messages WHERE created_at < ? AND id NOT IN "
            "(SELECT message_id FROM incidents WHERE message_id IS NOT NULL) AND id NOT IN "
            "(SELECT reply_to FROM messages WHERE reply_to IS NOT NULL)",
            (limit,),
        )
        await self.db.execute(
            "DELETE FROM turns WHERE at < ? "
            "AND at < (SELECT MAX(at) FROM turns AS newer WHERE newer.key = turns.key)",
            (limit,),
        )
