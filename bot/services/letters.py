"""Carrying letters: what a user wrote, into the team's chat; what the team answered, back. Each message that
a letter becomes is a job of its own, so that it arrives once, whatever dies in between.

A letter to the team never gives up: it is retried until the team's chat takes it. A letter to a user gives up
when the user has blocked the bot, and the team is told.
"""

import logging
from typing import Any

from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.methods import EditMessageText, SendDocument, SendMessage, TelegramMethod
from aiogram.types import FSInputFile, Message, ReplyParameters
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db import feedback, jobs
from bot.db.engine import Database
from bot.domain import Job, JobKind, JobRequest, Lane, Letter, Sent
from bot.feedback_buttons import letter_keyboard, more_keyboard
from bot.services.recipes import Desk, Fetch, InLightLane, KeepsNothing
from bot.texts import Texts, clean_name

logger = logging.getLogger(__name__)

MAX_TEXT = 4096
MAX_CAPTION = 1024
HEADER_ROOM = 400  # what a header may take, its HTML included


def plain_length(message: Message) -> int:
    """Length of the text or caption as Telegram counts it: UTF-16 units, without markup."""
    return len((message.text or message.caption or "").encode("utf-16-le")) // 2


def n_parts(content: dict[str, Any]) -> int:
    """How many messages it takes: two where header and words do not fit into one, or there are no words."""
    message = Message.model_validate(content)
    if message.text is not None:
        return 1 if plain_length(message) + HEADER_ROOM <= MAX_TEXT else 2
    return 1 if takes_caption(message) and plain_length(message) + HEADER_ROOM <= MAX_CAPTION else 2


def takes_caption(message: Message) -> bool:
    return any(
        (message.photo, message.video, message.audio, message.voice, message.document, message.animation)
    )


def render(content: dict[str, Any], chat_id: int, header: str | None, part: int) -> TelegramMethod[Message]:
    """Part `part` of a letter as an unsent method. `header`: HTML, None for the bare message."""
    message = Message.model_validate(content)
    if header is not None and n_parts(content) == 2:
        if part == 0:
            return SendMessage(chat_id=chat_id, text=header)
        header = None
    words = message.html_text if (message.text or message.caption) else ""
    text = "\n\n".join(piece for piece in (header, words) if piece)
    if message.text is not None:
        return SendMessage(chat_id=chat_id, text=text)
    method = message.send_copy(chat_id)
    if takes_caption(message):
        # The default parse mode reads our HTML; the copied entities would count from the wrong place.
        method = type(method).model_validate(
            method.model_dump(exclude={"caption", "caption_entities", "parse_mode", "reply_markup"})
            | {"caption": text or None}
        )
    return method


