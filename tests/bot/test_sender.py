"""The sender: pace, order, what is repeated and what never is. Time is a fake clock; storage is real."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import EditMessageText, GetUpdates, SendChatAction, SendMessage, TelegramMethod
from aiogram.types import Chat, Message
from sqlalchemy import select

from bot.db.engine import Database
from bot.db.models import SentRow
from bot.services.sender import DeliveryUncertain, Limits, Sender
from tests.fakes import FakeClock

HELLO = SendMessage(chat_id=1, text="hello")
Failure = Callable[[TelegramMethod[Any]], Exception]


class Wire:
    """What the sender sends over: numbers messages, fails as told, keeps the times."""

    def __init__(self, clock: FakeClock) -> None:
        self.requests: list[tuple[float, TelegramMethod[Any]]] = []
        self.failures: list[Failure] = []
        self._clock = clock

    async def __call__(self, bot: Bot, method: TelegramMethod[Any]) -> Any:
        self.requests.append((self._clock(), method))
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)(method)
        chat = Chat(id=getattr(method, "chat_id", 0), type="private")
        return Message(message_id=len(self.requests), date=0, chat=chat)  # type: ignore[arg-type]

    def times(self, chat_id: int) -> list[float]:
        return [at for at, method in self.requests if getattr(method, "chat_id", None) == chat_id]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def wire(clock: FakeClock) -> Wire:
    return Wire(clock)


@pytest.fixture
def send(database: Database, clock: FakeClock, wire: Wire) -> Callable[[TelegramMethod[Any]], Any]:
    sender = Sender(database, Limits(), clock, clock.sleep)
    bot = Bot("123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")

    async def request(method: TelegramMethod[Any]) -> Any:
        return await sender(wire, bot, method)

    return request


def timed_out(method: TelegramMethod[Any]) -> Exception:
    return TelegramNetworkError(method, "Request timeout error")


def bad_gateway(method: TelegramMethod[Any]) -> Exception:
    return TelegramServerError(method, "Bad Gateway")


def not_connected(method: TelegramMethod[Any]) -> Exception:
    error = TelegramNetworkError(method, "ClientConnectorError")
    key: Any = None
    error.__cause__ = aiohttp.ClientConnectorError(key, OSError("refused"))
    return error


def flood(seconds: int) -> Failure:
    return lambda method: TelegramRetryAfter(method, "Too Many Requests", seconds)


async def test_a_chat_gets_a_burst_and_then_one_message_a_second(send: Any, wire: Wire) -> None:
    for _ in range(6):
        await send(HELLO)
    assert wire.times(1) == pytest.approx([0, 0, 0, 1, 2, 3])


async def test_a_group_gets_under_twenty_a_minute(send: Any, wire: Wire) -> None:
    for _ in range(30):
        await send(SendMessage(chat_id=-5, text="hello"))
    times = wire.times(-5)
    busiest = max(sum(start <= at < start + 60 for at in times) for start in times[5:])
    assert busiest <= 20


async def test_all_chats_together_stay_under_thirty_a_second(send: Any, wire: Wire) -> None:
    await asyncio.gather(*(send(SendMessage(chat_id=chat, text="x")) for chat in range(1, 201)))
    times = [at for at, _ in wire.requests]
    assert len(times) == 200
    assert max(sum(start < at <= start + 1 for at in times) for start in times) <= 30


async def test_a_chat_keeps_its_order_while_one_message_waits(send: Any, wire: Wire) -> None:
    wire.failures = [flood(7)]
    await asyncio.gather(*(send(SendMessage(chat_id=1, text=str(n))) for n in range(4)))
    assert [method.text for _, method in wire.requests] == ["0", "0", "1", "2", "3"]  # type: ignore[attr-defined]


async def test_one_chat_that_waits_does_not_hold_up_another(
    database: Database, send: Any, wire: Wire
) -> None:
    gate = asyncio.Event()

    async def stuck(_: Bot, method: TelegramMethod[Any]) -> Any:
        await gate.wait()

    sender = Sender(database)
    bot = Bot("123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender(stuck, bot, HELLO))
        await asyncio.sleep(0)
        await sender(wire, bot, SendMessage(chat_id=2, text="through"))
        gate.set()
    assert len(wire.times(2)) == 1


async def test_retry_after_is_obeyed(send: Any, wire: Wire) -> None:
    wire.failures = [flood(17), flood(3)]
    await send(HELLO)
    assert wire.times(1) == [0, 17, 20]


async def test_a_long_retry_after_goes_back_to_the_caller(send: Any, wire: Wire) -> None:
    wire.failures = [flood(3600)]
    with pytest.raises(TelegramRetryAfter):
        await send(HELLO)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("failure", [timed_out, bad_gateway])
async def test_a_message_of_unknown_fate_is_not_sent_again(send: Any, wire: Wire, failure: Failure) -> None:
    wire.failures = [failure]
    with pytest.raises(DeliveryUncertain):
        await send(HELLO)
    assert len(wire.requests) == 1


async def test_a_message_that_never_left_is_sent_again(send: Any, wire: Wire) -> None:
    wire.failures = [not_connected, not_connected]
    assert (await send(HELLO)).message_id == 3


@pytest.mark.parametrize("failure", [timed_out, bad_gateway])
async def test_what_has_the_same_effect_twice_is_repeated(send: Any, wire: Wire, failure: Failure) -> None:
    wire.failures = [failure, failure]
    await send(EditMessageText(chat_id=1, message_id=1, text="x"))
    assert len(wire.requests) == 3


@pytest.mark.parametrize("method", [SendChatAction(chat_id=1, action="typing"), GetUpdates()])
async def test_what_is_stale_a_moment_later_is_not_repeated(
    send: Any, wire: Wire, method: TelegramMethod[Any]
) -> None:
    wire.failures = [bad_gateway]
    with pytest.raises(TelegramServerError):
        await send(method)
    assert len(wire.requests) == 1


async def test_a_refusal_is_not_repeated(send: Any, wire: Wire) -> None:
    wire.failures = [lambda method: TelegramBadRequest(method, "Bad Request: chat not found")]
    with pytest.raises(TelegramBadRequest):
        await send(HELLO)
    assert len(wire.requests) == 1


async def test_a_chat_that_blocks_us_is_remembered_and_not_written_to(
    database: Database, send: Any, wire: Wire
) -> None:
    wire.failures = [lambda method: TelegramForbiddenError(method, "bot was blocked by the user")]
    for _ in range(2):
        with pytest.raises(TelegramForbiddenError):
            await send(HELLO)
    assert len(wire.requests) == 1
    later = Sender(database)
    await later.load()
    assert later.is_blocked(1)
    await later.set_blocked(1, False)
    afterwards = Sender(database)
    await afterwards.load()
    assert not afterwards.is_blocked(1)


async def test_what_arrived_is_written_down_before_the_next_message_leaves(
    database: Database, send: Any, wire: Wire
) -> None:
    recorded_when_sent: list[int] = []
    plain = wire.__call__

    async def watching(bot: Bot, method: TelegramMethod[Any]) -> Any:
        async with database.read() as session:
            recorded_when_sent.append(len(list(await session.scalars(select(SentRow.id)))))
        return await plain(bot, method)

    sender = Sender(database, Limits(chat_burst=10))
    bot = Bot("123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    await asyncio.gather(*(sender(watching, bot, HELLO) for _ in range(4)))
    assert recorded_when_sent == [0, 1, 2, 3]
