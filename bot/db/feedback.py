"""Queries on feedback: conversations, threads, letters, bans."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.db.feedback_models import BanRow, ConversationRow, LetterRow, ThreadRow
from bot.db.models import JobRow, SentRow, UserRow, utc_now
from bot.domain import Conversation, JobKind, Letter, Thread

CONVERSATION_LIFE = timedelta(hours=6)


def to_letter(row: LetterRow) -> Letter:
    return Letter(
        id=row.id,
        thread_id=row.thread_id,
        user_id=row.user_id,
        is_from_team=row.is_from_team,
        content=row.content,
        source_chat_id=row.source_chat_id,
        source_message_id=row.source_message_id,
        ack_message_id=row.ack_message_id,
        is_delivered=row.delivered_at is not None,
    )


async def get_conversation(session: AsyncSession, user_id: int) -> Conversation | None:
    """What the user is in the middle of; one that was left lying for hours is over."""
    row = await session.get(ConversationRow, user_id)
    if row is None or utc_now() - row.updated_at > CONVERSATION_LIFE:
        return None
    return Conversation(row.topic, row.state)


async def set_conversation(session: AsyncSession, user_id: int, conversation: Conversation) -> None:
    await session.merge(
        ConversationRow(
            user_id=user_id, topic=conversation.topic, state=conversation.state, updated_at=utc_now()
        )
    )


async def end_conversation(session: AsyncSession, user_id: int) -> None:
    await session.execute(delete(ConversationRow).where(ConversationRow.user_id == user_id))


async def open_thread(session: AsyncSession, user_id: int) -> int:
    row = ThreadRow(user_id=user_id)
    session.add(row)
    await session.flush()
    return row.id


async def set_contact(session: AsyncSession, thread_id: int, contact: str) -> None:
    await session.execute(update(ThreadRow).where(ThreadRow.id == thread_id).values(contact=contact))


async def find_letter(session: AsyncSession, source_chat_id: int, source_message_id: int) -> Letter | None:
    row = await session.scalar(
        select(LetterRow).where(
            LetterRow.source_chat_id == source_chat_id, LetterRow.source_message_id == source_message_id
        )
    )
    return None if row is None else to_letter(row)


async def get_letter(session: AsyncSession, letter_id: int) -> Letter | None:
    row = await session.get(LetterRow, letter_id)
    return None if row is None else to_letter(row)


async def add_letter(
    session: AsyncSession,
    thread_id: int,
    user_id: int,
    content: dict[str, Any],
    *,
    source: tuple[int, int],
    is_from_team: bool,
) -> Letter:
    """Write a message down. A thread that was done is open again when its user writes."""
    row = LetterRow(
        thread_id=thread_id,
        user_id=user_id,
        is_from_team=is_from_team,
        content=content,
        source_chat_id=source[0],
        source_message_id=source[1],
    )
    session.add(row)
    if not is_from_team:
        await session.execute(update(ThreadRow).where(ThreadRow.id == thread_id).values(closed_at=None))
    await session.flush()
    return to_letter(row)


async def set_ack(session: AsyncSession, letter_id: int, message_id: int) -> None:
    await session.execute(
        update(LetterRow).where(LetterRow.id == letter_id).values(ack_message_id=message_id)
    )


async def mark_delivered(session: AsyncSession, letter_id: int) -> None:
    await session.execute(update(LetterRow).where(LetterRow.id == letter_id).values(delivered_at=utc_now()))


async def mark_lost(session: AsyncSession, letter_id: int, code: str) -> bool:
    """It will never arrive. False: that was known."""
    changed = await session.scalar(
        update(LetterRow)
        .where(LetterRow.id == letter_id, LetterRow.lost_code.is_(None))
        .values(lost_code=code)
        .returning(LetterRow.id)
    )
    return changed is not None


async def count_letters_since(session: AsyncSession, user_id: int, since: datetime) -> int:
    return (
        await session.scalar(
            select(func.count())
            .select_from(LetterRow)
            .where(
                LetterRow.user_id == user_id,
                LetterRow.is_from_team.is_(False),
                LetterRow.created_at >= since,
            )
        )
        or 0
    )


async def pending_letters(session: AsyncSession) -> list[Letter]:
    """Written down and neither delivered nor given up."""
    rows = await session.scalars(
        select(LetterRow)
        .where(LetterRow.delivered_at.is_(None), LetterRow.lost_code.is_(None))
        .order_by(LetterRow.id)
    )
    return [to_letter(row) for row in rows]


async def letter_behind(session: AsyncSession, chat_id: int, message_id: int) -> Letter | None:
    """The letter that a message of ours in a chat carries, whole or in part."""
    payload = await session.scalar(
        select(JobRow.payload)
        .join(SentRow, SentRow.job_id == JobRow.id)
        .where(SentRow.chat_id == chat_id, SentRow.message_id == message_id, JobRow.kind == JobKind.LETTER)
    )
    return None if payload is None else await get_letter(session, payload["letter_id"])


async def carriers(session: AsyncSession, user_id: int, chat_id: int) -> list[tuple[int, str]]:
    """(message_id, API method) of the messages in a chat that carry a user's words."""
    rows = await session.execute(
        select(SentRow.message_id, SentRow.method)
        .join(JobRow, SentRow.job_id == JobRow.id)
        .where(JobRow.kind == JobKind.LETTER, JobRow.user_id == user_id, SentRow.chat_id == chat_id)
        .order_by(SentRow.message_id)
    )
    return [(message_id, method) for message_id, method in rows]


