"""What the team does in its own chat: answers letters, looks at figures, bans, writes to everybody.

Every handler sits behind `FromTeam`: the chat is the configured one and who acts is a member of it now. To
everybody else these commands do not exist.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from aiogram import Bot, F, Router
from aiogram.enums import ChatMemberStatus
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest
from aiogram.filters import Command, CommandObject, Filter
from aiogram.types import CallbackQuery, Message, ReactionTypeEmoji
from aiogram_i18n import I18nContext

from bot.domain import JobKind, JobRequest, Letter, Listener
from bot.feedback_buttons import BroadcastPress, ThreadPress, broadcast_keyboard
from bot.handlers.feedback import content_of, source_of
from bot.services.broadcast import PER_S, BroadcastService
from bot.services.feedback import FeedbackService
from bot.services.jobs import JobService
from bot.services.team import TeamService
from bot.settings import Settings

MEMBER_FOR_S = 60.0
MEMBERS = {ChatMemberStatus.CREATOR, ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.MEMBER}


class FromTeam(Filter):
    """Membership is asked of Telegram and believed for a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._members: dict[int, float] = {}

    async def __call__(self, event: Message | CallbackQuery, settings: Settings, bot: Bot) -> bool:
        message = event.message if isinstance(event, CallbackQuery) else event
        user = event.from_user
        if message is None or user is None or message.chat.id != settings.admin_chat_id:
            return False
        if isinstance(event, Message) and event.sender_chat is not None:
            return event.sender_chat.id == settings.admin_chat_id  # an anonymous administrator
        return message.chat.id == user.id or await self._is_member(bot, message.chat.id, user.id)

    async def _is_member(self, bot: Bot, chat_id: int, user_id: int) -> bool:
        if self._clock() < self._members.get(user_id, 0.0):
            return True
        try:
            member = await bot.get_chat_member(chat_id, user_id)
        except TelegramBadRequest:
            return False
        if member.status in MEMBERS or getattr(member, "is_member", False):
            self._members[user_id] = self._clock() + MEMBER_FOR_S
            return True
        self._members.pop(user_id, None)
        return False


class RepliesToLetter(Filter):
    """A reply to a message that carries a user's letter, or the team's own to one."""

    async def __call__(self, message: Message, feedback: FeedbackService) -> bool | dict[str, Letter]:
        replied = message.reply_to_message
        if replied is None:
            return False
        letter = await feedback.letter_behind(message.chat.id, replied.message_id)
        return {"letter": letter} if letter is not None else False


async def on_reply(message: Message, letter: Letter, feedback: FeedbackService) -> None:
    await feedback.answer(letter, content_of(message), source_of(message))
    with suppress(TelegramAPIError):  # the group may allow no reactions
        await message.react([ReactionTypeEmoji(emoji="👌")])


async def on_stats(message: Message, listener: Listener, jobs: JobService) -> None:
    await jobs.submit(
        JobRequest(
            kind=JobKind.STATS,
            user_id=listener.id,
            chat_id=message.chat.id,
            message_id=message.message_id,
            options="month",
        )
    )


async def on_feedbacks(message: Message, team: TeamService, listener: Listener) -> None:
    text, keyboard = await team.open_threads(listener.locale, page=0)
    await message.reply(text, reply_markup=keyboard)


async def on_thread_press(
    query: CallbackQuery,
    callback_data: ThreadPress,
    team: TeamService,
    listener: Listener,
    i18n: I18nContext,
) -> None:
    notice = None
    if callback_data.action in {"done", "close"}:
        is_new = await team.close(callback_data.thread_id)
        notice = i18n.get(
            "team-closed" if is_new else "team-closed-before", thread=str(callback_data.thread_id)
        )
    await query.answer(notice)
    if not isinstance(query.message, Message):
        return
    with suppress(TelegramBadRequest):  # pressed twice
        if callback_data.action == "close":
            await query.message.edit_reply_markup(reply_markup=None)
        else:
            text, keyboard = await team.open_threads(listener.locale, page=callback_data.page)
            await query.message.edit_text(text, reply_markup=keyboard)


async def on_ban(
    message: Message,
    command: CommandObject,
    team: TeamService,
    feedback: FeedbackService,
    i18n: I18nContext,
) -> None:
    user_id = await named_user(message, command, feedback)
    if user_id is None:
        await message.reply(i18n.get("ban-whom", command=command.command))
        return
    is_banned = command.command == "ban"
    await team.set_banned(user_id, is_banned=is_banned)
    await message.reply(i18n.get("banned" if is_banned else "unbanned", user=str(user_id)))


async def named_user(message: Message, command: CommandObject, feedback: FeedbackService) -> int | None:
    """By number, or by replying to one of their letters."""
    if command.args:
        number = command.args.strip()
        return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else None
    if message.reply_to_message is None:
        return None
    letter = await feedback.letter_behind(message.chat.id, message.reply_to_message.message_id)
    return letter.user_id if letter is not None else None


async def on_broadcast(
    message: Message, broadcasts: BroadcastService, team: TeamService, listener: Listener, i18n: I18nContext
) -> None:
    shown = message.reply_to_message
    if shown is None:
        await message.reply(i18n.get("broadcast-how"))
        return
    broadcast, n = await broadcasts.draft(
        content_of(shown),
        chat_id=message.chat.id,
        source_message_id=shown.message_id,
        locale=listener.locale,
    )
    await shown.reply(i18n.get("broadcast-preview"))
    await team.preview(broadcast, message.chat.id)
    asked = await message.reply(
        i18n.get("broadcast-sure", n=n, minutes=max(1, round(n / PER_S / 60))),
        reply_markup=broadcast_keyboard(team.texts, listener.locale, broadcast.id, is_sending=False),
    )
    await broadcasts.shown(broadcast.id, asked.message_id)


async def on_broadcast_press(
    query: CallbackQuery, callback_data: BroadcastPress, broadcasts: BroadcastService, i18n: I18nContext
) -> None:
    is_start = callback_data.action == "send"
    moved = await (broadcasts.start if is_start else broadcasts.cancel)(callback_data.broadcast_id)
    await query.answer(None if moved else i18n.get("broadcast-over"))
    if moved and not is_start and isinstance(query.message, Message):
        with suppress(TelegramBadRequest):
            await query.message.edit_text(i18n.get("broadcast-cancelled"))


async def on_help(message: Message, i18n: I18nContext) -> None:
    await message.reply(i18n.get("team-help"))


def build_router() -> Router:
    router = Router(name="team")
    is_team = FromTeam()
    router.message.filter(is_team)
    router.callback_query.filter(is_team)
    router.message.register(on_stats, Command("stats"))
    router.message.register(on_feedbacks, Command("feedbacks"))
    router.message.register(on_ban, Command("ban", "unban"))
    router.message.register(on_broadcast, Command("broadcast"))
    router.message.register(on_help, Command("team"))
    router.message.register(on_reply, F.reply_to_message, ~F.text.startswith("/"), RepliesToLetter())
    router.callback_query.register(on_thread_press, ThreadPress.filter())
    router.callback_query.register(on_broadcast_press, BroadcastPress.filter())
    return router
