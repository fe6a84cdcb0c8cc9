"""Queries on users, their settings, and chats."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.models import ChatRow, SettingsRow, UserRow, utc_now
from bot.domain import AnswerKind, Listener
from inference.config import DEFAULT_LENGTH_S

LOCALES = ("en", "ru")


def pick_locale(chosen: str | None, language_code: str | None) -> str:
    """The user's choice, else their Telegram language where we speak it, else English."""
    if chosen in LOCALES:
        return chosen
    base = (language_code or "").split("-")[0].lower()
    # Telegram clients set to Ukrainian, Belarusian or Kazakh: most of their users read Russian better than
    # English.
    if base in {"uk", "be", "kk"}:
        return "ru"
    return base if base in LOCALES else "en"


async def meet(
    session: AsyncSession, user_id: int, name: str, username: str | None, language_code: str | None
) -> Listener:
    """Write down who spoke to us (create or refresh) and return what the handlers need."""
    row = await session.get(UserRow, user_id)
    if row is None:
        row = UserRow(id=user_id, name=name[:128], username=username, language_code=language_code)
        session.add(row)
    else:
        row.name, row.username, row.language_code, row.seen_at = (
            name[:128],
            username,
            language_code,
            utc_now(),
        )
    await session.flush()
    return await _listener(session, row)


async def get_listener(session: AsyncSession, user_id: int) -> Listener:
    """For work outside an update. A user that was erased meanwhile gets the defaults."""
    row = await session.get(UserRow, user_id)
    if row is None:
        return Listener(user_id, "en", DEFAULT_LENGTH_S, AnswerKind.VOICE)
    return await _listener(session, row)


async def _listener(session: AsyncSession, user: UserRow) -> Listener:
    settings = await session.get(SettingsRow, user.id)
    return Listener(
        id=user.id,
        locale=pick_locale(settings.locale if settings else None, user.language_code),
        length_s=(settings.length_s if settings else None) or DEFAULT_LENGTH_S,
        answer_kind=AnswerKind((settings.answer_kind if settings else None) or AnswerKind.VOICE),
    )


async def set_locale(session: AsyncSession, user_id: int, locale: str) -> None:
    (await _settings(session, user_id)).locale = locale
    await session.flush()


async def set_length(session: AsyncSession, user_id: int, length_s: float) -> None:
    (await _settings(session, user_id)).length_s = length_s
    await session.flush()


async def set_answer_kind(session: AsyncSession, user_id: int, kind: AnswerKind) -> None:
    (await _settings(session, user_id)).answer_kind = kind
    await session.flush()


async def _settings(session: AsyncSession, user_id: int) -> SettingsRow:
    row = await session.get(SettingsRow, user_id)
    if row is None:
        row = SettingsRow(user_id=user_id)
        session.add(row)
    return row


async def meet_chat(session: AsyncSession, chat_id: int, kind: str) -> None:
    """Write down that the chat exists, or that it changed its kind."""
    row = await session.get(ChatRow, chat_id)
    if row is None:
        session.add(ChatRow(id=chat_id, kind=kind))
    elif row.kind != kind:
        row.kind = kind
    await session.flush()


async def set_blocked(session: AsyncSession, chat_id: int, kind: str, *, is_blocked: bool) -> None:
    """A chat that we may write to, or (`is_blocked`) no longer may."""
    row = await session.get(ChatRow, chat_id)
    if row is None:
        row = ChatRow(id=chat_id, kind=kind)
        session.add(row)
    if not is_blocked:
        row.blocked_at = None
    elif row.blocked_at is None:
        row.blocked_at = utc_now()
    await session.flush()


async def blocked_chats(session: AsyncSession) -> set[int]:
    return set(await session.scalars(select(ChatRow.id).where(ChatRow.blocked_at.is_not(None))))


async def status_messages(session: AsyncSession) -> dict[int, int]:
    """Chats that show a progress message -> its id."""
    rows = await session.execute(
        select(ChatRow.id, ChatRow.status_message_id).where(ChatRow.status_message_id.is_not(None))
    )
    return {chat_id: message_id for chat_id, message_id in rows if message_id is not None}


async def set_status_message(session: AsyncSession, chat_id: int, message_id: int | None) -> None:
    await session.execute(update(ChatRow).where(ChatRow.id == chat_id).values(status_message_id=message_id))