class LetterRecipe(InLightLane):
    def __init__(
        self, *, database: Database, texts: Texts, fetch: Fetch, team_chat_id: int | None, max_bytes: int
    ) -> None:
        self._database = database
        self._texts = texts
        self._fetch = fetch
        self._team_chat_id = team_chat_id
        self._max_bytes = max_bytes

    def keeps_trying(self, job: Job, exc: Exception) -> bool:
        """Whether to try again for as long as it takes."""
        if job.chat_id == self._team_chat_id:
            return True
        return not isinstance(exc, TelegramForbiddenError | TelegramBadRequest | LookupError)

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        part = int(job.payload["part"])
        async with self._database.read() as session:
            letter = await feedback.get_letter(session, int(job.payload["letter_id"]))
            if letter is None:
                raise LookupError(f"letter {job.payload['letter_id']} is not stored")
            name = await feedback.get_user_name(session, letter.user_id)
            anchor = await feedback.first_carrier(session, letter.thread_id, job.chat_id)
        header = (
            self._texts.get(desk.listener.locale, "letter-from-team")
            if letter.is_from_team
            else self._team_header(letter, name)
        )
        method = render(letter.content, job.chat_id, header, part)
        if not desk.voice_allowed:
            method = await self._as_file(letter.content, job, desk, header)
        if anchor is None and letter.is_from_team:
            anchor = await self._first_words(letter)
        updates: dict[str, Any] = {}
        if anchor is not None:
            updates["reply_parameters"] = ReplyParameters(message_id=anchor, allow_sending_without_reply=True)
        if not letter.is_from_team and part == n_parts(letter.content) - 1:
            updates["reply_markup"] = letter_keyboard(self._texts, "en", letter)
        return method.model_copy(update=updates)

    def _team_header(self, letter: Letter, name: tuple[str, str | None] | None) -> str:
        who, username = name or ("?", None)
        return self._texts.get(
            "en",
            "letter-to-team",
            thread=str(letter.thread_id),
            name=clean_name(who) or "?",
            username=f"@{username}" if username else "",
            user=str(letter.user_id),
        )

    async def _first_words(self, letter: Letter) -> int | None:
        """The user's own last message of the thread: the team's first answer replies to it."""
        async with self._database.read() as session:
            return await feedback.last_words(session, letter.thread_id, letter.user_id)

    async def _as_file(
        self, content: dict[str, Any], job: Job, desk: Desk, header: str
    ) -> TelegramMethod[Message]:
        """A voice message for somebody who takes none. Its file_id is bound to being one: send it anew."""
        voice = Message.model_validate(content).voice
        if voice is None:
            return render(content, job.chat_id, header, 0)
        path = desk.folder / "voice.ogg"
        await self._fetch(voice.file_id, path, self._max_bytes)
        return SendDocument(chat_id=job.chat_id, document=FSInputFile(path), caption=header)

    async def confirm(self, session: AsyncSession, job: Job, sent: Sent) -> None:  # noqa: ARG002
        letter = await feedback.get_letter(session, int(job.payload["letter_id"]))
        if letter is None or int(job.payload["part"]) < n_parts(letter.content) - 1:
            return
        await feedback.mark_delivered(session, letter.id)
        if not letter.is_from_team:
            await jobs.add(session, notice(letter), Lane.LIGHT)

    async def lost(self, session: AsyncSession, job: Job, error_code: str) -> None:
        """Given up: the user is gone. The team hears it as a reply to its own message."""
        letter = await feedback.get_letter(session, int(job.payload["letter_id"]))
        if (
            letter is not None
            and letter.is_from_team
            and await feedback.mark_lost(session, letter.id, error_code)
        ):
            await jobs.add(session, notice(letter), Lane.LIGHT)


def letter_jobs(letter: Letter, chat_id: int) -> list[JobRequest]:
    return [
        JobRequest(
            kind=JobKind.LETTER,
            user_id=letter.user_id,
            chat_id=chat_id,
            message_id=0,
            options=f"{letter.id}:{part}",
            batch=f"thread:{letter.thread_id}",  # in order within a thread
            payload={"letter_id": letter.id, "thread_id": letter.thread_id, "part": part},
        )
        for part in range(n_parts(letter.content))
    ]


def notice(letter: Letter) -> JobRequest:
    return JobRequest(
        kind=JobKind.NOTICE,
        user_id=letter.user_id,
        chat_id=letter.source_chat_id,
        message_id=0,
        options=str(letter.id),
        payload={"letter_id": letter.id},
    )


class NoticeRecipe(InLightLane, KeepsNothing):
    """Turns "on its way" into "the team has it", in place; tells the team that an answer did not arrive."""

    def __init__(self, *, database: Database, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        async with self._database.read() as session:
            letter = await feedback.get_letter(session, int(job.payload["letter_id"]))
            if letter is None:
                raise LookupError(f"letter {job.payload['letter_id']} is not stored")
            is_asking = await feedback.get_conversation(session, letter.user_id) is not None
        if letter.is_from_team:
            return SendMessage(
                chat_id=job.chat_id,
                text=self._texts.get("en", "letter-lost"),
                reply_parameters=ReplyParameters(
                    message_id=letter.source_message_id, allow_sending_without_reply=True
                ),
            )
        locale = desk.listener.locale
        text = self._texts.get(locale, "feedback-delivered", thread=str(letter.thread_id))
        if letter.ack_message_id is None:
            return SendMessage(chat_id=job.chat_id, text=text)
        markup = more_keyboard(self._texts, locale) if is_asking else None
        return EditMessageText(  # type: ignore[return-value]  # Message | bool: True is for inline messages
            chat_id=job.chat_id, message_id=letter.ack_message_id, text=text, reply_markup=markup
        )
