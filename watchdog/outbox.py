"""The way to Telegram: durable, in order, patient.

The table `messages` holds what each message should say and what it says already. Whatever differs is sent or
edited when it is due, so several changes become one edit, and after a restart the rest follows. An alert that
failed on its way is sent again: told twice, in a rare case, is better than never told.
"""

import asyncio
import html
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from aiogram import Bot
from aiogram.exceptions import (
    AiogramError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import BufferedInputFile, LinkPreviewOptions, ReplyParameters

from watchdog.store import Store

log = logging.getLogger(__name__)

MAX_BACKOFF_S = 60.0
MAX_REFUSALS = 3
UNCHANGED = "message is not modified"
GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message that does not say yet what it should."""

    id: int
    text: str
    photo: bytes | None
    is_silent: bool
    telegram_id: int | None
    reply_to_telegram_id: int | None
    attempts: int


class Outbox:
    """Sends what is due, one request at a time."""

    def __init__(
        self,
        store: Store,
        bot: Bot,
        chat_id: int,
        *,
        lock: asyncio.Lock,
        clock: Callable[[], float],
        on_success: Callable[[], None],
        edit_gap_s: float = 3.0,
    ) -> None:
        self._store = store
        self._bot = bot
        self._chat_id = chat_id
        self._lock = lock
        self._clock = clock
        self._on_success = on_success
        self._edit_gap_s = edit_gap_s
        self._wake = asyncio.Event()
        self._backoff_s = 0.0

    @property
    def chat_id(self) -> int:
        return self._chat_id

    def wake(self) -> None:
        """Something may have become due."""
        self._wake.set()

    async def run(self) -> None:
        """Send for ever."""
        moved = await self._store.get("chat_id")
        if moved is not None:
            self._chat_id = int(moved)
        while True:
            self._wake.clear()
            wait_s = await self.send_due()
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def send_due(self) -> float | None:
        """Send all that is due; answers in how many seconds to look again, None for: when woken."""
        while True:
            now = self._clock()
            paused_until = await self._store.get_float("paused_until") or 0.0
            if paused_until > now:
                return min(paused_until - now, MAX_BACKOFF_S)  # a clock set back must not silence us for long
            outgoing = await self._next(now)
            if outgoing is None:
                return await self._seconds_to_next(now)
            await self._deliver(outgoing)

    async def _next(self, now: float) -> Outgoing | None:
        query = (
            "SELECT m.id, m.text, m.photo, m.is_silent, m.telegram_id, r.telegram_id, m.attempts "
            "FROM messages m LEFT JOIN messages r ON r.id = m.reply_to "
            "WHERE m.gave_up IS NULL AND m.text IS NOT m.sent_text AND m.due_at <= ? "
            "ORDER BY m.telegram_id IS NOT NULL, m.due_at, m.id LIMIT 1"
        )
        async with self._store.db.execute(query, (now,)) as rows:
            row = await rows.fetchone()
        if row is None:
            return None
        return Outgoing(row[0], row[1], row[2], bool(row[3]), row[4], row[5], row[6])

    async def _seconds_to_next(self, now: float) -> float | None:
        query = "SELECT MIN(due_at) FROM messages WHERE gave_up IS NULL AND text IS NOT sent_text"
        async with self._store.db.execute(query) as rows:
            row = await rows.fetchone()
        return None if row is None or row[0] is None else max(float(row[0]) - now, 0.05)

    async def _deliver(self, outgoing: Outgoing) -> None:
        try:
            telegram_id = await self._request(outgoing)
        except TelegramRetryAfter as exc:
            await self._pause(float(exc.retry_after))
        except TelegramMigrateToChat as exc:
            self._chat_id = exc.migrate_to_chat_id
            async with self._lock, self._store.transaction():
                await self._store.set("chat_id", str(self._chat_id))
        except TelegramBadRequest as exc:
            await self._refused(outgoing, exc)
        except (TelegramForbiddenError, TelegramUnauthorizedError, TelegramNotFound) as exc:
            log.error("Telegram does not let me write to chat %s: %s", self._chat_id, exc.message)
            await self._pause(MAX_BACKOFF_S)
        except (TelegramNetworkError, TelegramServerError, TelegramAPIError, AiogramError, OSError) as exc:
            self._backoff_s = min(max(self._backoff_s * 2, 1.0), MAX_BACKOFF_S)
            log.warning(
                "Telegram cannot be reached (%s), next try in %.0f s", type(exc).__name__, self._backoff_s
            )
            await self._pause(self._backoff_s)
        else:
            self._backoff_s = 0.0
            self._on_success()
            await self._done(outgoing, telegram_id)

    async def _request(self, outgoing: Outgoing) -> int:
        text, parse_mode = (outgoing.text, "HTML") if not outgoing.attempts else (_plain(outgoing.text), None)
        no_preview = LinkPreviewOptions(is_disabled=True)
        if outgoing.telegram_id is not None:
            if outgoing.photo is not None:
                return outgoing.telegram_id
            await self._bot.edit_message_text(
                text, chat_id=self._chat_id, message_id=outgoing.telegram_id, parse_mode=parse_mode,
                link_preview_options=no_preview,
            )  # fmt: skip
            return outgoing.telegram_id
        reply = None
        if outgoing.reply_to_telegram_id is not None:
            reply = ReplyParameters(
                message_id=outgoing.reply_to_telegram_id, allow_sending_without_reply=True
            )
        if outgoing.photo is not None:
            photo = BufferedInputFile(outgoing.photo, "report.png")
            sent = await self._bot.send_photo(
                self._chat_id, photo, caption=text, parse_mode=parse_mode,
                disable_notification=outgoing.is_silent, reply_parameters=reply,
            )  # fmt: skip
            return sent.message_id
        sent = await self._bot.send_message(
            self._chat_id, text, parse_mode=parse_mode, disable_notification=outgoing.is_silent,
            reply_parameters=reply, link_preview_options=no_preview,
        )  # fmt: skip
        return sent.message_id

    async def _refused(self, outgoing: Outgoing, error: TelegramBadRequest) -> None:
        reason = error.message.lower()
        if UNCHANGED in reason:
            await self._done(outgoing, outgoing.telegram_id)
        elif outgoing.telegram_id is not None and any(gone in reason for gone in GONE):
            await self._done(outgoing, outgoing.telegram_id)  # somebody deleted it: they have seen it
        else:
            # Most likely our own markup: the next try goes without it. A text that is refused again and again
            # must not block the others.
            log.error("Telegram refused message %s: %s", outgoing.id, error.message)
            gave_up = error.message if outgoing.attempts + 1 >= MAX_REFUSALS else None
            async with self._lock, self._store.transaction():
                await self._store.db.execute(
                    "UPDATE messages SET attempts = attempts + 1, gave_up = ? WHERE id = ?",
                    (gave_up, outgoing.id),
                )

    async def _done(self, outgoing: Outgoing, telegram_id: int | None) -> None:
        async with self._lock, self._store.transaction():
            await self._store.db.execute(
                "UPDATE messages SET sent_text = ?, telegram_id = ?, due_at = ?, attempts = 0 WHERE id = ?",
                (outgoing.text, telegram_id, self._clock() + self._edit_gap_s, outgoing.id),
            )

    async def _pause(self, seconds: float) -> None:
        async with self._lock, self._store.transaction():
            await self._store.set("paused_until", str(self._clock() + seconds))


def _plain(text: str) -> str:
    """The text without its markup."""
    return html.unescape(re.sub(r"</?(?:b|i|pre|code)>", "", text))
