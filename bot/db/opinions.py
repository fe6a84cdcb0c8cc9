"""Queries on what listeners say of windows: labels (tomorrow's training data) and the mix basket."""

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.models import BasketRow, LabelRow, utc_now
from bot.domain import Answer, Opinion

Span = tuple[float, float]


def span_of(answer: Answer) -> Span:
    return (answer.highlight.start_s, answer.highlight.end_s)


async def get(session: AsyncSession, user_id: int, track_id: str, model_version: str, span: Span) -> Opinion:
    label = await _label(session, user_id, track_id, model_version, span)
    in_mix = await session.scalar(
        select(BasketRow.id).where(BasketRow.user_id == user_id, BasketRow.track_id == track_id)
    )
    return Opinion(label.rating if label else None, in_mix is not None)


async def _label(
    session: AsyncSession, user_id: int, track_id: str, model_version: str, span: Span
) -> LabelRow | None:
    return await session.scalar(
        select(LabelRow).where(
            LabelRow.user_id == user_id,
            LabelRow.track_id == track_id,
            LabelRow.model_version == model_version,
            LabelRow.start_s == round(span[0], 2),
            LabelRow.end_s == round(span[1], 2),
        )
    )


async def _open_label(
    session: AsyncSession, user_id: int, track_id: str, model_version: str, span: Span
) -> LabelRow:
    label = await _label(session, user_id, track_id, model_version, span)
    if label is None:
        label = LabelRow(
            user_id=user_id,
            track_id=track_id,
            model_version=model_version,
            start_s=round(span[0], 2),
            end_s=round(span[1], 2),
        )
        session.add(label)
    label.updated_at = utc_now()
    return label


async def _close_label(session: AsyncSession, label: LabelRow) -> None:
    """A label that says nothing any more is taken away."""
    if label.rating is None and label.corrected_start_s is None:
        if label in session.new:
            session.expunge(label)
        else:
            await session.delete(label)
    await session.flush()


async def rate(
    session: AsyncSession, user_id: int, track_id: str, model_version: str, span: Span, rating: int | None
) -> None:
    """A thumb up (1), down (-1) or taken back (None); the last word counts."""
    label = await _open_label(session, user_id, track_id, model_version, span)
    label.rating = rating
    await _close_label(session, label)


async def correct(
    session: AsyncSession, user_id: int, track_id: str, model_version: str, offered: Span, wanted: Span
) -> None:
    """The listener moved the model's choice `offered` to `wanted`; back at it, the correction is void."""
    label = await _open_label(session, user_id, track_id, model_version, offered)
    wanted = (round(wanted[0], 2), round(wanted[1], 2))
    if wanted == (label.start_s, label.end_s):
        label.corrected_start_s = label.corrected_end_s = None
    else:
        label.corrected_start_s, label.corrected_end_s = wanted
    await _close_label(session, label)


async def add_to_mix(session: AsyncSession, user_id: int, track_id: str, span: Span) -> int:
    """Put a track into the user's mix, or change its window there; how many tracks wait now."""
    row = await session.scalar(
        select(BasketRow).where(BasketRow.user_id == user_id, BasketRow.track_id == track_id)
    )
    if row is None:
        row = BasketRow(user_id=user_id, track_id=track_id)
        session.add(row)
    row.start_s, row.end_s = span
    await session.flush()
    return await count_in_mix(session, user_id)


async def drop_from_mix(session: AsyncSession, user_id: int, track_id: str) -> int:
    await session.execute(
        delete(BasketRow).where(BasketRow.user_id == user_id, BasketRow.track_id == track_id)
    )
    return await count_in_mix(session, user_id)


async def count_in_mix(session: AsyncSession, user_id: int) -> int:
    return (
        await session.scalar(select(func.count()).select_from(BasketRow).where(BasketRow.user_id == user_id))
        or 0
    )
