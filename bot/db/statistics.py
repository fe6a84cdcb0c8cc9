"""Figures for the team. Days are UTC; what /forget erased is no longer counted."""

from collections import Counter
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.models import JobRow, LabelRow, UserRow, utc_now
from bot.domain import BACKGROUND, JobKind, JobState, Statistics

DAYS = 30
LATENCIES = 20_000  # the newest; enough for a percentile, and bounded


async def collect(session: AsyncSession) -> Statistics:
    now = utc_now()
    since = now - timedelta(days=DAYS)
    in_period = (JobRow.created_at >= since, JobRow.kind.not_in([*BACKGROUND, JobKind.STATS]))
    finished = (JobState.DONE, JobState.FAILED)
    per_day: dict[date, Counter[str]] = {}
    day = func.date(JobRow.created_at)
    for when, state, n in await session.execute(
        select(day, JobRow.state, func.count())
        .where(*in_period, JobRow.state.in_(finished))
        .group_by(day, JobRow.state)
    ):
        per_day.setdefault(date.fromisoformat(str(when)), Counter())[state] += n
    days = [(now - timedelta(days=back)).date() for back in range(DAYS - 1, -1, -1)]
    failures = await session.execute(
        select(JobRow.error_code, func.count())
        .where(*in_period, JobRow.state == JobState.FAILED)
        .group_by(JobRow.error_code)
        .order_by(func.count().desc())
    )
    thumbs = await session.execute(
        select(
            LabelRow.model_version,
            func.count().filter(LabelRow.rating == 1),
            func.count().filter(LabelRow.rating == -1),
            func.count().filter(LabelRow.corrected_start_s.is_not(None)),
        )
        .group_by(LabelRow.model_version)
        .order_by(LabelRow.model_version)
    )
    latencies = sorted(await _latencies(session, since))
    return Statistics(
        users=await _count_users(session, None),
        users_week=await _count_users(session, now - timedelta(days=7)),
        days=tuple(days),
        answered=tuple(per_day.get(d, Counter())[JobState.DONE] for d in days),
        failed=tuple(per_day.get(d, Counter())[JobState.FAILED] for d in days),
        median_s=_percentile(latencies, 0.5),
        p95_s=_percentile(latencies, 0.95),
        failures=tuple((code or "?", n) for code, n in failures),
        thumbs=tuple((version, up, down, moved) for version, up, down, moved in thumbs),
    )


async def _count_users(session: AsyncSession, seen_since: datetime | None) -> int:
    query = select(func.count()).select_from(UserRow)
    if seen_since is not None:
        query = query.where(UserRow.seen_at >= seen_since)
    return await session.scalar(query) or 0


async def _latencies(session: AsyncSession, since: datetime) -> list[float]:
    """Seconds from a track's arrival to its answer."""
    rows = await session.execute(
        select(JobRow.created_at, JobRow.finished_at)
        .where(
            JobRow.kind == JobKind.HIGHLIGHT,
            JobRow.state == JobState.DONE,
            JobRow.created_at >= since,
            JobRow.finished_at.is_not(None),
        )
        .order_by(JobRow.id.desc())
        .limit(LATENCIES)
    )
    return [(finished - created).total_seconds() for created, finished in rows if finished]


def _percentile(ascending: list[float], share: float) -> float | None:
    """Nearest rank; None of nothing."""
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))] if ascending else None
