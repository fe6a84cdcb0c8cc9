"""The outbox against the sandbox's Bot API over HTTP: durable, patient, in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from sandbox.client import MessageView
from sandbox.testing import RunningSandbox, running_sandbox
from sandbox.world import ADMIN_CHAT_ID
from watchdog.desk import Desk
from watchdog.incidents import Change, ChangeType, Fact, Incident, Kind, Outcome
from watchdog.outbox import Outbox
from watchdog.store import Mute, Store
from watchdog.telling import Teller

BOT = Incident(1, "bot", "bot", Kind.CRASHED, 1_800_000_000.0, (Fact(1_800_000_000.0, "died", 1),))


class Office:
    """Desk, outbox and chat; the clock moves by hand."""

    def __init__(self, store: Store, bot: Bot, chat: RunningSandbox, teller: Teller) -> None:
        self.store, self.chat = store, chat
        self.now = 1_800_000_000.0
        self.n_sent = 0
        self.lock = asyncio.Lock()
        self.desk = Desk(store, teller, group_s=10.0)
        self.outbox = Outbox(
            store,
            bot,
            ADMIN_CHAT_ID,
            lock=self.lock,
            clock=lambda: self.now,
            on_success=self._count,
            edit_gap_s=3.0,
        )

    def _count(self) -> None:
        self.n_sent += 1

    async def take(self, kind: ChangeType, incident: Incident, mutes: tuple[Mute, ...] = ()) -> None:
        async with self.lock, self.store.transaction():
            await self.desk.take([Change(kind, incident)], mutes, self.now)

    async def pass_time(self, seconds: float) -> list[MessageView]:
        self.now += seconds
        await self.outbox.send_due()
        return await self.chat.messages(ADMIN_CHAT_ID, from_bot=True)


@pytest.fixture
async def office(tmp_path: Path, make_teller: Any) -> AsyncIterator[Office]:
    async with running_sandbox() as chat, contextlib.AsyncExitStack() as stack:
        store = await Store.open(tmp_path / "watchdog.db")
        stack.push_async_callback(store.close)
        session = AiohttpSession(api=TelegramAPIServer.from_base(chat.url))
        stack.push_async_callback(session.close)
        yield Office(store, Bot(chat.token, session=session), chat, make_teller("en"))


def closed(incident: Incident) -> Incident:
    return replace(incident, closed_at=1_800_000_060.0, back_at=1_800_000_005.0, outcome=Outcome.RECOVERED)


async def test_incidents_that_come_together_share_a_message(office: Office) -> None:
    await office.take(ChangeType.OPENED, BOT)
    assert not await office.pass_time(5)
    await office.take(ChangeType.OPENED, replace(BOT, id=2, key="web", title="web"))
    (message,) = await office.pass_time(6)
    assert "bot crashed" in message.text
    assert "web crashed" in message.text
    await office.take(ChangeType.OPENED, replace(BOT, id=3, key="db", title="db"))
    assert len(await office.pass_time(11)) == 2


async def test_quiet_news_makes_no_sound_and_does_not_mix_with_loud(office: Office) -> None:
    await office.take(ChangeType.OPENED, BOT)
    await office.take(ChangeType.OPENED, replace(BOT, id=2, key="web", title="web", kind=Kind.STOPPED))
    await office.pass_time(11)
    calls = await office.chat.calls("sendMessage")
    silent = {call.params["text"]: str(call.params["disable_notification"]).lower() for call in calls}
    assert [silent[text] for text in sorted(silent, key=lambda text: "stopped" in text)] == ["false", "true"]


async def test_incident_is_edited_and_closed_with_its_duration(office: Office) -> None:
    await office.take(ChangeType.OPENED, BOT)
    await office.pass_time(11)
    await office.take(ChangeType.CLOSED, closed(BOT))
    assert "→" not in (await office.pass_time(1))[0].text, "edits keep a distance"
    (message,) = await office.pass_time(3)
    assert "🟢 bot crashed → well again, 5.0 s after the first sign" in message.text


async def test_incident_that_is_over_before_it_was_told_is_one_message(office: Office) -> None:
    await office.take(ChangeType.OPENED, BOT)
    await office.take(ChangeType.CLOSED, closed(BOT))
    await office.pass_time(11)
    (message,) = await office.pass_time(60)
    assert not message.versions
    assert "well again" in message.text


async def test_retry_after_is_obeyed_even_after_a_restart(office: Office) -> None:
    await office.chat.inject_flood("sendMessage", 30, times=1)
    await office.take(ChangeType.OPENED, BOT)
    assert not await office.pass_time(11)
    n_calls = len(await office.chat.calls("sendMessage"))
    assert not await office.pass_time(29)
    assert float(await office.store.get("paused_until") or 0) > office.now, (
        "written down for the next process"
    )
    assert len(await office.chat.calls("sendMessage")) == n_calls, "not even tried"
    assert len(await office.pass_time(2)) == 1


async def test_telegram_being_down_loses_nothing(office: Office) -> None:
    await office.chat.inject("sendMessage", error_code=502, description="Bad Gateway", times=2)
    await office.chat.inject("sendMessage", "drop", times=2)
    for n in range(3):
        await office.take(ChangeType.OPENED, replace(BOT, id=n + 1, key=f"bot{n}", title=f"bot{n}"))
        await office.pass_time(11)
    for _ in range(5):
        messages = await office.pass_time(20)
    assert [message.text.split()[1] for message in messages] == ["bot0", "bot1", "bot2"]


async def test_what_happened_while_muted_is_told_afterwards(office: Office) -> None:
    mute = Mute("bot", office.now, None)
    await office.take(ChangeType.OPENED, BOT, (mute,))
    assert not await office.pass_time(600)
    async with office.lock, office.store.transaction():
        assert await office.desk.release("While muted:", [], office.now)
        assert not await office.desk.release("While muted:", [], office.now)
    (message,) = await office.pass_time(1)
    assert message.text.startswith("While muted:\n\n🔴 bot crashed")
    await office.take(ChangeType.CLOSED, closed(BOT))
    (message,) = await office.pass_time(5)
    assert "well again" in message.text


async def test_reminder_answers_the_incidents_message(office: Office) -> None:
    await office.take(ChangeType.OPENED, BOT)
    (first,) = await office.pass_time(11)
    office.now += 3600
    await office.take(ChangeType.REMINDER, BOT)
    reminder = (await office.pass_time(1))[-1]
    assert reminder.text == "🔁 Still open after 1 h: bot crashed"
    assert reminder.raw["reply_to_message"]["message_id"] == first.message_id


async def test_deleted_message_is_not_fought_over(office: Office) -> None:
    await office.take(ChangeType.OPENED, BOT)
    await office.pass_time(11)
    gone = "Bad Request: message to edit not found"
    await office.chat.inject("editMessageText", error_code=400, description=gone, times=1)
    await office.take(ChangeType.CLOSED, closed(BOT))
    await office.pass_time(5)
    await office.pass_time(600)
    assert len(await office.chat.calls("editMessageText")) == 1


async def test_refused_markup_is_sent_plain(office: Office) -> None:
    refusal = "Bad Request: can't parse entities"
    await office.chat.inject("sendMessage", error_code=400, description=refusal, times=1)
    await office.take(ChangeType.OPENED, BOT)
    (message,) = await office.pass_time(11)
    assert message.text.startswith("🔴 bot crashed")
    assert not message.entities


async def test_text_that_is_always_refused_does_not_block_the_rest(office: Office) -> None:
    await office.chat.inject("sendMessage", error_code=400, description="Bad Request: no", times=3)
    await office.take(ChangeType.OPENED, BOT)
    assert not await office.pass_time(11)
    await office.take(ChangeType.OPENED, replace(BOT, id=2, key="web", title="web"))
    (message,) = await office.pass_time(11)
    assert "web crashed" in message.text


async def test_unfinished_messages_go_out_in_the_next_process(office: Office) -> None:
    await office.take(ChangeType.OPENED, BOT)
    office.outbox = Outbox(
        office.store, office.outbox._bot, ADMIN_CHAT_ID, lock=office.lock, clock=lambda: office.now,
        on_success=office._count,
    )  # fmt: skip
    assert len(await office.pass_time(11)) == 1
    assert office.n_sent == 1
