"""/feedback: words, a picture, a voice note or a file to the team, and answers to what the team wrote."""

import json
from contextlib import suppress
from typing import Any

from aiogram import F, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command, CommandObject, Filter
from aiogram.types import CallbackQuery, Message
from aiogram_i18n import I18nContext

from bot.domain import Letter, Listener
from bot.feedback_buttons import FeedbackPress, more_keyboard, start_keyboard
from bot.services.feedback import FeedbackService
from bot.texts import Texts

IN_PRIVATE = F.chat.type == "private"
# Music is what the bot is for: a track sent in the middle of a conversation is still a track.
WORDS = F.text | F.photo | F.voice | F.document | F.video | F.video_note | F.contact | F.sticker | F.animation
NOT_CARRIED = {"reply_to_message", "pinned_message", "external_reply", "quote", "reply_markup"}


def content_of(message: Message) -> dict[str, Any]:
    """What is needed to show the message elsewhere."""
    content: dict[str, Any] = json.loads(message.model_dump_json(exclude_none=True, exclude=NOT_CARRIED))
    return content


def source_of(message: Message) -> tuple[int, int]:
    return message.chat.id, message.message_id


class InConversation(Filter):
    """The user is in the middle of writing to the team."""

    async def __call__(self, message: Message, listener: Listener, feedback: FeedbackService) -> bool:  # noqa: ARG002
        return await feedback.conversation(listener.id) is not None


class AnswersTeam(Filter):
    """A reply to a message of the team; `letter` is that message's."""

    async def __call__(
        self, message: Message, listener: Listener, feedback: FeedbackService
    ) -> bool | dict[str, Letter]:
        replied = message.reply_to_message
        if replied is None or replied.from_user is None or not replied.from_user.is_bot:
            return False
        letter = await feedback.letter_behind(message.chat.id, replied.message_id)
        return {"letter": letter} if letter is not None and letter.user_id == listener.id else False


async def on_feedback(
    message: Message,
    command: CommandObject,
    listener: Listener,
    feedback: FeedbackService,
    i18n: I18nContext,
    texts: Texts,
) -> None:
    await feedback.begin(listener.id)
    if command.args:  # said in one go
        said = message.model_copy(update={"text": command.args, "entities": None})
        await on_words(said, listener, feedback, i18n, texts)
        return
    await message.answer(i18n.get("feedback-start"), reply_markup=start_keyboard(texts, listener.locale))


async def on_words(
    message: Message,
    listener: Listener,
    feedback: FeedbackService,
    i18n: I18nContext,
    texts: Texts,
    letter: Letter | None = None,
) -> None:
    """Stored, told, handed on: in this order, so that what the user reads is true whatever happens next.

    `letter`: the team's, where this answers one.
    """
    thread_id = letter.thread_id if letter else None
    taken = await feedback.take(listener.id, content_of(message), source_of(message), thread_id=thread_id)
    if taken.letter.ack_message_id is None:
        ack = await message.reply(
            i18n.get("feedback-taken", thread=str(taken.letter.thread_id)),
            reply_markup=None if letter else more_keyboard(texts, listener.locale),
        )
        await feedback.acknowledged(taken.letter, ack.message_id)
    await feedback.send(taken.letter)


async def on_cancel(
    message: Message, listener: Listener, feedback: FeedbackService, i18n: I18nContext
) -> None:
    await message.answer(await farewell(listener, feedback, i18n))


async def farewell(listener: Listener, feedback: FeedbackService, i18n: I18nContext) -> str:
    conversation = await feedback.conversation(listener.id)
    await feedback.end(listener.id)
    is_said = conversation is not None and "thread_id" in conversation.state
    return i18n.get("feedback-ended" if is_said else "feedback-cancelled")


async def on_press(
    query: CallbackQuery,
    callback_data: FeedbackPress,
    listener: Listener,
    feedback: FeedbackService,
    i18n: I18nContext,
) -> None:
    if not isinstance(query.message, Message) or query.message.chat.id != listener.id:
        await query.answer()
        return
    if callback_data.action == "contact" and await feedback.ask_contact(listener.id):
        await query.answer()
        await query.message.answer(i18n.get("feedback-ask-contact"))
        return
    is_open = await feedback.conversation(listener.id) is not None
    text = await farewell(listener, feedback, i18n) if is_open else i18n.get("feedback-over")
    await query.answer(text, show_alert=False)
    with suppress(TelegramBadRequest):  # pressed twice
        await query.message.edit_reply_markup(reply_markup=None)


def build_router() -> Router:
    router = Router(name="feedback")
    router.message.register(on_feedback, IN_PRIVATE, Command("feedback"))
    router.message.register(on_words, IN_PRIVATE, WORDS | F.audio, AnswersTeam())
    router.message.register(on_cancel, IN_PRIVATE, Command("cancel"), InConversation())
    router.message.register(on_words, IN_PRIVATE, WORDS, ~F.text.startswith("/"), InConversation())
    router.callback_query.register(on_press, FeedbackPress.filter())
    return router
