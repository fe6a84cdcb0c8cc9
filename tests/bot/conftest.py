"""The real App over a real sandbox (HTTP), with a fake audio pool; and a migrated database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from bot import polling
from bot.app import App
from bot.db import engine
from bot.db.engine import Database, create_engine
from bot.db.migrate import migrate
from bot.services import aftermath, delivery, worker
from bot.services.sender import Limits
from bot.settings import Settings
from sandbox.song import write_audio
from sandbox.testing import RunningSandbox, running_sandbox
from tests.fakes import FakePool

PATIENT_S = 90.0
NO_LIMITS = Limits(all_per_s=1000, chat_per_s=1000, chat_burst=1000, group_per_s=1000, group_burst=1000)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tone of three seconds as ogg and mp3."""
    folder = tmp_path_factory.mktemp("clips")
    sr = 48_000
    y = (0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * sr) / sr)).astype(np.float32)[np.newaxis]
    paths = {suffix: folder / f"tone.{suffix}" for suffix in ("ogg", "mp3")}
    for path in paths.values():
        write_audio(path, y, sr)
    return paths


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url)
    database = Database(create_engine(database_url))
    yield database
    await database.close()


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
def pool(clips: dict[str, Path]) -> FakePool:
    return FakePool(clips["ogg"].read_bytes(), clips["mp3"].read_bytes())


def shorten_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between two tries, where a test waits for storage or Telegram to come back."""
    monkeypatch.setattr(aftermath, "BACKOFF_S", 0.02)
    monkeypatch.setattr(worker, "STORAGE_PAUSE_S", 0.02)
    monkeypatch.setattr(worker, "LIMBO_EVERY_S", 0.1)
    monkeypatch.setattr(delivery, "SETTLE_S", 0.05)
    monkeypatch.setattr(engine, "LOOK_AGAIN_S", (0.05,))
    monkeypatch.setattr(polling, "RETRY_S", (0.05,))


async def eventually(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not claim():  # noqa: ASYNC110  # nothing rings for a log line
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_app(
    sandbox: RunningSandbox, database_url: str, pool: FakePool, limits: Limits = NO_LIMITS, **settings: object
) -> AsyncIterator[App]:
    """The bot in this process, as `python -m bot` runs it, until the block ends; then it drains."""
    known = Settings.model_validate(
        {
            "bot_token": sandbox.token,
            "telegram_api_base": sandbox.url,
            "database_url": database_url,
            "grace_s": 5.0,
            **settings,
        }
    )
    stop = asyncio.Event()
    async with App.opened(known, pool, limits) as app, asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run(stop))
        await sandbox.wait_for_polling()
        try:
            yield app
        finally:
            stop.set()


StartApp = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture
def start_app(sandbox: RunningSandbox, database_url: str, pool: FakePool) -> StartApp:
    """For tests that start the bot with settings of their own, or twice."""

    def start(**options: object) -> AbstractAsyncContextManager[App]:
        return running_app(sandbox, database_url, pool, **options)  # type: ignore[arg-type]

    return start


@pytest.fixture
async def app(start_app: StartApp) -> AsyncIterator[App]:
    async with start_app() as app:
        yield app
