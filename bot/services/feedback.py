"""Feedback: a user's words are stored first, then carried (`bot.services.letters`)."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.methods import EditMessageCaption, EditMessageText

from bot.db import feedback, jobs
from bot.db.engine import Database
from bot.db.models import utc_now
from bot.domain import Conversation, Lane, Letter, Refusal, RequestRefused
from bot.services.jobs import JobService
from bot.services.letters import letter_jobs
from bot.texts import Texts

logger = logging.getLogger(__name__)

TOPIC = "feedback"
LETTERS_PER_HOUR = 20
MAX_CONTACT = 200
SOURCE = tuple[int, int]  # chat and message


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter that was written down. `is_new` False: the update came twice."""

    letter: Letter
    is_new: bool


class FeedbackService:
    def __init__(
        self, *, bot: Bot, database: Database, jobs: JobService, texts: Texts, team_chat_id: int | None
    ) -> None:
        self._bot = bot
        self._database = database
        self._jobs = jobs
        self._texts = texts
        self._team_chat_id = team_chat_id

    async def begin(self, user_id: int) -> None:
        async with self._database.write() as session:
            await feedback.set_conversation(session, user_id, Conversation(TOPIC, {}))

    async def conversation(self, user_id: int) -> Conversation | None:
        async with self._database.read() as session:
            found = await feedback.get_conversation(session, user_id)
        return found if found is not None and found.topic == TOPIC else None

    async def end(self, user_id: int) -> None:
        async with self._database.write() as session:
            await feedback.end_conversation(session, user_id)

    async def ask_contact(self, user_id: int) -> bool:
        """The next text is a way to reach the user. False: they have not written anything yet."""
        async with self._database.write() as session:
            found = await feedback.get_conversation(session, user_id)
            if found is None or found.topic != TOPIC or "thread_id" not in found.state:
                return False
            state = found.state | {"step": "contact"}
            await feedback.set_conversation(session, user_id, Conversation(TOPIC, state))
        return True

    async def take(
        self, user_id: int, content: dict[str, Any], source: SOURCE, *, thread_id: int | None = None
    ) -> Taken:
        """Write down what a user says: in `thread_id`, else in the conversation's thread, else in a new one.

        Raises RequestRefused(TOO_MANY_LETTERS) for a flood. Nothing is carried yet: `send` does that, after
        the user was told.
        """
        async with self._database.write() as session:
            if (same := await feedback.find_letter(session, *source)) is not None:
                return Taken(same, is_new=False)
            since = utc_now() - timedelta(hours=1)
            if await feedback.count_letters_since(session, user_id, since) >= LETTERS_PER_HOUR:
                raise RequestRefused(Refusal.TOO_MANY_LETTERS, {"limit": LETTERS_PER_HOUR})
            if thread_id is None:
                thread_id = await self._thread_of_conversation(session, user_id, content)
            letter = await feedback.add_letter(
                session, thread_id, user_id, content, source=source, is_from_team=False
            )
        return Taken(letter, is_new=True)

    async def _thread_of_conversation(self, session: Any, user_id: int, content: dict[str, Any]) -> int:
        found = await feedback.get_conversation(session, user_id)
        state = found.state if found is not None and found.topic == TOPIC else {}
        thread_id: int = state.get("thread_id") or await feedback.open_thread(session, user_id)
        if state.get("step") == "contact":
            await feedback.set_contact(session, thread_id, contact_in(content))
        await feedback.set_conversation(session, user_id, Conversation(TOPIC, {"thread_id": thread_id}))
        return thread_id

    async def acknowledged(self, letter: Letter, message_id: int) -> None:
        """Where the user was told that the letter is on its way: the place to say that it arrived."""
        async with self._database.write() as session:
            await feedback.set_ack(session, letter.id, message_id)

    async def answer(self, letter: Letter, content: dict[str, Any], source: SOURCE) -> None:
        """The team's reply to a letter of the user (or to its own earlier one)."""
        async with self._database.write() as session:
            if await feedback.find_letter(session, *source) is not None:
                return
            reply = await feedback.add_letter(
                session, letter.thread_id, letter.user_id, content, source=source, is_from_team=True
            )
        await self.send(reply)

    async def send(self, letter: Letter) -> None:
        """Hand the letter to the queue, once. Without a team chat it waits for the day there is one."""
        chat_id = letter.user_id if letter.is_from_team else self._team_chat_id
        if chat_id is None:
            return
        async with self._database.write() as session:
            for request in letter_jobs(letter, chat_id):
                if await jobs.find_same(session, request) is None:
                    await jobs.add(session, request, Lane.LIGHT)
        self._jobs.bell.ring()

    async def resume(self) -> None:
        """At start: letters that were written down and never handed to the queue."""
        async with self._database.read() as session:
            pending = await feedback.pending_letters(session)
        for letter in pending:
            await self.send(letter)

    async def letter_behind(self, chat_id: int, message_id: int) -> Letter | None:
        """The letter that one of our messages carries, None for other messages."""
        async with self._database.read() as session:
            return await feedback.letter_behind(session, chat_id, message_id)

    async def redact(self, user_id: int) -> int:
        """Remove what the team's chat shows of a user who wants to be forgotten; how many messages."""
        if self._team_chat_id is None:
            return 0
        async with self._database.read() as session:
            carriers = await feedback.carriers(session, user_id, self._team_chat_id)
        text = self._texts.get("en", "letter-erased")
        for message_id, method in carriers:
            edit = (
                EditMessageText(chat_id=self._team_chat_id, message_id=message_id, text=text)
                if method == "sendMessage"
                else EditMessageCaption(chat_id=self._team_chat_id, message_id=message_id, caption=text)
            )
            try:
                await self._bot.delete_message(self._team_chat_id, message_id)
            except (TelegramBadRequest, TelegramForbiddenError):  # over 48 hours old: it can still be edited
                try:
                    await self._bot(edit)
                except (TelegramBadRequest, TelegramForbiddenError) as exc:
                    logger.info("a letter in the team's chat could not be blanked: %s", exc.message)
        return len(carriers)


def contact_in(content: dict[str, Any]) -> str:
    """The way to reach the user that a message names: a shared contact or a text."""
    shared = content.get("contact")
    text = shared["phone_number"] if shared else content.get("text") or content.get("caption") or ""
    return str(text)[:MAX_CONTACT]
