"""Migrations, and two processes on one SQLite file."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from bot.db.engine import Database, create_engine
from bot.db.migrate import SCRIPTS, migrate
from bot.db.models import Base


def config_for(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


def revisions() -> list[str]:
    return [script.revision for script in reversed(list(ScriptDirectory(str(SCRIPTS)).walk_revisions()))]


def schema_of(connection: Connection) -> list[str]:
    rows = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version' ORDER BY name"
    )
    return [row[0] for row in rows]


async def test_every_migration_goes_up_down_and_up_again(database_url: str) -> None:
    def climb(connection: Connection) -> None:
        config, before = config_for(connection), schema_of(connection)
        for revision in revisions():
            command.upgrade(config, revision)
            after = schema_of(connection)
            assert after != before
            command.downgrade(config, "-1")
            assert schema_of(connection) == before
            command.upgrade(config, revision)
            assert schema_of(connection) == after
            before = after

    engine = create_engine(database_url, foreign_keys=False)
    async with engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(climb)
    await engine.dispose()


async def test_feedback_survives_later_migrations_and_their_way_back(database_url: str) -> None:
    """Up two from where feedback came, and down again: users, labels and letters stay as they were."""
    now = "2026-01-02 03:04:05.000000"
    kept = {
        "users": f"(id, name, created_at, seen_at) VALUES (7, 'Ada', '{now}', '{now}')",
        "tracks": f"(id, file_id, created_at) VALUES ('t', 'f', '{now}')",
        "labels": "(user_id, track_id, model_version, start_s, end_s, rating, created_at, updated_at) "
        f"VALUES (7, 't', 'm', 1.0, 31.0, 1, '{now}', '{now}')",
        "feedback_threads": f"(id, user_id, contact, created_at) VALUES (3, 7, 'me@example.org', '{now}')",
        "feedback_letters": "(thread_id, user_id, is_from_team, content, source_chat_id, source_message_id, "
        f"created_at) VALUES (3, 7, 0, '{{\"text\": \"hello\"}}', 7, 11, '{now}')",
    }

    def rows_of(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
        return {
            table: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
            for table in kept
        }

    def climb(connection: Connection) -> None:
        config = config_for(connection)
        command.upgrade(config, "0003")
        for table, values in kept.items():
            connection.exec_driver_sql(f"INSERT INTO {table} {values}")
        before = rows_of(connection)
        assert all(len(rows) == 1 for rows in before.values())
        command.upgrade(config, "0005")
        assert rows_of(connection) == before
        command.downgrade(config, "0003")
        assert rows_of(connection) == before

    engine = create_engine(database_url, foreign_keys=False)
    async with engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(climb)
    await engine.dispose()


async def test_models_match_migrations(database: Database) -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
        )

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_twice_does_nothing_and_keeps_rows(database_url: str, tmp_path: Path) -> None:
    await migrate(database_url)
    with sqlite3.connect(tmp_path / "bot.db") as connection:
        connection.execute("INSERT INTO chats (id, kind) VALUES (1, 'private')")
    await migrate(database_url)
    with sqlite3.connect(tmp_path / "bot.db") as connection:
        assert connection.execute("SELECT id FROM chats").fetchall() == [(1,)]


async def test_connections_have_wal_foreign_keys_and_patience(database: Database) -> None:
    async with database.read() as session:
        connection = await session.connection()
        found = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 1, 15_000]


async def test_all_constraints_have_names_that_migrations_can_use(database: Database) -> None:
    def names(connection: Connection) -> list[object]:
        inspector = inspect(connection)
        return [
            constraint["name"]
            for table in Base.metadata.tables
            for constraint in [*inspector.get_foreign_keys(table), *inspector.get_unique_constraints(table)]
        ]

    async with database.engine.connect() as connection:
        found = await connection.run_sync(names)
    assert found
    assert all(found)


WRITER = """
import asyncio, sys
from sqlalchemy import select
from bot.db.engine import Database, create_engine
from bot.db.models import ChatRow

async def main():
    database = Database(create_engine(sys.argv[1]))
    for n in range(150):
        async with database.write() as session:      # reads, then writes: stale unless begun as a writer
            row = await session.get(ChatRow, 7)
            row.status_message_id += 1
    await database.close()

asyncio.run(main())
"""


async def test_two_processes_write_at_once_and_no_update_is_lost(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "bot.db") as connection:
        connection.execute("INSERT INTO chats (id, kind, status_message_id) VALUES (7, 'private', 0)")
    root = Path(__file__).parents[2]
    command_line = (sys.executable, "-c", WRITER, database_url)
    writers = [
        await asyncio.create_subprocess_exec(*command_line, cwd=root, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for writer in writers:
        _, errors = await writer.communicate()
        assert writer.returncode == 0, errors.decode()
    with sqlite3.connect(tmp_path / "bot.db") as connection:
        assert connection.execute("SELECT status_message_id FROM chats").fetchone() == (300,)


async def test_a_failing_block_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    async def write_and_fail() -> None:
        async with database.write() as session:
            await (await session.connection()).exec_driver_sql("INSERT INTO chats (id, kind) VALUES (1, 'x')")
            raise LookupError

    with pytest.raises(LookupError):
        await write_and_fail()
    with sqlite3.connect(tmp_path / "bot.db") as connection:
        assert connection.execute("SELECT count(*) FROM chats").fetchone() == (0,)
