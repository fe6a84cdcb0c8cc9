"""Two front ends behind one webhook on a real PostgreSQL: each update handled once, each chat in order, and
what one of them leaves when it dies is the other's.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from sqlalchemy import select, update

from bot.app import App
from bot.db import fleet, jobs
from bot.db.engine import Database, create_engine
from bot.db.fleet import InboxRow
from bot.db.migrate import migrate
from bot.db.models import JobRow, UserRow, utc_now
from bot.domain import Intent, JobKind, JobRequest, JobState, Lane
from bot.services.sender import Limits
from bot.settings import Settings
from sandbox.song import write_audio
from sandbox.testing import RunningSandbox, running_sandbox
from tests.fakes import FakePool

pytestmark = pytest.mark.services

SECRET = "a-secret-of-the-tests"
LOOPBACK = "http://127.0.0.1"
PATH = "/telegram/update"
NO_LIMITS = Limits(all_per_s=1000, chat_per_s=1000, chat_burst=1000, group_per_s=1000, group_burst=1000)


@pytest.fixture
def tones(tmp_path: Path) -> list[Path]:
    """Four different tracks."""
    sr = 48_000
    paths = []
    for n in range(4):
        y = (0.3 * np.sin(2 * np.pi * (300 + 100 * n) * np.arange(3 * sr) / sr)).astype(np.float32)
        paths.append(tmp_path / f"tone{n}.ogg")
        write_audio(paths[-1], y[np.newaxis], sr)
    return paths


@dataclass
class Scene:
    """One database, one Telegram, one address in front; `apps` are behind it."""

    sandbox: RunningSandbox
    url: str
    database_url: str
    clip: bytes
    apps: list[App] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def front_end(self, port: int) -> AsyncIterator[App]:
        settings = Settings.model_validate(
            {
                "bot_token": self.sandbox.token,
                "telegram_api_base": self.sandbox.url,
                "database_url": self.database_url,
                "webhook_url": self.url,
                "webhook_secret": SECRET,
                "http_port": port,
                "grace_s": 5.0,
            }
        )
        stop = asyncio.Event()
        pool = FakePool(self.clip, b"")
        async with App.opened(settings, pool, NO_LIMITS) as app, asyncio.TaskGroup() as tasks:
            tasks.create_task(app.run(stop))
            self.apps.append(app)
            self.ports.append(port)
            await self.sandbox.wait_for_polling()
            try:
                yield app
            finally:
                stop.set()


@pytest.fixture
async def scene(postgres_url: str, tones: list[Path], unused_tcp_port_factory: Any) -> AsyncIterator[Scene]:
    """What stands in front hands each call to the next front end, as Caddy does."""
    turn = itertools.count()
    scene: Scene | None = None

    async def forward(request: web.Request) -> web.Response:
        assert scene is not None
        target = scene.ports[next(turn) % len(scene.ports)]
        headers = {k: v for k, v in request.headers.items() if k.startswith("X-") or k == "Content-Type"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://127.0.0.1:{target}{PATH}", data=await request.read(), headers=headers
            ) as answer,
        ):
            return web.Response(status=answer.status)

    app = web.Application(client_max_size=10**7)
    app.router.add_post(PATH, forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = unused_tcp_port_factory()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with running_sandbox() as sandbox:
        scene = Scene(sandbox, f"http://127.0.0.1:{port}{PATH}", postgres_url, tones[0].read_bytes())
        yield scene
    await runner.cleanup()


async def test_album_through_two_front_ends_is_answered_once_and_in_order(
    scene: Scene, tones: list[Path], unused_tcp_port_factory: Any
) -> None:
    async with (
        scene.front_end(unused_tcp_port_factory()) as one,
        scene.front_end(unused_tcp_port_factory()) as two,
    ):
        album = await scene.sandbox.send_album(tones, kind="audio")
        views = await scene.sandbox.wait_for_all(
            lambda views: sum(view.kind == "voice" for view in views) == len(tones), timeout_s=60
        )
        voices = [view for view in views if view.kind == "voice"]
        async with one.database.read() as session:
            owners = set(await session.scalars(select(JobRow.owner)))
        assert owners <= {one.fleet.id, two.fleet.id}
    assert [voice.reply_to for voice in voices] == [track.message_id for track in album]


async def test_commands_of_one_chat_are_answered_in_order_by_whoever_takes_them(
    scene: Scene, unused_tcp_port_factory: Any
) -> None:
    async with scene.front_end(unused_tcp_port_factory()), scene.front_end(unused_tcp_port_factory()):
        for command in ("/privacy", "/settings") * 4:
            await scene.sandbox.send_text(command)
        views = await scene.sandbox.wait_for_all(lambda views: len(views) >= 8, timeout_s=60)
    told = [view.text for view in views]
    assert told == told[:2] * 4
    assert told[0] != told[1]


async def test_call_without_the_secret_is_refused(scene: Scene, unused_tcp_port_factory: Any) -> None:
    async with scene.front_end(unused_tcp_port_factory()) as app, aiohttp.ClientSession() as session:
        for headers in ({}, {"X-Telegram-Bot-Api-Secret-Token": "guess"}):
            async with session.post(scene.url, json={"update_id": 1}, headers=headers) as answer:
                assert answer.status == 401
        async with app.database.read() as reading:
            assert await fleet.waiting(reading) == 0


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    await migrate(postgres_url)
    database = Database(create_engine(postgres_url))
    yield database
    await database.close()


async def _live(database: Database, *front_ends: str) -> None:
    for front_end in front_ends:
        async with database.write() as session:
            await fleet.beat(session, front_end, dead_after_s=20)


async def _claim(database: Database, front_end: str) -> int | None:
    async with database.write() as session:
        letter = await fleet.claim(session, front_end)
        return letter and letter.update_id


async def test_inbox_gives_each_chat_to_one_at_a_time_and_drops_repeats(database: Database) -> None:
    await _live(database, "a", "b", "c")
    async with database.write() as session:
        for update_id, chat in ((1, 7), (2, 7), (3, 8)):
            assert await fleet.receive(session, update_id, chat, {"update_id": update_id})
    async with database.write() as session:
        assert not await fleet.receive(session, 2, 7, {})
    assert [await _claim(database, who) for who in ("a", "b", "c")] == [1, 3, None]
    async with database.write() as session:
        await fleet.done(session, 1)
    assert await _claim(database, "c") == 2


async def test_update_of_a_dead_front_end_is_taken_over_but_not_of_a_living(
    database: Database,
) -> None:
    await _live(database, "a", "b")
    async with database.write() as session:
        await fleet.receive(session, 1, 7, {})
    assert await _claim(database, "a") == 1
    assert await _claim(database, "b") is None
    async with database.write() as session:
        await fleet.beat(session, "b", dead_after_s=-1)
    assert await _claim(database, "b") == 1


async def test_two_claims_at_the_same_moment_never_take_the_same_update(database: Database) -> None:
    await _live(database, "x", "y")
    async with database.write() as session:
        for update_id in range(12):
            session.add(InboxRow(update_id=update_id, chat_id=update_id, payload={}))
    taken = await asyncio.gather(*(_claim(database, who) for who in "xy" * 6))
    numbers = [number for number in taken if number is not None]
    assert len(numbers) == len(set(numbers)) > 1


async def test_front_end_that_stopped_breathing_is_forgotten(database: Database) -> None:
    async with database.write() as session:
        assert await fleet.beat(session, "a", dead_after_s=20) == set()
        assert await fleet.beat(session, "b", dead_after_s=20) == {"a"}
    async with database.write() as session:
        assert await fleet.beat(session, "b", dead_after_s=-1) == set()


async def test_job_of_a_dead_front_end_is_done_by_the_living(
    scene: Scene, tones: list[Path], unused_tcp_port_factory: Any
) -> None:
    async with scene.front_end(unused_tcp_port_factory()) as app:
        app.worker._slots[Lane.HEAVY] = 0
        app.worker._is_stopping = True
        app.jobs.bell.ring()
        track = await scene.sandbox.send_audio(tones[0])
        await scene.sandbox.wait_for_call("setMessageReaction")  # the job is written down
        await _give_to(app.database, "a-dead-one")
    async with scene.front_end(unused_tcp_port_factory()):
        scene.ports.pop(0)
        voice = await scene.sandbox.wait_for(lambda m: m.kind == "voice", timeout_s=60)
        assert voice.reply_to == track.message_id


async def _give_to(database: Database, owner: str) -> None:
    """Make it so that `owner` claimed every job."""
    async with database.write() as session:
        await session.execute(update(JobRow).values(state=JobState.RUNNING, owner=owner))


async def test_front_end_thought_dead_does_not_send_what_another_took_over(
    database: Database,
) -> None:
    async with database.write() as session:
        session.add(UserRow(id=1, name="Ada"))
        await session.flush()
        request = JobRequest(JobKind.HIGHLIGHT, user_id=1, chat_id=1, message_id=5, options="voice:30")
        await jobs.add(session, request, Lane.HEAVY)
    async with database.write() as session:
        mine = await jobs.claim(session, Lane.HEAVY, 2, utc_now(), "slow")
        assert mine is not None
        await jobs.requeue(session, mine.id)
        theirs = await jobs.claim(session, Lane.HEAVY, 2, utc_now(), "quick")
        assert theirs is not None
    intent = Intent(method="sendVoice", text="", floor=5, final=JobState.DONE)
    async with database.write() as session:
        assert not await jobs.intend(session, mine.id, intent, mine.owner)
        assert await jobs.intend(session, theirs.id, intent, theirs.owner)
