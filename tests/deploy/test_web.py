"""Health, metrics and the check command of a running bot."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import aiohttp.web
import numpy as np
import pytest

from bot.app import App, build_bot
from bot.check import Finding, check_disk, check_engine, examine
from bot.metrics import Metrics
from bot.settings import Settings
from bot.web import Health, build_web, serving
from sandbox.client import ADMIN_CHAT_ID
from sandbox.song import write_audio
from sandbox.testing import RunningSandbox, running_sandbox
from tests.fakes import FakePool


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.ogg"
    sr = 48_000
    y = (0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * sr) / sr)).astype(np.float32)[np.newaxis]
    write_audio(path, y, sr)
    return path


@pytest.fixture
def settings(sandbox: RunningSandbox, tmp_path: Path, unused_tcp_port: int) -> Settings:
    return Settings.model_validate(
        {
            "bot_token": sandbox.token,
            "telegram_api_base": sandbox.url,
            "admin_chat_id": ADMIN_CHAT_ID,
            "data_dir": tmp_path,
            "http_port": unused_tcp_port,
            "docker_host": f"unix://{tmp_path / 'no.sock'}",
            "grace_s": 5.0,
        }
    )


@asynccontextmanager
async def serving_bot(settings: Settings, tone: Path, sandbox: RunningSandbox) -> AsyncIterator[App]:
    pool = FakePool(tone.read_bytes(), b"")
    stop = asyncio.Event()
    async with App.opened(settings, pool) as app, asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run(stop))
        try:
            await sandbox.wait_for_polling()
            yield app
        finally:
            stop.set()


async def _get(settings: Settings, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{settings.http_port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


def _value(page: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)
    assert found is not None, f"{sample} is not in\n{page}"
    return float(found[1])


async def test_running_bot_is_healthy_and_counts_what_it_did(
    settings: Settings, tone: Path, sandbox: RunningSandbox
) -> None:
    async with serving_bot(settings, tone, sandbox):
        await sandbox.inject("getFile", error_code=500, times=1)
        track = await sandbox.send_audio(tone)
        await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == track.message_id)
        # The answer is written down before the chat's next message may leave.
        asked = await sandbox.send_text("/help")
        await sandbox.wait_for(lambda m: m.kind == "text", after=asked)
        assert await _get(settings, "/healthz") == (200, '{"status": "ok", "problems": []}')
        _, page = await _get(settings, "/metrics")
    assert _value(page, 'highlight_jobs{kind="highlight",state="done"}') == 1
    assert _value(page, 'highlight_queue_depth{lane="heavy"}') == 0
    assert _value(page, 'highlight_queue_age_seconds{lane="heavy"}') == 0
    assert _value(page, 'highlight_stage_seconds_count{stage="listening"}') >= 1
    assert _value(page, 'highlight_telegram_seconds_count{method="getFile"}') == 2
    assert _value(page, 'highlight_telegram_errors_total{error="TelegramServerError",method="getFile"}') == 1
    assert settings.bot_token.get_secret_value() not in page


async def test_waiting_jobs_show_in_depth_and_age(
    settings: Settings, tone: Path, sandbox: RunningSandbox
) -> None:
    async with serving_bot(settings.model_copy(update={"user_parallel": 1}), tone, sandbox) as app:
        app.worker._is_stopping = True  # nobody claims
        app.jobs.bell.ring()
        await sandbox.send_audio(tone)
        await sandbox.wait_until_taken()
        _, page = await _get(settings, "/metrics")
        assert _value(page, 'highlight_queue_depth{lane="heavy"}') == 1
        assert _value(page, 'highlight_queue_age_seconds{lane="heavy"}') > 0


async def test_bot_whose_storage_fails_says_so(
    settings: Settings, tone: Path, sandbox: RunningSandbox
) -> None:
    async with serving_bot(settings, tone, sandbox) as app:

        async def broken() -> list[str]:
            raise OSError("disk on fire")

        app.health.checks["storage"] = broken
        status, body = await _get(settings, "/healthz")
    assert status == 503
    assert "storage: OSError" in body


async def test_process_that_is_not_ready_is_not_healthy(unused_tcp_port: int) -> None:
    async with serving(build_web(Health(), Metrics()), "127.0.0.1", unused_tcp_port):
        url = f"http://127.0.0.1:{unused_tcp_port}/healthz"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert (answer.status, (await answer.json())["problems"]) == (503, ["starting"])


async def _findings(settings: Settings, *, offline: bool = False) -> dict[str, Finding]:
    async with build_bot(settings) as bot:
        return {finding.subject: finding async for finding in examine(settings, bot, offline=offline)}


async def test_check_finds_nothing_to_mend_in_a_good_installation(
    settings: Settings, sandbox: RunningSandbox
) -> None:
    findings = await _findings(settings)
    assert {name: finding.advice for name, finding in findings.items() if name != "disk"} == dict.fromkeys(
        ["token", "admin chat", "model", "database", "queue", "engine"], ""
    )
    assert findings["engine"].is_skipped
    assert findings["queue"].is_skipped


async def test_check_advises_on_each_thing_that_is_wrong(settings: Settings, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    wrong = settings.model_copy(
        update={
            "bot_token": type(settings.bot_token)("123456:" + "B" * 35),
            "data_dir": blocked / "data",
            "database_url": "postgresql+asyncpg://nobody:pass-word@127.0.0.1:1/none",
            "queue": "taskiq",
            "redis_url": type(settings.bot_token)("redis://127.0.0.1:1/0"),
            "docker_host": "tcp://127.0.0.1:1",
        }
    )
    findings = await _findings(wrong)
    assert [name for name, finding in findings.items() if not finding.advice] == ["model"]
    assert "BotFather" in findings["token"].advice
    assert "pass-word" not in "".join(map(str, findings.values()))


async def test_check_offline_asks_nothing_of_telegram(settings: Settings, sandbox: RunningSandbox) -> None:
    findings = await _findings(settings, offline=True)
    assert "token" not in findings
    assert await sandbox.calls() == []


def test_full_disk_is_worth_a_word(tmp_path: Path) -> None:
    assert check_disk(tmp_path, room_bytes=0).advice == ""
    assert "Make room" in check_disk(tmp_path, room_bytes=10**18).advice


async def test_engine_that_answers_is_found(unused_tcp_port: int) -> None:
    app = build_web(Health(), Metrics())

    async def ping(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text="OK")

    app.router.add_get("/_ping", ping)
    async with serving(app, "127.0.0.1", unused_tcp_port):
        assert (await check_engine(f"tcp://127.0.0.1:{unused_tcp_port}")).advice == ""
