"""What the bot stands on goes away for a while: storage, disk, work folder, Telegram, the clock. Nobody's
track is lost, and nobody meets silence.
"""

import logging
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.db import engine, jobs, people
from bot.db.engine import Database
from bot.db.models import utc_now
from bot.domain import Job, JobKind, JobRequest, JobState, Lane
from bot.services import aftermath, sender, status
from bot.services.jobs import is_wanted_again
from sandbox.client import FRIEND_ID, LISTENER_ID, MessageView
from sandbox.testing import RunningSandbox, running_sandbox
from tests.bot.conftest import PATIENT_S, StartApp, eventually, running_app, shorten_delays
from tests.fakes import FakePool

TROUBLE = "trouble with my storage"
DISK_BYTES = 3 << 20
Trouble = Callable[[Path], AbstractAsyncContextManager[None]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real delays, shortened."""
    shorten_delays(monkeypatch)
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 100)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, small enough to fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@asynccontextmanager
async def full(folder: Path) -> AsyncIterator[None]:
    """Not a byte is left on the disk inside the block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
    yield
    filler.unlink()


@asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[None]:
    """Another process, a backup or a person, holds the database's write lock."""
    with closing(sqlite3.connect(folder / "bot.db", timeout=0, isolation_level=None)) as connection:
        await execute(connection, "BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def execute(connection: sqlite3.Connection, statement: str) -> None:
    """Once nobody writes; the bot is in this very process, and needs the event loop to end what it writes."""

    def is_done() -> bool:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as exc:
            if "locked" in str(exc):
                return False
            raise
        return True

    await eventually(is_done)


async def voice_for(sandbox: RunningSandbox, track: MessageView) -> MessageView:
    return await sandbox.wait_for(
        lambda m: m.kind == "voice" and m.reply_to == track.message_id,
        chat=track.chat_id,
        timeout_s=PATIENT_S,
    )


async def told(sandbox: RunningSandbox, track: MessageView) -> list[str]:
    """What was said in reply to a track: kinds of media, and texts."""
    found = await sandbox.messages(track.chat_id, from_bot=True, with_deleted=True)
    return [m.text if m.kind == "text" else m.kind for m in found if m.reply_to == track.message_id]


async def survives(
    trouble: Trouble,
    folder: Path,
    sandbox: RunningSandbox,
    pool: FakePool,
    clips: dict[str, Path],
    caplog: pytest.LogCaptureFixture,
    **settings: object,
) -> None:
    url = f"sqlite+aiosqlite:///{folder / 'bot.db'}"
    async with running_app(sandbox, url, pool, data_dir=folder.parent / "data", **settings):
        pool.gate.clear()
        in_work = await sandbox.send_audio(clips["mp3"], user=FRIEND_ID)
        await pool.entered.wait()
        async with trouble(folder):
            pool.gate.set()
            await eventually(lambda: "could not settle the job" in caplog.text)
            arriving = await sandbox.send_audio(clips["ogg"])
            await sandbox.wait_for(
                lambda m: m.reply_to == arriving.message_id and TROUBLE in m.text, timeout_s=PATIENT_S
            )
            assert await told(sandbox, in_work) == []
        await voice_for(sandbox, arriving)
        await voice_for(sandbox, in_work)
        assert await told(sandbox, in_work) == ["voice"]
        sentence, answer = await told(sandbox, arriving)
        assert TROUBLE in sentence
        assert answer == "voice"
        await sandbox.wait_until_taken(timeout_s=PATIENT_S)


@pytest.mark.slow
async def test_a_full_disk_delays_answers_and_loses_none(
    disk: Path,
    sandbox: RunningSandbox,
    pool: FakePool,
    clips: dict[str, Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await survives(full, disk, sandbox, pool, clips, caplog)


@pytest.mark.slow
async def test_a_full_disk_behind_a_webhook_delays_answers_and_loses_none(
    disk: Path,
    sandbox: RunningSandbox,
    pool: FakePool,
    clips: dict[str, Path],
    caplog: pytest.LogCaptureFixture,
    unused_tcp_port: int,
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/telegram"
    receiver = {"webhook_url": url, "webhook_secret": "a-secret-of-the-tests", "http_port": unused_tcp_port}
    await survives(full, disk, sandbox, pool, clips, caplog, **receiver)


async def test_a_track_that_a_webhook_took_over_is_handled_when_storage_is_well_again(
    start_app: StartApp,
    sandbox: RunningSandbox,
    clips: dict[str, Path],
    tmp_path: Path,
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Storage fails after Telegram was told that the update is ours: it stays so."""
    monkeypatch.setattr(engine, "LOOK_AGAIN_S", (3.0,))  # time enough to bring the table back

    async def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(tmp_path / "bot.db", timeout=0)) as connection:
            await execute(connection, f"ALTER TABLE {old} RENAME TO {new}")

    url = f"http://127.0.0.1:{unused_tcp_port}/telegram"
    receiver = {"webhook_url": url, "webhook_secret": "a-secret-of-the-tests", "http_port": unused_tcp_port}
    async with start_app(**receiver):
        await rename("jobs", "jobs_away")
        track = await sandbox.send_audio(clips["mp3"])
        await sandbox.wait_for(lambda m: m.reply_to == track.message_id and TROUBLE in m.text)
        await sandbox.wait_until_taken()
        await rename("jobs_away", "jobs")
        await voice_for(sandbox, track)
        sentence, answer = await told(sandbox, track)
        assert TROUBLE in sentence
        assert answer == "voice"


@pytest.mark.slow
async def test_a_locked_database_delays_answers_and_loses_none(
    tmp_path: Path,
    sandbox: RunningSandbox,
    pool: FakePool,
    clips: dict[str, Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await survives(locked, tmp_path, sandbox, pool, clips, caplog)


async def test_a_progress_message_that_cannot_be_forgotten_stops_nobody(
    start_app: StartApp,
    sandbox: RunningSandbox,
    pool: FakePool,
    clips: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its listener deleted it, and storage is locked when the bot finds out."""
    monkeypatch.setattr(status, "SHOW_AFTER", timedelta())
    monkeypatch.setattr(status, "TICK_S", 0.05)
    monkeypatch.setattr(status, "EDIT_EVERY_S", 1e9)
    caplog.set_level(logging.INFO)
    async with start_app():
        pool.gate.clear()
        tracks = [await sandbox.send_audio(clips["mp3"])]
        await sandbox.wait_for(lambda m: m.kind == "text")
        tracks.append(await sandbox.send_audio(clips["ogg"]))
        await sandbox.wait_until_taken()
        await sandbox.inject(
            "editMessageText", error_code=400, description="Bad Request: message to edit not found"
        )
        async with locked(tmp_path):
            monkeypatch.setattr(status, "EDIT_EVERY_S", 0.0)
            await eventually(lambda: "status not shown: OperationalError" in caplog.text)
        pool.gate.set()
        for track in tracks:
            await voice_for(sandbox, track)


async def test_a_work_folder_that_is_gone_is_made_again(
    start_app: StartApp, sandbox: RunningSandbox, pool: FakePool, clips: dict[str, Path], tmp_path: Path
) -> None:
    async with start_app(data_dir=tmp_path) as app:
        shutil.rmtree(app.settings.work)
        pool.gate.clear()
        track = await sandbox.send_audio(clips["mp3"])
        await pool.entered.wait()
        shutil.rmtree(app.settings.work)  # and once more under the job's feet
        pool.gate.set()
        await voice_for(sandbox, track)
        assert await told(sandbox, track) == ["voice"]


@pytest.mark.slow
async def test_telegram_away_for_longer_than_all_attempts_costs_no_answer(
    database_url: str,
    pool: FakePool,
    clips: dict[str, Path],
    tmp_path: Path,
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sender, "REPEATS", 1)
    telegram = tmp_path / "telegram"
    telegram.mkdir()
    async with AsyncExitStack() as before, AsyncExitStack() as bot:
        first = await before.enter_async_context(running_sandbox(telegram, port=unused_tcp_port))
        await bot.enter_async_context(running_app(first, database_url, pool, data_dir=tmp_path))
        pool.gate.clear()
        track = await first.send_audio(clips["mp3"])
        await pool.entered.wait()
        await first.wait_until_taken(timeout_s=PATIENT_S)
        await before.aclose()
        pool.gate.set()
        n_tries = 2 * aftermath.MAX_ATTEMPTS
        await eventually(
            lambda: sum("failed (Telegram" in m and "attempt" in m for m in caplog.messages) > n_tries
        )
        async with running_sandbox(telegram, port=unused_tcp_port) as second:
            meanwhile = await second.send_audio(clips["ogg"])
            for sent in (track, meanwhile):
                await voice_for(second, sent)
                assert await told(second, sent) == ["voice"]
            await bot.aclose()


@pytest.fixture
async def job(database: Database) -> Job:
    """A queued job that was told to wait a minute before its second attempt."""
    async with database.write() as session:
        await people.meet(session, LISTENER_ID, "Ada", None, "en")
        await people.meet_chat(session, LISTENER_ID, "private")
        request = JobRequest(JobKind.HIGHLIGHT, LISTENER_ID, LISTENER_ID, 1, "voice:30")
        await jobs.add(session, request, Lane.HEAVY)
    async with database.write() as session:
        job = await jobs.claim(session, Lane.HEAVY, 1, utc_now())
        assert job is not None
        await jobs.requeue(session, job.id, delay_s=60)
    return job


@pytest.mark.parametrize(
    ("moved", "is_due"),
    [
        (timedelta(0), False),
        (timedelta(hours=-1), True),  # what the old clock said about "later" no longer counts
        (timedelta(days=-400), True),
        (timedelta(hours=1), True),
    ],
)
async def test_a_clock_that_jumps_keeps_no_job_waiting(
    database: Database, job: Job, moved: timedelta, is_due: bool
) -> None:
    async with database.write() as session:
        claimed = await jobs.claim(session, Lane.HEAVY, 1, utc_now() + moved)
    assert (claimed is not None) is is_due


@pytest.mark.parametrize(
    ("since_answer", "is_wanted"),
    [(timedelta(seconds=1), False), (timedelta(minutes=1), True), (timedelta(hours=-1), True)],
)
async def test_a_press_counts_again_after_a_while_and_after_the_clock_was_set_back(
    database: Database, job: Job, since_answer: timedelta, is_wanted: bool
) -> None:
    now = utc_now()
    async with database.write() as session:
        await jobs.finish(session, job.id, JobState.DONE, now)
        done = await jobs.get(session, job.id)
    assert done is not None
    assert is_wanted_again(done, "another press", now + since_answer) is is_wanted
