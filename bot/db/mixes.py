"""Queries on mixes."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.mix_models import MixRow
from bot.db.models import AnalysisRow, AnswerRow, BasketRow, HighlightRow, JobRow, TrackRow, utc_now
from bot.db.tracks import to_track
from bot.domain import JobKind, JobState, MixDraft, MixSettings, MixState, MixTrack, Track


def to_mix(row: MixRow) -> MixDraft:
    return MixDraft(
        id=row.id,
        user_id=row.user_id,
        chat_id=row.chat_id,
        menu_message_id=row.menu_message_id,
        state=MixState(row.state),
        candidates=tuple(
            MixTrack(one["track_id"], tuple(one["span"]) if one["span"] else None) for one in row.candidates
        ),
        chosen=tuple(row.chosen),
        settings=MixSettings(**row.options),
        page=row.page,
        revision=row.revision,
        plan=row.plan,
    )


async def add(
    session: AsyncSession,
    user_id: int,
    chat_id: int,
    candidates: list[MixTrack],
    chosen: list[int],
    settings: MixSettings,
) -> MixDraft:
    row = MixRow(
        user_id=user_id,
        chat_id=chat_id,
        state=MixState.CHOOSING,
        candidates=[asdict(one) for one in candidates],
        chosen=chosen,
        options=asdict(settings),
    )
    session.add(row)
    await session.flush()
    return to_mix(row)


async def get(session: AsyncSession, mix_id: int) -> MixDraft | None:
    row = await session.get(MixRow, mix_id)
    return None if row is None else to_mix(row)


async def change(session: AsyncSession, mix_id: int, **values: Any) -> MixDraft | None:
    """Set columns; each change makes a new revision."""
    row = await session.scalar(
        update(MixRow)
        .where(MixRow.id == mix_id)
        .values(revision=MixRow.revision + 1, **values)
        .returning(MixRow)
    )
    return None if row is None else to_mix(row)


async def keep_plan(session: AsyncSession, mix_id: int, revision: int, plan: dict[str, Any]) -> bool:
    """False: the mix was changed while it was planned."""
    changed = await session.scalar(
        update(MixRow)
        .where(MixRow.id == mix_id, MixRow.revision == revision)
        .values(plan=plan)
        .returning(MixRow.id)
    )
    return changed is not None


async def set_plan(session: AsyncSession, mix_id: int, plan: dict[str, Any]) -> None:
    await session.execute(update(MixRow).where(MixRow.id == mix_id).values(plan=plan))


async def finish(session: AsyncSession, mix_id: int, state: MixState, file_id: str | None = None) -> None:
    await session.execute(
        update(MixRow).where(MixRow.id == mix_id).values(state=state, file_id=file_id, finished_at=utc_now())
    )


async def cancel_jobs(session: AsyncSession, user_id: int, mix_id: int) -> list[int]:
    """End a mix's waiting and running jobs; their numbers."""
    active = await session.scalars(
        select(JobRow).where(
            JobRow.user_id == user_id,
            JobRow.kind.in_((JobKind.MIX, JobKind.MIX_PREVIEW, JobKind.MIX_PLAN)),
            JobRow.state.in_((JobState.QUEUED, JobState.RUNNING)),
        )
    )
    ended = [row for row in active if row.payload.get("mix_id") == mix_id]
    for row in ended:
        row.state, row.finished_at = JobState.CANCELLED, utc_now()
    await session.flush()
    return [row.id for row in ended]


async def set_menu(session: AsyncSession, mix_id: int, message_id: int) -> None:
    await session.execute(update(MixRow).where(MixRow.id == mix_id).values(menu_message_id=message_id))


async def recent_tracks(session: AsyncSession, user_id: int, limit: int) -> list[tuple[str, int]]:
    """A user's tracks, the latest first, each once: (track id, the last answer's number)."""
    rows = await session.execute(
        select(AnalysisRow.track_id, func.max(AnswerRow.id))
        .join(HighlightRow, HighlightRow.id == AnswerRow.highlight_id)
        .join(AnalysisRow, AnalysisRow.id == HighlightRow.analysis_id)
        .where(AnswerRow.user_id == user_id)
        .group_by(AnalysisRow.track_id)
        .order_by(func.max(AnswerRow.id).desc())
        .limit(limit)
    )
    return [(track_id, answer_id) for track_id, answer_id in rows]


async def answers_before_last_mix(session: AsyncSession, user_id: int) -> int:
    """The number of the last answer that came before the user's last mix; 0 without one."""
    made_at = (
        select(func.max(MixRow.created_at))
        .where(MixRow.user_id == user_id, MixRow.state == MixState.DONE)
        .scalar_subquery()
    )
    query = select(func.max(AnswerRow.id)).where(
        AnswerRow.user_id == user_id, AnswerRow.created_at <= made_at
    )
    return await session.scalar(query) or 0


async def album_tracks(session: AsyncSession, user_id: int, chat_id: int, album: str) -> list[str]:
    """The tracks of an album that the user sent, in its order."""
    rows = await session.scalars(
        select(JobRow.track_id)
        .where(
            JobRow.user_id == user_id,
            JobRow.chat_id == chat_id,
            JobRow.batch == album,
            JobRow.kind == JobKind.HIGHLIGHT,
            JobRow.track_id.is_not(None),
        )
        .order_by(JobRow.message_id)
    )
    return [track_id for track_id in rows if track_id is not None]


async def basket(session: AsyncSession, user_id: int) -> list[MixTrack]:
    rows = await session.scalars(select(BasketRow).where(BasketRow.user_id == user_id).order_by(BasketRow.id))
    return [MixTrack(row.track_id, (row.start_s, row.end_s)) for row in rows]


async def empty_basket(session: AsyncSession, user_id: int, track_ids: list[str]) -> None:
    await session.execute(
        delete(BasketRow).where(BasketRow.user_id == user_id, BasketRow.track_id.in_(track_ids))
    )


async def tracks_of(session: AsyncSession, track_ids: list[str]) -> list[Track | None]:
    """In the order of the ids; None for one that was erased meanwhile."""
    rows = await session.scalars(select(TrackRow).where(TrackRow.id.in_(track_ids)))
    found = {row.id: to_track(row) for row in rows}
    return [found.get(track_id) for track_id in track_ids]
