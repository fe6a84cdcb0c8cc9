"""A job's answer, exactly once.

Telegram offers no idempotency key and no way to list a chat, and a request can die (our process killed,
time-out, 502) after the message was delivered and before we heard of it. Repeating blindly doubles the
answer, never repeating loses it. So:

1. While holding the chat's turn, the intent (method, caption, keyboard, and `floor`, the highest message
   number known) is stored and the job becomes SENDING; only then the request leaves.
2. On Telegram's answer, one transaction stores the message, lets the recipe keep its file_id and marks the
   job.
3. If the outcome is unknown, we look. Message numbers only grow: all private chats and basic groups of a bot
   share one sequence, a supergroup has its own. If the answer arrived, its number lies a little above
   `floor`. The sender writes every other message down before the next may leave the chat, so a message there
   that is ours, above `floor` and unknown to storage can only be this one. Whether a number is such a message
   is asked with an edit, which fails with "message to edit not found" or "message can't be edited" for
   everything that is not ours: for media with our own caption (the returned message brings the file_id; the
   keyboard is put back), for text by removing a keyboard that it does not have ("message is not modified").
4. Found: step 2. Not found in the next `SPAN` numbers: it did not arrive, the job is done again.

A killed process's request may still be on its way when the next one looks; starting takes longer than that,
and `SETTLE_S` is waited for besides. What stays open: a bot so busy that more than `SPAN` messages pass
between the intent and the send would send twice.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import (
    EditMessageCaption,
    EditMessageMedia,
    EditMessageReplyMarkup,
    EditMessageText,
    TelegramMethod,
)
from aiogram.types import InlineKeyboardMarkup, Message
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db import jobs
from bot.db.engine import Database
from bot.db.models import utc_now
from bot.domain import Intent, Job, JobState, Sent
from bot.services.recipes import Reply
from bot.services.sender import DeliveryUncertain, Sender, to_sent

logger = logging.getLogger(__name__)

SPAN = 60
SETTLE_S = 2.0
ATTEMPTS = 3

Confirm = Callable[[AsyncSession, Job, Sent], Awaitable[None]]


class JobGone(Exception):
    """Cancelled or erased while it was worked on: nothing is to be sent."""


class Delivery:
    def __init__(
        self,
        bot: Bot,
        database: Database,
        sender: Sender,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bot = bot
        self._database = database
        self._sender = sender
        self._sleep = sleep

    async def deliver(
        self,
        job: Job,
        method: Reply,
        final: JobState,
        *,
        error_code: str | None = None,
        confirm: Confirm | None = None,
    ) -> Sent:
        """Send a job's answer and mark the job `final`. Raises JobGone, DeliveryUncertain, Telegram's
        errors.
        """
        if isinstance(method, EditMessageMedia | EditMessageText):
            return await self._change(job, method, final, confirm)
        markup = getattr(method, "reply_markup", None)
        for attempt in range(1, ATTEMPTS + 1):
            async with self._sender.turn(job.chat_id):
                intent = Intent(
                    method=method.__api_method__,
                    text=getattr(method, "caption", None) or getattr(method, "text", None) or "",
                    floor=max(self._sender.highest(job.chat_id), job.message_id),
                    final=final,
                    markup=json.loads(markup.model_dump_json(exclude_none=True)) if markup else None,
                    error_code=error_code,
                )
                async with self._database.write() as session:
                    if not await jobs.intend(session, job.id, intent, job.owner):
                        raise JobGone(job.id)
                try:
                    sent: Sent | None = to_sent(await self._bot(method), intent.method)
                except DeliveryUncertain:
                    logger.warning("answer of unknown fate, looking for it")
                    await self._sleep(SETTLE_S)
                    sent = await self.find(job, intent)
                    if sent is None and attempt == ATTEMPTS:
                        raise
                if sent is not None:
                    await self.record(job, intent, sent, confirm)
                    return sent
        raise AssertionError("unreachable")

    async def _change(
        self, job: Job, method: EditMessageMedia | EditMessageText, final: JobState, confirm: Confirm | None
    ) -> Sent:
        """An answer that changes in place. Repeating an edit does no harm, so there is nothing to look for
        afterwards: a job that is interrupted here stays RUNNING and is done again.
        """
        sent = Sent(job.chat_id, method.message_id or 0, method.__api_method__)
        async with self._database.read() as session:
            if not await jobs.is_active(session, job.id):
                raise JobGone(job.id)
        try:
            result = await self._bot(method)
        except TelegramBadRequest as exc:
            if "message to edit not found" in exc.message:  # deleted meanwhile: nobody waits for it
                final = JobState.CANCELLED
            elif "message is not modified" not in exc.message:
                raise
        else:
            if isinstance(result, Message):
                sent = to_sent(result, method.__api_method__)
        async with self._database.write() as session:
            if confirm is not None and final is JobState.DONE:
                await confirm(session, job, sent)
            await jobs.finish(session, job.id, final, utc_now())
        return sent

    async def record(self, job: Job, intent: Intent, sent: Sent, confirm: Confirm | None) -> None:
        async with self._database.write() as session:
            if not await jobs.exists(session, job.id):
                return  # its user was erased meanwhile: nothing about them is to be stored
            await jobs.record_sent(session, sent, job.id)
            if confirm is not None and intent.final is JobState.DONE:
                await confirm(session, job, sent)
            await jobs.finish(session, job.id, intent.final, utc_now(), intent.error_code)

    async def resolve(self, job: Job, confirm: Confirm | None) -> Sent | None:
        """A job that an earlier process left in SENDING: mark it answered, or put it back into the queue."""
        if job.intent is None:
            raise ValueError(f"job {job.id} has no intent")
        async with self._sender.turn(job.chat_id):
            await self._sleep(SETTLE_S)
            sent = await self.find(job, job.intent)
            if sent is not None:
                await self.record(job, job.intent, sent, confirm)
            else:
                async with self._database.write() as session:
                    await jobs.requeue(session, job.id)
        logger.info("interrupted answer %s", "had arrived" if sent else "had not arrived, doing it again")
        return sent

    async def find(self, job: Job, intent: Intent) -> Sent | None:
        """The one message of ours above the intent's floor that storage does not know."""
        async with self._database.read() as session:
            known = await jobs.recorded_ids(session, job.chat_id, intent.floor + 1, intent.floor + SPAN)
        for message_id in range(intent.floor + 1, intent.floor + SPAN + 1):
            if message_id not in known and (sent := await self._probe(job.chat_id, message_id, intent)):
                return sent
        return None

    async def _probe(self, chat_id: int, message_id: int, intent: Intent) -> Sent | None:
        edit: TelegramMethod[Message | bool] = (
            EditMessageReplyMarkup(chat_id=chat_id, message_id=message_id)
            if intent.method == "sendMessage"
            else EditMessageCaption(chat_id=chat_id, message_id=message_id, caption=intent.text)
        )
        found = Sent(chat_id, message_id, intent.method)
        try:
            result = await self._bot(edit)
        except TelegramBadRequest as exc:
            return found if "message is not modified" in exc.message else None
        if intent.markup is not None:
            markup = InlineKeyboardMarkup.model_validate(intent.markup)
            await self._bot(
                EditMessageReplyMarkup(chat_id=chat_id, message_id=message_id, reply_markup=markup)
            )
        return to_sent(result, intent.method) if isinstance(result, Message) else found
