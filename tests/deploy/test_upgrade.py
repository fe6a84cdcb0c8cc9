"""An upgrade is a restart: the schema follows, a copy is made before, and two processes may start at once."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import time
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.db.engine import create_engine
from bot.db.migrate import SCRIPTS, migrate, upgrade
from bot.routine import Routine
from bot.settings import Settings

TOKEN = "123456:" + "A" * 35


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


def _url(database: Path) -> str:
    return f"sqlite+aiosqlite:///{database}"


async def _to(url: str, revision: str) -> None:
    engine: AsyncEngine = create_engine(url, foreign_keys=False)

    def climb(connection: Connection) -> None:
        upgrade(connection, revision)

    async with engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(climb)
    await engine.dispose()


def _revision(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


async def test_old_rows_are_copied_before_the_schema_changes(database: Path, tmp_path: Path) -> None:
    await _to(_url(database), "0001")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO chats (id, kind) VALUES (7, 'private')")
        connection.commit()
    await migrate(_url(database), tmp_path / "backups")
    [copy] = (tmp_path / "backups").iterdir()
    assert copy.name.endswith("-before-upgrade.db")
    assert _revision(copy) == "0001"
    assert _revision(database) == ScriptDirectory(str(SCRIPTS)).get_current_head()
    for file in (copy, database):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT id FROM chats").fetchall() == [(7,)]


async def test_new_and_current_databases_are_not_copied(database: Path, tmp_path: Path) -> None:
    await migrate(_url(database), tmp_path / "backups")
    await migrate(_url(database), tmp_path / "backups")
    assert not (tmp_path / "backups").exists()


@pytest.mark.services
async def test_two_front_ends_that_start_at_once_migrate_postgresql_once(postgres_url: str) -> None:
    await asyncio.gather(*(migrate(postgres_url) for _ in range(3)))
    engine = create_engine(postgres_url)
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        assert found.scalars().all() == [ScriptDirectory(str(SCRIPTS)).get_current_head()]
    await engine.dispose()


@pytest.fixture
def settings(tmp_path: Path, database: Path) -> Settings:
    return Settings.model_validate(
        {"bot_token": TOKEN, "data_dir": tmp_path, "database_url": _url(database), "backup_keep": 2}
    )


async def test_nightly_copy_is_rotated(settings: Settings, database: Path) -> None:
    await migrate(_url(database))
    told: list[str] = []

    async def notify(line: str) -> None:
        told.append(line)

    for stamp in ("20200101T000000Z", "20200102T000000Z"):
        settings.backups.mkdir(exist_ok=True)
        (settings.backups / f"bot-{stamp}-nightly.db").touch()
    await Routine(settings, notify).back_up()
    names = sorted(copy.name for copy in settings.backups.iterdir())
    assert len(names) == 2
    assert names[0] == "bot-20200102T000000Z-nightly.db"
    assert told == []


async def test_team_hears_of_a_copy_that_could_not_be_made(settings: Settings, database: Path) -> None:
    database.write_bytes(b"damaged " * 1000)
    told: list[str] = []

    async def notify(line: str) -> None:
        told.append(line)

    await Routine(settings, notify).back_up()
    assert len(told) == 1
    assert "No backup" in told[0]


async def test_copy_is_planned_for_the_hour_in_the_zone_that_was_set(settings: Settings) -> None:
    async def notify(line: str) -> None: ...

    planned = settings.model_copy(update={"tz": "Asia/Tokyo", "backup_at": time(3, 15)})
    routine = Routine(planned, notify)
    routine.start()
    [job] = routine._scheduler.get_jobs()
    assert (job.next_run_time.hour, job.next_run_time.minute) == (3, 15)
    assert str(job.next_run_time.tzinfo) == "Asia/Tokyo"
    routine.stop()
