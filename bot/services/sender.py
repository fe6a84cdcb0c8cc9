"""Everything the bot says to Telegram passes here, because this is the session's request middleware.

Write `await message.answer(...)` or `await bot(SendVoice(...))` anywhere; the sender sees to the rest:

- order within a chat, and Telegram's limits: about one message a second in a chat, 20 a minute in a group, 30
  a second in all (core.telegram.org/bots/faq);
- `retry_after` is waited for, up to a limit; a chat that forbids us to write is marked and not written to
  again;
- a new message whose fate is unknown (time-out, broken connection, 5xx) is never repeated: DeliveryUncertain
  says so, and whoever must know looks (`bot.services.delivery`). All other methods have the same effect when
  repeated, and are;
- each message that arrived is written down (`messages_sent`) before the chat's next one may leave. So at any
  moment a chat holds at most one message of ours that storage does not know.
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import EditMessageCaption, EditMessageMedia, EditMessageText, TelegramMethod
from aiogram.types import Message

from bot.db import jobs, people
from bot.db.engine import Database
from bot.domain import Sent
from bot.services.pace import Pace

logger = logging.getLogger(__name__)

SUPERGROUP_IDS_BELOW = -1_000_000_000_000
REPEATS = 4  # of a request that certainly did not arrive, or that does no harm twice
FLEETING = {"sendChatAction", "getUpdates"}  # never worth waiting for


class DeliveryUncertain(Exception):  # a state of knowledge, not a fault of ours
    """The message may or may not have arrived; `method` is the API method's name."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(method, reason)


@dataclass(frozen=True, slots=True)
class Limits:
    """Burst and rate together stay within Telegram's numbers in any second, or minute for a group. Short
    bursts in a private chat are tolerated.
    """

    all_per_s: float = 25.0
    all_burst: float = 5.0
    chat_per_s: float = 1.0
    chat_burst: float = 3.0
    group_per_s: float = 15 / 60
    group_burst: float = 5.0
    longest_wait_s: float = 90.0  # a longer retry_after goes back to the caller


class _Chat:
    def __init__(self, pace: Pace) -> None:
        self.lock = asyncio.Lock()
        self.pace = pace


_turn: ContextVar[int | None] = ContextVar("turn", default=None)


def creates_message(method: TelegramMethod[Any]) -> bool:
    name = method.__api_method__
    return name.startswith(("send", "copyMessage", "forwardMessage")) and name != "sendChatAction"


def is_group(chat_id: int) -> bool:
    return chat_id < 0


def sequence(chat_id: int) -> int:
    """Private chats and basic groups share the account's message numbers; a supergroup has its own."""
    return chat_id if chat_id < SUPERGROUP_IDS_BELOW else 0


def to_sent(message: Message, method: str) -> Sent:
    media = message.voice or message.audio or message.video or message.animation or message.document
    photo = message.photo[-1] if message.photo else None
    file_id = media.file_id if media else photo.file_id if photo else None
    return Sent(message.chat.id, message.message_id, method, file_id)


