"""What a pressed button under a highlight does. Media go out through a job; marks change at once."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from aiogram.types import InlineKeyboardMarkup

from bot.db import answers, jobs, opinions
from bot.db.engine import Database
from bot.domain import (
    ACTIVE,
    Answer,
    AnswerKind,
    HighlightOptions,
    JobKind,
    JobRequest,
    Lane,
    Listener,
    RecutOrder,
)
from bot.keyboards import Button, answer_keyboard
from bot.services.jobs import JobService
from bot.texts import Texts

MOVES = {Button.EARLIER, Button.LATER, Button.NEXT}
LENGTHS = {Button.LENGTH_15, Button.LENGTH_30, Button.LENGTH_60}
RECORD_S = 3.0
RATINGS = {Button.LIKE: 1, Button.DISLIKE: -1, Button.UNRATE: None}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to tell whoever pressed: a notice by its key (None: nothing), and the keyboard as it is now (None:
    as it was).
    """

    key: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    is_alert: bool = False
    keyboard: InlineKeyboardMarkup | None = None


class ButtonService:
    def __init__(self, database: Database, queue: JobService, texts: Texts) -> None:
        self._database = database
        self._queue = queue
        self._texts = texts

    async def press(
        self, listener: Listener, chat_id: int, message_id: int, button: Button, revision: int, press: str
    ) -> Outcome:
        """`press`: the callback query's id. Raises RequestRefused as `JobService.submit` does."""
        answer = await self._find(chat_id, message_id)
        if answer is None:
            return Outcome("answer-forgotten", is_alert=True)
        if answer.user_id != listener.id:
            return Outcome("answer-not-yours", is_alert=True)
        if revision != answer.revision:
            return Outcome()  # the answer changed meanwhile: a second tap on what is gone
        if button in RATINGS:
            return await self._rate(listener, answer, RATINGS[button])
        if button in {Button.ADD, Button.DROP}:
            return await self._mix(listener, answer, is_in=button is Button.ADD)
        if button is Button.CURVE:
            return await self._draw(answer, press)
        if button is Button.MP3:
            return await self._export(answer, press)
        return await self._recut(answer, button, press)

    async def _find(self, chat_id: int, message_id: int) -> Answer | None:
        """The answer, waited for where it is in the chat already and on its way into storage."""
        deadline = asyncio.get_running_loop().time() + RECORD_S
        while True:
            async with self._database.read() as session:
                is_sending = await jobs.is_sending(session, chat_id)  # first: its end means that it is stored
                answer = await answers.find(session, chat_id, message_id)
            if answer is not None or not is_sending or asyncio.get_running_loop().time() > deadline:
                return answer
            await asyncio.sleep(0.05)

    async def _rate(self, listener: Listener, answer: Answer, rating: int | None) -> Outcome:
        span = opinions.span_of(answer)
        async with self._database.write() as session:
            await opinions.rate(session, listener.id, answer.track.id, answer.model_version, span, rating)
        key = {1: "liked", -1: "disliked", None: "unrated"}[rating]
        return Outcome(key, keyboard=await self._keyboard(listener, answer))

    async def _mix(self, listener: Listener, answer: Answer, *, is_in: bool) -> Outcome:
        async with self._database.write() as session:
            if is_in:
                n = await opinions.add_to_mix(session, listener.id, answer.track.id, opinions.span_of(answer))
            else:
                n = await opinions.drop_from_mix(session, listener.id, answer.track.id)
        key = "added-to-mix" if is_in else "dropped-from-mix"
        return Outcome(key, {"n": n}, keyboard=await self._keyboard(listener, answer))

    async def _keyboard(self, listener: Listener, answer: Answer) -> InlineKeyboardMarkup:
        async with self._database.read() as session:
            opinion = await opinions.get(
                session, listener.id, answer.track.id, answer.model_version, opinions.span_of(answer)
            )
        return answer_keyboard(
            self._texts, listener.locale, answer.highlight, opinion, answer.duration_s, answer.revision
        )

    async def _draw(self, answer: Answer, press: str) -> Outcome:
        return await self._submit(
            answer,
            JobKind.CURVE,
            f"curve#{answer.revision}",
            {"highlight_id": answer.highlight.id},
            "drawing-curve",
            press,
        )

    async def _export(self, answer: Answer, press: str) -> Outcome:
        options = replace(HighlightOptions.from_key(answer.highlight.options), answer_kind=AnswerKind.AUDIO)
        order = RecutOrder(is_export=True)
        return await self._submit(
            answer, JobKind.RECUT, f"{options.key}#mp3", order.to_payload(), "making-mp3", press
        )

    async def _recut(self, answer: Answer, button: Button, press: str) -> Outcome:
        options = HighlightOptions.from_key(answer.highlight.options)
        starts = answer.highlight.choices.starts
        if button not in starts:
            return Outcome()
        length_s = float(button) if button in LENGTHS else options.length_s
        if button in LENGTHS and length_s == options.length_s:
            return Outcome("same-length", {"length": int(length_s)})
        wanted = replace(options, length_s=length_s, start_s=starts[button])
        order = RecutOrder(
            reply_to=answer.source_message_id,
            replaces=answer.message_id,
            # A voice message is never changed, its successor starts anew.
            revision=answer.revision + 1 if options.answer_kind is AnswerKind.AUDIO else 0,
            is_correction=button in MOVES,
        )
        return await self._submit(
            answer,
            JobKind.RECUT,
            f"{wanted.key}#{answer.revision}",
            order.to_payload(),
            "cutting-again",
            press,
        )

    async def _submit(
        self, answer: Answer, kind: JobKind, options: str, payload: dict[str, Any], key: str, press: str
    ) -> Outcome:
        """One job for each answer and what is wanted of it, however often the button is pressed."""
        submission = await self._queue.submit(
            JobRequest(
                kind=kind,
                user_id=answer.user_id,
                chat_id=answer.chat_id,
                message_id=answer.message_id,
                options=options,
                track=answer.track,
                payload=payload,
            ),
            press=press,
        )
        if submission.job.state in ACTIVE:
            return Outcome(None if submission.job.lane is Lane.LIGHT else key)
        return Outcome("already-there")