async def first_carrier(session: AsyncSession, thread_id: int, chat_id: int) -> int | None:
    """The first message in a chat that carries a letter of the thread: the others reply to it."""
    return await session.scalar(
        select(func.min(SentRow.message_id))
        .join(JobRow, SentRow.job_id == JobRow.id)
        .where(
            JobRow.kind == JobKind.LETTER,
            SentRow.chat_id == chat_id,
            JobRow.payload["thread_id"].as_integer() == thread_id,
        )
    )


async def last_words(session: AsyncSession, thread_id: int, user_id: int) -> int | None:
    """The user's latest message of a thread, in their own chat."""
    return await session.scalar(
        select(func.max(LetterRow.source_message_id)).where(
            LetterRow.thread_id == thread_id, LetterRow.source_chat_id == user_id
        )
    )


async def open_threads(session: AsyncSession, *, limit: int, offset: int) -> tuple[list[Thread], int]:
    """Threads that wait for the team, oldest first, and how many there are."""
    n_open = await session.scalar(
        select(func.count()).select_from(ThreadRow).where(ThreadRow.closed_at.is_(None))
    )
    earlier = aliased(LetterRow)
    first = select(func.min(earlier.id)).where(earlier.thread_id == ThreadRow.id).scalar_subquery()
    rows = await session.execute(
        select(ThreadRow, UserRow.name, LetterRow.content)
        .select_from(ThreadRow)
        .join(UserRow, UserRow.id == ThreadRow.user_id)
        .join(LetterRow, LetterRow.id == first)
        .where(ThreadRow.closed_at.is_(None))
        .order_by(ThreadRow.id)
        .limit(limit)
        .offset(offset)
    )
    threads = [
        Thread(row.id, row.user_id, name, row.contact, row.created_at, content) for row, name, content in rows
    ]
    return threads, n_open or 0


async def close_thread(session: AsyncSession, thread_id: int) -> bool:
    """Mark a matter as done. False: it was, or there is none."""
    changed = await session.scalar(
        update(ThreadRow)
        .where(ThreadRow.id == thread_id, ThreadRow.closed_at.is_(None))
        .values(closed_at=utc_now())
        .returning(ThreadRow.id)
    )
    return changed is not None


async def get_user_name(session: AsyncSession, user_id: int) -> tuple[str, str | None] | None:
    """Name and username."""
    row = await session.get(UserRow, user_id)
    return None if row is None else (row.name, row.username)


async def is_banned(session: AsyncSession, user_id: int) -> bool:
    return await session.get(BanRow, user_id) is not None


async def set_banned(session: AsyncSession, user_id: int, *, is_banned: bool) -> None:
    if is_banned:
        await session.merge(BanRow(telegram_id=user_id))
    else:
        await session.execute(delete(BanRow).where(BanRow.telegram_id == user_id))
