"""ORM rows. Portable between SQLite and PostgreSQL; kinds and states are plain strings, so that a new one
needs no migration. A change here comes with a migration (a test compares the two)."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bot.domain import JobState, Lane


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; SQLite, which keeps no zone, stores the UTC wall clock."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime says nothing about its zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


# SQLite numbers rows only in INTEGER primary keys; PostgreSQL gets 64 bits.
RowId = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012  # SQLAlchemy reads it so


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(128))
    username: Mapped[str | None] = mapped_column(String(64))
    language_code: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class SettingsRow(Base):
    """What a user chose. No row, or an empty field: the default."""

    __tablename__ = "settings"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    locale: Mapped[str | None] = mapped_column(String(8))
    length_s: Mapped[float | None]
    answer_kind: Mapped[str | None] = mapped_column(String(16))


class ChatRow(Base):
    """Where the bot speaks. `blocked_at`: it may not write there; `status_message_id`: its progress
    message.
    """

    __tablename__ = "chats"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    blocked_at: Mapped[datetime | None]
    status_message_id: Mapped[int | None] = mapped_column(BigInteger)


class TrackRow(Base):
    __tablename__ = "tracks"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  # file_unique_id
    file_id: Mapped[str] = mapped_column(String(256))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    duration_s: Mapped[float | None]
    title: Mapped[str | None] = mapped_column(Text)
    performer: Mapped[str | None] = mapped_column(Text)
    file_name: Mapped[str | None] = mapped_column(Text)
    mime_type: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class AnalysisRow(Base):
    """`document`: the track's TrackAnalysis as JSON; the columns beside it are for queries."""

    __tablename__ = "analyses"
    __table_args__ = (UniqueConstraint("track_id", "model_version"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"))
    model_version: Mapped[str] = mapped_column(String(64))
    duration_s: Mapped[float]
    tempo_bpm: Mapped[float | None]
    key: Mapped[str | None] = mapped_column(String(16))
    confidence: Mapped[float]
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class HighlightRow(Base):
    """One window cut from a track: the cache of answers."""

    __tablename__ = "highlights"
    __table_args__ = (UniqueConstraint("analysis_id", "options"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analyses.id", ondelete="CASCADE"))
    options: Mapped[str] = mapped_column(String(128))
    start_s: Mapped[float]
    end_s: Mapped[float]
    score: Mapped[float]
    file_id: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    choices: Mapped[dict[str, Any]]
    curve_file_id: Mapped[str | None] = mapped_column(String(256))


class AnswerRow(Base):
    """A message that holds a highlight and its buttons. `replaced_at`: a newer one took its place."""

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("chat_id", "message_id"), Index(None, "user_id", "id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    source_message_id: Mapped[int] = mapped_column(BigInteger)
    highlight_id: Mapped[int] = mapped_column(ForeignKey("highlights.id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(default=0)
    replaced_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class LabelRow(Base):
    """What a listener said of a window, for training: a thumb (`rating` 1 or -1), or where they moved it.

    `start_s`, `end_s`: the window that was judged; with `corrected_*` the model's own choice and the window
    that the listener wanted instead. Times are rounded to 10 ms, so that equal windows are one row.
    """

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("user_id", "track_id", "model_version", "start_s", "end_s"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"))
    model_version: Mapped[str] = mapped_column(String(64))
    start_s: Mapped[float]
    end_s: Mapped[float]
    rating: Mapped[int | None]
    corrected_start_s: Mapped[float | None]
    corrected_end_s: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class BasketRow(Base):
    """A track that waits in a user's mix, with the window they chose for it."""

    __tablename__ = "basket"
    __table_args__ = (UniqueConstraint("user_id", "track_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    track_id: Mapped[str] = mapped_column(ForeignKey("tracks.id", ondelete="CASCADE"))
    start_s: Mapped[float]
    end_s: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class JobRow(Base):
    """`turn` orders the fair queue (see `bot.db.jobs`); `intent` is what a SENDING job was about to send."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("chat_id", "message_id", "kind", "options"),
        Index(None, "state", "lane", "turn", "id"),
        Index(None, "user_id", "state"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16), default=JobState.QUEUED)
    lane: Mapped[str] = mapped_column(String(16), default=Lane.HEAVY)
    turn: Mapped[int] = mapped_column(BigInteger, default=0)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    options: Mapped[str] = mapped_column(String(128))
    track_id: Mapped[str | None] = mapped_column(ForeignKey("tracks.id", ondelete="SET NULL"))
    batch: Mapped[str | None] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    intent: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(String(32))
    not_before: Mapped[datetime] = mapped_column(default=utc_now)
    error_code: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class SentRow(Base):
    """Every message the bot put into a chat; `job_id` is set where it is a job's answer, of which there
    is one.
    """

    __tablename__ = "messages_sent"
    __table_args__ = (UniqueConstraint("chat_id", "message_id"), UniqueConstraint("job_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    method: Mapped[str] = mapped_column(String(32))
    file_id: Mapped[str | None] = mapped_column(String(256))
    sent_at: Mapped[datetime] = mapped_column(default=utc_now)
