"""Queries on broadcasts. Each recipient's copy is a job of its own, so a restart neither loses nor doubles
one."""

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.feedback_models import BanRow, BroadcastRow
from bot.db.models import ChatRow, JobRow, UserRow, utc_now
from bot.domain import ACTIVE, Broadcast, BroadcastProgress, BroadcastState, JobKind, JobState


def to_broadcast(row: BroadcastRow) -> Broadcast:
    return Broadcast(
        id=row.id,
        content=row.content,
        state=BroadcastState(row.state),
        locale=row.locale,
        chat_id=row.chat_id,
        source_message_id=row.source_message_id,
        status_message_id=row.status_message_id,
        cursor=row.cursor,
    )


def options(broadcast_id: int) -> str:
    return f"broadcast:{broadcast_id}"


async def add(
    session: AsyncSession, content: dict[str, Any], *, chat_id: int, source_message_id: int, locale: str
) -> Broadcast:
    row = BroadcastRow(
        content=content,
        state=BroadcastState.DRAFT,
        chat_id=chat_id,
        source_message_id=source_message_id,
        locale=locale,
    )
    session.add(row)
    await session.flush()
    return to_broadcast(row)


async def get(session: AsyncSession, broadcast_id: int) -> Broadcast | None:
    row = await session.get(BroadcastRow, broadcast_id)
    return None if row is None else to_broadcast(row)


async def set_status_message(session: AsyncSession, broadcast_id: int, message_id: int) -> None:
    await session.execute(
        update(BroadcastRow).where(BroadcastRow.id == broadcast_id).values(status_message_id=message_id)
    )


async def move(
    session: AsyncSession, broadcast_id: int, before: BroadcastState, after: BroadcastState
) -> bool:
    """From one state to the next. False: it was not in `before` (pressed twice, somebody else was first)."""
    changed = await session.scalar(
        update(BroadcastRow)
        .where(BroadcastRow.id == broadcast_id, BroadcastRow.state == before)
        .values(state=after, finished_at=None if after is BroadcastState.SENDING else utc_now())
        .returning(BroadcastRow.id)
    )
    return changed is not None


async def sending(session: AsyncSession) -> Broadcast | None:
    """The oldest that is under way: one at a time."""
    row = await session.scalar(
        select(BroadcastRow)
        .where(BroadcastRow.state == BroadcastState.SENDING)
        .order_by(BroadcastRow.id)
        .limit(1)
    )
    return None if row is None else to_broadcast(row)


def _reachable() -> Any:
    """Users with an open private chat who are not banned."""
    return (
        select(UserRow.id)
        .join(ChatRow, ChatRow.id == UserRow.id)
        .where(ChatRow.blocked_at.is_(None), UserRow.id.not_in(select(BanRow.telegram_id)))
    )


async def count_reachable(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(_reachable().subquery())) or 0


async def next_recipients(session: AsyncSession, cursor: int, limit: int) -> list[int]:
    rows = await session.scalars(_reachable().where(UserRow.id > cursor).order_by(UserRow.id).limit(limit))
    return list(rows)


async def advance(session: AsyncSession, broadcast_id: int, cursor: int) -> None:
    await session.execute(update(BroadcastRow).where(BroadcastRow.id == broadcast_id).values(cursor=cursor))


async def progress(session: AsyncSession, broadcast_id: int) -> BroadcastProgress:
    rows = await session.execute(
        select(JobRow.state, JobRow.error_code, func.count())
        .where(JobRow.kind == JobKind.BROADCAST, JobRow.options == options(broadcast_id))
        .group_by(JobRow.state, JobRow.error_code)
    )
    sent = blocked = failed = waiting = 0
    for state, error_code, n in rows:
        if state in ACTIVE:
            waiting += n
        elif state == JobState.DONE:
            sent += n
        elif error_code == "blocked":
            blocked += n
        else:
            failed += n
    return BroadcastProgress(sent=sent, blocked=blocked, failed=failed, waiting=waiting)
