"""Queries on answers: messages that hold a highlight."""

from dataclasses import dataclass

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.models import AnalysisRow, AnswerRow, HighlightRow, TrackRow, utc_now
from bot.db.tracks import to_highlight, to_track
from bot.domain import Answer, Highlight, Track


@dataclass(frozen=True, slots=True)
class Heard:
    """A highlight that a user got, for lists."""

    track: Track
    highlight: Highlight


async def find(session: AsyncSession, chat_id: int, message_id: int) -> Answer | None:
    found = (
        await session.execute(
            select(AnswerRow, HighlightRow, AnalysisRow, TrackRow)
            .join(HighlightRow, HighlightRow.id == AnswerRow.highlight_id)
            .join(AnalysisRow, AnalysisRow.id == HighlightRow.analysis_id)
            .join(TrackRow, TrackRow.id == AnalysisRow.track_id)
            .where(AnswerRow.chat_id == chat_id, AnswerRow.message_id == message_id)
        )
    ).one_or_none()
    if found is None:
        return None
    answer, highlight, analysis, track = found
    return Answer(
        user_id=answer.user_id,
        chat_id=chat_id,
        message_id=message_id,
        source_message_id=answer.source_message_id,
        revision=answer.revision,
        track=to_track(track),
        highlight=to_highlight(highlight),
        model_version=analysis.model_version,
        duration_s=analysis.duration_s,
    )


async def put(
    session: AsyncSession,
    *,
    user_id: int,
    chat_id: int,
    message_id: int,
    source_message_id: int,
    highlight_id: int,
    revision: int,
) -> None:
    """Write an answer down, or that it changed in place."""
    row = await session.scalar(
        select(AnswerRow).where(AnswerRow.chat_id == chat_id, AnswerRow.message_id == message_id)
    )
    if row is None:
        row = AnswerRow(
            user_id=user_id, chat_id=chat_id, message_id=message_id, source_message_id=source_message_id
        )
        session.add(row)
    row.highlight_id, row.revision = highlight_id, revision
    await session.flush()


async def set_replaced(session: AsyncSession, chat_id: int, message_id: int) -> None:
    """A newer answer took its place: its buttons work on, lists leave it out."""
    await session.execute(
        update(AnswerRow)
        .where(AnswerRow.chat_id == chat_id, AnswerRow.message_id == message_id)
        .values(replaced_at=utc_now())
    )


def _latest(user_id: int) -> Select[HighlightRow, TrackRow]:
    """A user's highlights that can be sent again, each once, the latest first."""
    last = (
        select(AnswerRow.highlight_id, func.max(AnswerRow.id).label("last_id"))
        .where(AnswerRow.user_id == user_id, AnswerRow.replaced_at.is_(None))
        .group_by(AnswerRow.highlight_id)
        .subquery()
    )
    return (
        select(HighlightRow, TrackRow)
        .join(last, last.c.highlight_id == HighlightRow.id)
        .join(AnalysisRow, AnalysisRow.id == HighlightRow.analysis_id)
        .join(TrackRow, TrackRow.id == AnalysisRow.track_id)
        .where(HighlightRow.file_id.is_not(None))
        .order_by(last.c.last_id.desc())
    )


async def count_heard(session: AsyncSession, user_id: int) -> int:
    return await session.scalar(select(func.count()).select_from(_latest(user_id).subquery())) or 0


async def heard(session: AsyncSession, user_id: int, *, offset: int = 0, limit: int = 10) -> list[Heard]:
    rows = await session.execute(_latest(user_id).offset(offset).limit(limit))
    return [Heard(to_track(track), to_highlight(highlight)) for highlight, track in rows]


async def heard_one(session: AsyncSession, user_id: int, highlight_id: int) -> Heard | None:
    """A highlight of the user's own, by its id; None where it is not theirs."""
    found = (
        await session.execute(_latest(user_id).where(HighlightRow.id == highlight_id).limit(1))
    ).one_or_none()
    return None if found is None else Heard(to_track(found[1]), to_highlight(found[0]))
