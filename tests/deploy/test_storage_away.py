"""PostgreSQL goes away under the bot and comes back: each track is answered once, nobody meets silence."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from bot import polling, webhook
from bot.db import engine
from bot.db.engine import STORAGE_TROUBLE, Database, create_engine
from bot.services import fleet as front_ends
from sandbox.client import FRIEND_ID, MessageView
from sandbox.song import write_audio
from sandbox.testing import RunningSandbox, running_sandbox
from tests.bot.conftest import PATIENT_S, eventually, running_app, shorten_delays
from tests.deploy.conftest import Service
from tests.fakes import FakePool

TROUBLE = {"en": "trouble with my storage", "ru": "неполадки с хранилищем"}
SECRET = "a-secret-of-the-tests"
ANSWER_WITHIN_S = 1.0
Deed = Callable[[Service], None]
ABSENCES: dict[str, tuple[Deed, Deed]] = {
    "stopped": (Service.stop, Service.start),
    "killed": (Service.crash, Service.start),
    "silent": (Service.freeze, Service.thaw),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real delays, shortened."""
    shorten_delays(monkeypatch)
    monkeypatch.setattr(front_ends, "BEAT_S", 0.1)
    for room in (polling, webhook):
        monkeypatch.setattr(room, "PATIENCE_S", 5 * ANSWER_WITHIN_S)


@asynccontextmanager
async def refusing(sqlstate: str) -> AsyncIterator[str]:
    """A server that turns every connection away with this SQLSTATE; its URL."""
    fields = (("S", "FATAL"), ("V", "FATAL"), ("C", sqlstate), ("M", "not now"))
    body = b"".join(f"{kind}{value}\0".encode() for kind, value in fields) + b"\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            if size != 8:  # not the question for TLS, so it is the start
                break
            await reader.readexactly(4)
            writer.write(b"N")
        writer.write(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"postgresql+asyncpg://highlight@127.0.0.1:{port}/none"


@pytest.mark.parametrize(
    ("sqlstate", "passes"),
    [
        ("57P03", True),  # the database system is starting up, or shutting down
        ("57P01", True),  # terminating connection due to administrator command
        ("53300", True),  # too many connections
        ("53100", True),  # disk full
        ("58030", True),  # I/O error
        ("08006", True),  # connection failure
        ("28P01", False),  # a wrong password does not pass by itself
        ("42P01", False),  # nor does a missing table
    ],
)
async def test_what_a_server_says_when_it_turns_us_away(sqlstate: str, passes: bool) -> None:
    async with refusing(sqlstate) as url:
        database = Database(create_engine(url))
        with pytest.raises(Exception, match="not now") as caught:
            async with database.write() as session:
                await session.execute(text("SELECT 1"))
        await database.close()
    assert isinstance(caught.value, STORAGE_TROUBLE) is passes


@pytest.mark.services
@pytest.mark.parametrize(("leave", "come_back"), ABSENCES.values(), ids=ABSENCES)
async def test_a_transaction_that_is_cut_off_is_trouble_that_passes(
    leave: Deed, come_back: Deed, postgres_server: Service, postgres_url: str
) -> None:
    database = Database(create_engine(postgres_url), ANSWER_WITHIN_S)
    try:
        with pytest.raises(STORAGE_TROUBLE):  # noqa: PT012  # leaving is what breaks the second statement
            async with database.write() as session:
                await session.execute(text("SELECT 1"))
                await asyncio.to_thread(leave, postgres_server)
                await session.execute(text("SELECT 1"))
        with pytest.raises(STORAGE_TROUBLE):
            async with database.read() as session:
                await session.execute(text("SELECT 1"))
    finally:
        await asyncio.to_thread(come_back, postgres_server)
    async with database.read() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    sr = 48_000
    y = (0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * sr) / sr)).astype(np.float32)
    write_audio(tmp_path / "tone.ogg", y[np.newaxis], sr)
    return tmp_path / "tone.ogg"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
def pool(tone: Path) -> FakePool:
    return FakePool(tone.read_bytes(), b"")


async def told(sandbox: RunningSandbox, track: MessageView) -> list[str]:
    """What was said in reply to a track: kinds of media, and texts."""
    found = await sandbox.messages(track.chat_id, from_bot=True, with_deleted=True)
    return [m.text if m.kind == "text" else m.kind for m in found if m.reply_to == track.message_id]


async def answered(sandbox: RunningSandbox, track: MessageView) -> None:
    await sandbox.wait_for(
        lambda m: m.kind == "voice" and m.reply_to == track.message_id,
        chat=track.chat_id,
        timeout_s=PATIENT_S,
    )


def listening(way: str, port: int) -> dict[str, object]:
    """Settings: how Telegram's updates come."""
    if way == "polling":
        return {}
    return {
        "webhook_url": f"http://127.0.0.1:{port}/telegram",
        "webhook_secret": SECRET,
        "http_port": port,
    }


@pytest.mark.services
@pytest.mark.parametrize("way", ["polling", "webhook"])
async def test_a_bot_whose_storage_is_away_can_be_stopped(
    way: str,
    sandbox: RunningSandbox,
    postgres_server: Service,
    postgres_url: str,
    pool: FakePool,
    tone: Path,
    tmp_path: Path,
    unused_tcp_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        async with running_app(
            sandbox, postgres_url, pool, data_dir=tmp_path, **listening(way, unused_tcp_port)
        ):
            await asyncio.to_thread(postgres_server.crash)
            await sandbox.send_audio(tone)
            await eventually(lambda: "waiting for it" in caplog.text)
    finally:
        await asyncio.to_thread(postgres_server.start)
    assert len(sandbox.sandbox.desk.updates.waiting) == 1, "Telegram keeps the track"


@pytest.mark.services
@pytest.mark.parametrize("way", ["polling", "webhook"])
@pytest.mark.parametrize(("leave", "come_back"), ABSENCES.values(), ids=ABSENCES)
async def test_postgresql_that_goes_away_delays_answers_and_loses_none(
    way: str,
    leave: Deed,
    come_back: Deed,
    sandbox: RunningSandbox,
    postgres_server: Service,
    postgres_url: str,
    pool: FakePool,
    tone: Path,
    tmp_path: Path,
    unused_tcp_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await sandbox.set_language("ru")
    async with running_app(
        sandbox, postgres_url, pool, data_dir=tmp_path, **listening(way, unused_tcp_port)
    ) as running:
        assert running.database._limit_s == engine.ANSWER_WITHIN_S
        running.database._limit_s = ANSWER_WITHIN_S
        pool.gate.clear()
        in_work = await sandbox.send_audio(tone, user=FRIEND_ID)
        await pool.entered.wait()
        await sandbox.wait_until_taken()
        await asyncio.to_thread(leave, postgres_server)
        try:
            pool.gate.set()
            await eventually(lambda: "could not settle the job" in caplog.text)
            arriving = await sandbox.send_audio(tone.read_bytes() + b"\0")
            await sandbox.wait_for(
                lambda m: m.reply_to == arriving.message_id and TROUBLE["ru"] in m.text, timeout_s=PATIENT_S
            )
            assert await told(sandbox, in_work) == []
        finally:
            await asyncio.to_thread(come_back, postgres_server)
        await answered(sandbox, arriving)
        await answered(sandbox, in_work)
        await sandbox.wait_until_taken(timeout_s=PATIENT_S)
        assert await told(sandbox, in_work) == ["voice"]
        sentence, answer = await told(sandbox, arriving)
        assert TROUBLE["ru"] in sentence
        assert answer == "voice"
