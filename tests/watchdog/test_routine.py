"""What happens by the clock: the report with its picture, the one that was missed, the heartbeat."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiohttp import web

from sandbox.testing import RunningSandbox, running_sandbox
from sandbox.world import ADMIN_CHAT_ID
from watchdog.domain import Rules
from watchdog.health import Pulse
from watchdog.incidents import Standing, Turn
from watchdog.outbox import Outbox
from watchdog.routine import Routine
from watchdog.service import Service
from watchdog.settings import Settings
from watchdog.store import Store


class Office:
    """A routine with everything but an engine."""

    def __init__(
        self,
        chat: RunningSandbox,
        store: Store,
        bot: Bot,
        folder: Path,
        teller: Any,
        **options: Any,
    ) -> None:
        self.chat, self.store = chat, store
        lock = asyncio.Lock()
        self.pulse = Pulse({"stream": 60.0, "reconcile": 60.0, "telegram": 60.0})
        self.outbox = Outbox(store, bot, ADMIN_CHAT_ID, lock=lock, clock=time.time, on_success=lambda: None)
        service = Service(
            store=store,
            engine=SimpleNamespace(now=time.time),
            outbox=self.outbox,
            teller=teller,
            rules=Rules(),
            lock=lock,
            group_s=0,
            tick_s=1,
            log_lines=5,
        )
        usual = {"token": chat.token, "bot_token": None, "admin_chat_id": ADMIN_CHAT_ID, "data_dir": folder}
        settings = Settings(_env_file=None, **usual, **options)
        self.link = SimpleNamespace(is_up=True)
        service.link = self.link
        self.service = service
        self.routine = Routine(settings, service, self.link, bot, self.pulse)

    async def told(self) -> list[Any]:
        await self.outbox.send_due()
        return await self.chat.messages(ADMIN_CHAT_ID, from_bot=True)


@pytest.fixture
async def make_office(tmp_path: Path, make_teller: Any) -> AsyncIterator[Any]:
    async with running_sandbox() as chat, contextlib.AsyncExitStack() as stack:
        store = await Store.open(tmp_path / "watchdog.db")
        stack.push_async_callback(store.close)
        session = AiohttpSession(api=TelegramAPIServer.from_base(chat.url))
        stack.push_async_callback(session.close)
        bot = Bot(chat.token, session=session)
        yield lambda **options: Office(chat, store, bot, tmp_path, make_teller("en"), **options)


async def test_report_is_one_picture_with_words(make_office: Any) -> None:
    office = make_office()
    now = time.time()
    async with office.store.transaction():
        await office.store.set("reported_at", str(now - 86_400))
        await office.store.add_turns(
            [Turn("shop/web", now - 90_000, Standing.UP), Turn("shop/web", now - 864, Standing.DOWN)]
        )
    await office.routine.report()
    (message,) = await office.told()
    assert message.kind == "photo"
    assert "shop/web 99.00 % · down 14 min 24 s" in message.text
    assert "I saw all of it." in message.text
    assert float(await office.store.get("reported_at")) >= now


async def test_long_report_is_a_picture_and_a_text(make_office: Any) -> None:
    office = make_office()
    now = time.time()
    async with office.store.transaction():
        await office.store.add_turns(
            [Turn(f"shop/service-{n}", now - 90_000, Standing.UP) for n in range(40)]
        )
    await office.routine.report()
    assert [message.kind for message in await office.told()] == ["photo", "text"]


async def test_report_that_was_missed_is_made_up_for_once(make_office: Any) -> None:
    due = datetime.now(UTC) - timedelta(hours=1)
    office = make_office(report_at=due.time().replace(second=0, microsecond=0))
    await office.routine.catch_up_report()
    assert not await office.told(), "at the very first start nothing was missed"
    await office.service.set_meta("reported_at", str(time.time() - 90_000))
    await office.routine.catch_up_report()
    await office.routine.catch_up_report()
    assert len(await office.told()) == 1


async def test_heartbeat_only_while_all_three_are_fresh(make_office: Any) -> None:
    beats: list[str] = []

    async def beat(request: web.Request) -> web.Response:
        beats.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_get("/beat", beat)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        office = make_office(heartbeat_url=f"http://127.0.0.1:{runner.addresses[0][1]}/beat")
        await office.routine.heartbeat()
        for name in ("stream", "reconcile"):
            office.pulse.beat(name, time.time())
        await office.routine.heartbeat()
        assert not beats
        await office.routine.check_telegram()
        await office.routine.heartbeat()
        assert beats == ["/beat"]
    finally:
        await runner.cleanup()


async def test_sign_of_life_is_kept_only_while_the_engine_is_seen(make_office: Any, tmp_path: Path) -> None:
    office = make_office()
    office.link.is_up = False
    await office.routine.show_life()
    assert await office.store.get("seen_at") is None
    office.link.is_up = True
    await office.routine.show_life()
    assert float(await office.store.get("seen_at")) == pytest.approx(time.time(), abs=60)
    assert (tmp_path / "watchdog-health.json").exists()
