"""Rows of what listeners and team say to each other: threads, letters, conversations, bans, broadcasts."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.db.models import Base, RowId, utc_now


class ConversationRow(Base):
    """What a user is in the middle of, in the private chat. One at a time; `state` is the topic's own."""

    __tablename__ = "conversations"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    topic: Mapped[str] = mapped_column(String(32))
    state: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class ThreadRow(Base):
    """One matter that a user wrote about. `contact` only if they left one."""

    __tablename__ = "feedback_threads"
    __table_args__ = (Index(None, "closed_at", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    contact: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    closed_at: Mapped[datetime | None]


class LetterRow(Base):
    """One message of a thread. `content`: the Telegram message as JSON; `ack_message_id`: where its writer is
    told what becomes of it; `delivered_at`: when all of it had arrived.
    """

    __tablename__ = "feedback_letters"
    __table_args__ = (
        UniqueConstraint("source_chat_id", "source_message_id"),
        Index(None, "user_id", "created_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    thread_id: Mapped[int] = mapped_column(ForeignKey("feedback_threads.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    is_from_team: Mapped[bool]
    content: Mapped[dict[str, Any]]
    source_chat_id: Mapped[int] = mapped_column(BigInteger)
    source_message_id: Mapped[int] = mapped_column(BigInteger)
    ack_message_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    delivered_at: Mapped[datetime | None]
    lost_code: Mapped[str | None] = mapped_column(String(64))


class BanRow(Base):
    """Who is not served. Apart from `users`, so that erasing one's data does not lift a ban."""

    __tablename__ = "bans"

    telegram_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class BroadcastRow(Base):
    """A message of the team to everybody. `cursor`: users up to this id have their job."""

    __tablename__ = "broadcasts"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    content: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    locale: Mapped[str] = mapped_column(String(8))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    source_message_id: Mapped[int] = mapped_column(BigInteger)
    status_message_id: Mapped[int | None] = mapped_column(BigInteger)
    cursor: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
