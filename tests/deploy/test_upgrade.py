"""An upgrade is a restart: the schema follows, a copy is made before, and two processes may start at once."""

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import time
from pathlib import Path

import numpy as np
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.db.engine import create_engine
from bot.db.migrate import SCRIPTS, migrate, upgrade
from bot.routine import STALE_S, Routine, prepare_folder
from bot.settings import Settings
from sandbox.client import MessageView
from sandbox.song import write_audio
from sandbox.testing import running_sandbox
from tests.fakes import FakePool

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


def test_work_folder_is_made_and_cleared_of_what_a_killed_process_left(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "work"
    prepare_folder(folder)
    (folder / "job-1-old").mkdir()
    (folder / "job-1-old" / "track").write_bytes(b"left behind")
    later = (folder / "job-1-old").stat().st_mtime + STALE_S + 60
    (folder / "job-2-new").mkdir()
    os.utime(folder / "job-2-new", (later, later))
    prepare_folder(folder, now=later)
    assert [left.name for left in folder.iterdir()] == ["job-2-new"]


async def test_jobs_that_the_old_version_left_in_work_are_answered_by_the_new_one(tmp_path: Path) -> None:
    """It was killed in the middle of one track while the other waited; its schema is two steps back."""
    url = _url(tmp_path / "bot.db")
    sr = 48_000
    tones = [tmp_path / "a.ogg", tmp_path / "b.ogg"]
    for n, tone in enumerate(tones, 3):
        y = (0.3 * np.sin(2 * np.pi * 100 * n * np.arange(3 * sr) / sr)).astype(np.float32)
        write_audio(tone, y[np.newaxis], sr)
    await _to(url, "0003")
    async with running_sandbox() as sandbox:
        tracks = [await sandbox.send_audio(tone) for tone in tones]
        with closing(sqlite3.connect(tmp_path / "bot.db")) as connection:
            _leave_behind(connection, tracks)
        settings = Settings.model_validate(
            {"bot_token": sandbox.token, "telegram_api_base": sandbox.url, "data_dir": tmp_path}
        )
        stop = asyncio.Event()
        pool = FakePool(tones[0].read_bytes(), b"")
        async with App.opened(settings, pool) as app, asyncio.TaskGroup() as tasks:
            tasks.create_task(app.run(stop))
            await sandbox.wait_for_all(lambda views: sum(view.kind == "voice" for view in views) >= 2)
            await sandbox.wait_until_taken()
            stop.set()
        voices = [view for view in await sandbox.messages(from_bot=True) if view.kind == "voice"]
    assert sorted(voice.reply_to or 0 for voice in voices) == [track.message_id for track in tracks]


def _leave_behind(connection: sqlite3.Connection, tracks: list[MessageView]) -> None:
    """Rows as the version of schema 0003 wrote them: the first job RUNNING, the second QUEUED."""
    now = "2026-01-01 00:00:00"
    user = tracks[0].from_id
    connection.execute(
        "INSERT INTO users (id, name, created_at, seen_at) VALUES (?, 'Ada', ?, ?)", (user, now, now)
    )
    for state, track in zip(("running", "queued"), tracks, strict=True):
        audio = track.media
        connection.execute(
            "INSERT INTO tracks (id, file_id, created_at) VALUES (?, ?, ?)",
            (audio["file_unique_id"], audio["file_id"], now),
        )
        connection.execute(
            "INSERT INTO jobs (kind, state, lane, turn, user_id, chat_id, message_id, options, track_id,"
            " payload, attempts, not_before, created_at)"
            " VALUES ('highlight', ?, 'heavy', 0, ?, ?, ?, 'voice:30', ?, '{}', 1, ?, ?)",
            (state, user, track.chat_id, track.message_id, audio["file_unique_id"], now, now),
        )
    connection.commit()