def never_left(exc: TelegramNetworkError) -> bool:
    """The connection was not even made, so nothing was sent."""
    return isinstance(exc.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


class Sender(BaseRequestMiddleware):
    def __init__(
        self,
        database: Database,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._limits = limits or Limits()
        self._clock = clock
        self._sleep = sleep
        self._all = Pace(self._limits.all_per_s, self._limits.all_burst, clock, sleep)
        self._chats: dict[int, _Chat] = {}
        self._highest: defaultdict[int, int] = defaultdict(int)
        self._blocked: set[int] = set()

    async def load(self) -> None:
        """What earlier runs knew: blocked chats and message numbers."""
        async with self._database.read() as session:
            self._blocked = await people.blocked_chats(session)
            for chat_id, message_id in (await jobs.highest_message_ids(session)).items():
                self.note(chat_id, message_id)

    def note(self, chat_id: int, message_id: int) -> None:
        """A message with this number was seen; later ones have higher numbers."""
        key = sequence(chat_id)
        self._highest[key] = max(self._highest[key], message_id)

    def highest(self, chat_id: int) -> int:
        return self._highest[sequence(chat_id)]

    def is_blocked(self, chat_id: int) -> bool:
        return chat_id in self._blocked

    async def set_blocked(self, chat_id: int, is_blocked: bool) -> None:
        if is_blocked == (chat_id in self._blocked):
            return
        (self._blocked.add if is_blocked else self._blocked.discard)(chat_id)
        async with self._database.write() as session:
            await people.set_blocked(
                session, chat_id, "group" if is_group(chat_id) else "private", is_blocked=is_blocked
            )

    @contextlib.asynccontextmanager
    async def turn(self, chat_id: int) -> AsyncIterator[None]:
        """Hold the chat: nobody else's message goes there inside the block, and the block writes down its
        own.
        """
        async with self._chat(chat_id).lock:
            token = _turn.set(chat_id)
            try:
                yield
            finally:
                _turn.reset(token)

    def _chat(self, chat_id: int) -> _Chat:
        chat = self._chats.get(chat_id)
        if chat is None:
            if len(self._chats) > 5000:
                self._chats = {k: c for k, c in self._chats.items() if c.lock.locked() or not c.pace.is_full}
            limits = self._limits
            per_s, burst = (
                (limits.group_per_s, limits.group_burst)
                if is_group(chat_id)
                else (limits.chat_per_s, limits.chat_burst)
            )
            chat = self._chats[chat_id] = _Chat(Pace(per_s, burst, self._clock, self._sleep))
        return chat

    async def __call__(self, make_request: Any, bot: Bot, method: TelegramMethod[Any]) -> Any:
        chat_id = getattr(method, "chat_id", None)
        if not isinstance(chat_id, int):
            return await self._request(make_request, bot, method)
        if not creates_message(method):
            if isinstance(method, EditMessageText | EditMessageCaption | EditMessageMedia):
                await self._all.take()
            return await self._request(make_request, bot, method)
        if chat_id in self._blocked:
            raise TelegramForbiddenError(method, "Forbidden: the chat is marked as blocked")
        if _turn.get() == chat_id:
            return await self._send(make_request, bot, method, chat_id)
        async with self._chat(chat_id).lock:
            result = await self._send(make_request, bot, method, chat_id)
            await self._write_down(result, method.__api_method__)
            return result

    async def _send(self, make_request: Any, bot: Bot, method: TelegramMethod[Any], chat_id: int) -> Any:
        await self._chat(chat_id).pace.take()
        await self._all.take()
        try:
            result = await self._request(make_request, bot, method)
        except TelegramForbiddenError:
            await self.set_blocked(chat_id, True)
            raise
        for message in result if isinstance(result, list) else [result]:
            if isinstance(message, Message):
                self.note(message.chat.id, message.message_id)
        return result

    async def _write_down(self, result: Any, method: str) -> None:
        messages = [m for m in (result if isinstance(result, list) else [result]) if isinstance(m, Message)]
        if messages:
            async with self._database.write() as session:
                for message in messages:
                    await jobs.record_sent(session, to_sent(message, method))

    async def _request(self, make_request: Any, bot: Bot, method: TelegramMethod[Any]) -> Any:
        """The request, repeated where that is safe."""
        name = method.__api_method__
        repeats = 1 if name in FLEETING else REPEATS
        is_safe_twice = not creates_message(method)
        waited_s = 0.0
        for attempt in range(1, repeats + 1):
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as exc:
                waited_s += exc.retry_after
                if attempt == repeats or waited_s > self._limits.longest_wait_s:
                    raise
                logger.warning("%s must wait %d s", name, exc.retry_after)
                await self._sleep(exc.retry_after)
            except TelegramEntityTooLarge:
                raise
            except (TelegramNetworkError, TelegramServerError, ClientDecodeError) as exc:
                is_certain = isinstance(exc, TelegramNetworkError) and never_left(exc)
                if not (is_safe_twice or is_certain):
                    raise DeliveryUncertain(name, type(exc).__name__) from exc
                if attempt == repeats:
                    raise
                logger.warning("%s failed (%s), trying again", name, type(exc).__name__)
                await self._sleep(0.5 * 2**attempt)
        raise AssertionError("unreachable")
