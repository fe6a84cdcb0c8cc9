"""Tracks that arrive, and /highlight, which asks for one that is there already."""

import re
from contextlib import suppress

from aiogram import Bot, F, Router
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import Command, CommandObject
from aiogram.types import Message, ReactionTypeEmoji
from aiogram_i18n import I18nContext

from bot.db import answers
from bot.db.engine import Database
from bot.domain import HighlightOptions, JobKind, JobRequest, Lane, Listener, RecutOrder, Track
from bot.handlers.media import track_from
from bot.handlers.replies import respond
from bot.services.addressing import is_mention
from bot.services.jobs import JobService

SHORTEST_S, LONGEST_S = 5, 120


async def submit(
    message: Message,
    track: Track,
    listener: Listener,
    jobs: JobService,
    *,
    length_s: float | None = None,
    reply_to: int | None = None,
) -> None:
    """`reply_to`: the message with the track, where it is not `message` itself."""
    options = HighlightOptions(length_s or listener.length_s, listener.answer_kind)
    submission = await jobs.submit(
        JobRequest(
            kind=JobKind.HIGHLIGHT,
            user_id=listener.id,
            chat_id=message.chat.id,
            message_id=message.message_id,
            options=options.key,
            track=track,
            batch=message.media_group_id,
            payload=RecutOrder(reply_to=reply_to).to_payload(),
        )
    )
    if submission.is_new and submission.job.lane is Lane.HEAVY:
        with suppress(TelegramAPIError):  # a group may allow no reactions
            await message.react([ReactionTypeEmoji(emoji="👀")])


async def on_track(message: Message, listener: Listener, jobs: JobService, bot: Bot) -> None:
    if message.via_bot is not None and message.via_bot.id == bot.id:
        return  # one of our own highlights, dropped into this chat inline
    if (track := track_from(message)) is not None:
        await submit(message, track, listener, jobs)


async def on_highlight(
    message: Message,
    listener: Listener,
    jobs: JobService,
    database: Database,
    i18n: I18nContext,
    command: CommandObject | None = None,
) -> None:
    """/highlight [seconds], or the bot's name in a group: under a track, or as a reply to one."""
    asked = command.args if command else message.text or message.caption
    number = re.search(r"(?<![\w@])\d+\b", asked or "")
    length_s = float(number.group()) if number else None
    if length_s is not None and not SHORTEST_S <= length_s <= LONGEST_S:
        await respond(message, i18n.get("length-out-of-range", shortest=SHORTEST_S, longest=LONGEST_S))
        return
    track, source_id = await find_track(message, database)
    if track is None:
        await respond(message, i18n.get("highlight-how"))
        return
    await submit(message, track, listener, jobs, length_s=length_s, reply_to=source_id)


async def find_track(message: Message, database: Database) -> tuple[Track | None, int | None]:
    """The track that a message means, and the message that holds it where that is another one of the chat.

    A reply to one of our highlights means the track that it was cut from.
    """
    if (track := track_from(message)) is not None:
        return track, None
    if (replied := message.reply_to_message) is not None:
        async with database.read() as session:
            answer = await answers.find(session, message.chat.id, replied.message_id)
        if answer is not None:
            return answer.track, answer.source_message_id
        return track_from(replied), replied.message_id
    if message.external_reply is not None:
        return track_from(message.external_reply), None
    return None, None


def build_router() -> Router:
    router = Router(name="tracks")
    router.message.register(on_highlight, Command("highlight"))
    router.message.register(on_highlight, F.chat.type != "private", is_mention)
    router.message.register(on_track, track_from)
    return router
