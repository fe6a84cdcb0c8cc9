"""`python -m bot worker` as a process, a real Redis, real audio: a track's work outlives its worker."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.app import App
from bot.services.stream import GROUP, STREAM
from bot.settings import Settings
from sandbox.client import MessageView
from sandbox.song import write_song
from sandbox.testing import RunningSandbox, running_sandbox
from tests.fakes import FakePool

pytestmark = [pytest.mark.services, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@asynccontextmanager
async def front_end(sandbox: RunningSandbox, redis_url: str, tmp_path: Path) -> AsyncIterator[App]:
    """It names the model and has no audio work of its own: its pool would refuse."""
    settings = Settings.model_validate(
        {
            "bot_token": sandbox.token,
            "telegram_api_base": sandbox.url,
            "data_dir": tmp_path,
            "queue": "taskiq",
            "redis_url": redis_url,
            "grace_s": 0.5,
        }
    )
    pool = FakePool(b"", b"")
    pool.failure = AssertionError("audio work at the front end")
    stop = asyncio.Event()
    async with App.opened(settings, pool) as app, asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run(stop))
        await sandbox.wait_for_polling()
        try:
            yield app
        finally:
            stop.set()


@asynccontextmanager
async def worker(sandbox: RunningSandbox, redis_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "BOT_TOKEN": sandbox.token,
        "TELEGRAM_API_BASE": sandbox.url,
        "REDIS_URL": redis_url,
        "WORKERS": "1",
        "GRACE_S": "5",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "worker", env=environment, cwd=ROOT, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            assert await process.wait() == 0
        else:
            await process.wait()


async def _is_taken(redis_url: str) -> None:
    """Until a worker holds an order."""
    async with Redis.from_url(redis_url) as redis, asyncio.timeout(PATIENCE_S):
        while True:
            pending: Any = await redis.xpending(STREAM, GROUP)
            if pending["pending"]:
                return
            await asyncio.sleep(0.05)  # Redis rings no bell


def _answered(track: MessageView) -> Any:
    return lambda view: view.kind == "voice" and view.reply_to == track.message_id


async def test_track_of_a_killed_worker_is_answered_by_another(
    sandbox: RunningSandbox, redis_url: str, tmp_path: Path
) -> None:
    song = tmp_path / "song.mp3"
    write_song(song)
    async with front_end(sandbox, redis_url, tmp_path), worker(sandbox, redis_url) as doomed:
        slow = await sandbox.inject("download", "slow", times=None, delay_s=10.0)
        track = await sandbox.send_audio(song)
        await _is_taken(redis_url)
        os.killpg(doomed.pid, signal.SIGKILL)
        await sandbox.clear_faults(slow)
        async with worker(sandbox, redis_url):
            await sandbox.wait_for(_answered(track), timeout_s=PATIENCE_S)
    views = await sandbox.messages(from_bot=True)
    assert sum(_answered(track)(view) for view in views) == 1


async def test_front_end_that_restarts_in_the_middle_gets_the_answer_that_was_made_meanwhile(
    sandbox: RunningSandbox, redis_url: str, tmp_path: Path
) -> None:
    song = tmp_path / "song.mp3"
    write_song(song)
    async with worker(sandbox, redis_url):
        async with front_end(sandbox, redis_url, tmp_path):
            slow = await sandbox.inject("download", "slow", times=None, delay_s=2.0)
            track = await sandbox.send_audio(song)
            await _is_taken(redis_url)
        await sandbox.clear_faults(slow)
        async with front_end(sandbox, redis_url, tmp_path):
            await sandbox.wait_for(_answered(track), timeout_s=PATIENCE_S)
    assert len(await sandbox.calls("getFile")) == 1
