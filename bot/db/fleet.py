"""Several front ends on one database: who lives, and the updates that Telegram handed to any of them.

The inbox keeps each chat's order whoever works on it: only a chat's oldest update can be claimed, and it is
deleted when its handlers are through. A claim of a front end that died is taken over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Index, String, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped, aliased, mapped_column

from bot.db.models import Base, utc_now


class FrontEndRow(Base):
    """A process that serves, and when it last said so."""

    __tablename__ = "front_ends"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class InboxRow(Base):
    """An update that Telegram was told we have. `payload`: its JSON; `owner`: who handles it."""

    __tablename__ = "inbox"
    __table_args__ = (Index(None, "chat_id", "update_id"),)

    update_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any]]
    owner: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A claimed update."""

    update_id: int
    payload: dict[str, Any]


async def beat(session: AsyncSession, front_end: str, *, dead_after_s: float) -> set[str]:
    """Say that this front end lives; the ids of the others that do. The dead ones' rows are removed."""
    now = utc_now()
    if await session.get(FrontEndRow, front_end) is None:
        session.add(FrontEndRow(id=front_end, seen_at=now))
    else:
        await session.execute(update(FrontEndRow).where(FrontEndRow.id == front_end).values(seen_at=now))
    dead = now - timedelta(seconds=dead_after_s)
    await session.execute(delete(FrontEndRow).where(FrontEndRow.seen_at < dead))
    found = await session.scalars(select(FrontEndRow.id).where(FrontEndRow.id != front_end))
    return set(found)


async def leave(session: AsyncSession, front_end: str) -> None:
    await session.execute(delete(FrontEndRow).where(FrontEndRow.id == front_end))
    await session.execute(update(InboxRow).where(InboxRow.owner == front_end).values(owner=None))


async def receive(session: AsyncSession, update_id: int, chat_id: int, payload: dict[str, Any]) -> bool:
    """Keep an update. False: Telegram sent it before."""
    if await session.get(InboxRow, update_id) is not None:
        return False
    try:
        async with session.begin_nested():
            session.add(InboxRow(update_id=update_id, chat_id=chat_id, payload=payload))
    except IntegrityError:  # another front end was a moment quicker
        return False
    return True


def is_lost(owner: InstrumentedAttribute[str | None], but_for: str) -> ColumnElement[bool]:
    """Whether nobody alive owns it. Asked of storage, not of what a front end remembers: another one may have
    joined a moment ago. `but_for`: this front end, which need not have a row.
    """
    return or_(owner.is_(None), and_(owner != but_for, owner.not_in(select(FrontEndRow.id))))


async def claim(session: AsyncSession, front_end: str) -> Letterbox | None:
    """The oldest update that heads its chat's line and that nobody alive works on."""
    line, head = aliased(InboxRow), aliased(InboxRow)
    earlier = select(line.update_id).where(line.chat_id == head.chat_id, line.update_id < head.update_id)
    chosen = (
        select(head.update_id)
        .where(is_lost(head.owner, front_end), ~earlier.exists())
        .order_by(head.update_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = await session.scalar(
        update(InboxRow).where(InboxRow.update_id == chosen).values(owner=front_end).returning(InboxRow)
    )
    return None if row is None else Letterbox(row.update_id, row.payload)


async def done(session: AsyncSession, update_id: int) -> None:
    await session.execute(delete(InboxRow).where(InboxRow.update_id == update_id))


async def waiting(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(InboxRow)) or 0
