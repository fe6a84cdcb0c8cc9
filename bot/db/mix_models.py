"""Rows of mixes: what a listener is putting together, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.db.models import Base, RowId, utc_now


class MixRow(Base):
    """`candidates`: tracks on offer, each with its track id and, if the listener chose one, its window;
    `chosen`: indices into them; `plan`: as the worker made it, for the revision it was made for.
    """

    __tablename__ = "mixes"
    __table_args__ = (Index(None, "user_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    menu_message_id: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSON(none_as_null=True))
    chosen: Mapped[list[int]] = mapped_column(JSON(none_as_null=True))
    options: Mapped[dict[str, Any]]
    page: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(default=0)
    plan: Mapped[dict[str, Any] | None]
    file_id: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
