"""Queries on jobs.

The fair queue is a turn number given at submission (start-time fair queuing): a user's next job gets one turn
after their last unfinished one, and nobody starts before the turn that is being served. Ordered by (turn,
id), users take turns however many tracks each has sent, and a place in the queue is a plain count.
"""

from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Integer, String, and_, bindparam, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from bot.db.fleet import is_lost
from bot.db.models import JobRow, SentRow, UtcDateTime, utc_now
from bot.domain import ACTIVE, BACKGROUND, Intent, Job, JobKind, JobRequest, JobState, Lane, Sent


def to_job(row: JobRow) -> Job:
    intent = None
    if row.intent is not None:
        intent = Intent(**{**row.intent, "final": JobState(row.intent["final"])})
    return Job(
        id=row.id,
        kind=JobKind(row.kind),
        state=JobState(row.state),
        lane=Lane(row.lane),
        user_id=row.user_id,
        chat_id=row.chat_id,
        message_id=row.message_id,
        options=row.options,
        track_id=row.track_id,
        batch=row.batch,
        payload=row.payload,
        attempts=row.attempts,
        created_at=row.created_at,
        finished_at=row.finished_at,
        intent=intent,
        error_code=row.error_code,
        owner=row.owner,
    )


async def find_same(session: AsyncSession, request: JobRequest) -> Job | None:
    row = await session.scalar(
        select(JobRow).where(
            JobRow.chat_id == request.chat_id,
            JobRow.message_id == request.message_id,
            JobRow.kind == request.kind,
            JobRow.options == request.options,
        )
    )
    return None if row is None else to_job(row)


async def count_active(session: AsyncSession, user_id: int | None = None) -> int:
    """Unfinished jobs that somebody waits for."""
    query = (
        select(func.count())
        .select_from(JobRow)
        .where(JobRow.state.in_(ACTIVE), JobRow.kind.not_in(BACKGROUND))
    )
    if user_id is not None:
        query = query.where(JobRow.user_id == user_id)
    return await session.scalar(query) or 0


async def add(session: AsyncSession, request: JobRequest, lane: Lane) -> Job:
    """Write the job down."""
    row = JobRow(
        kind=request.kind,
        lane=lane,
        turn=await _turn(session, request.user_id),
        user_id=request.user_id,
        chat_id=request.chat_id,
        message_id=request.message_id,
        options=request.options,
        track_id=request.track.id if request.track else None,
        batch=request.batch,
        payload=request.payload or {},
    )
    session.add(row)
    await session.flush()
    return to_job(row)


async def _turn(session: AsyncSession, user_id: int) -> int:
    """Behind the user's own jobs and level with everybody else's."""
    served = await session.scalar(select(func.min(JobRow.turn)).where(JobRow.state.in_(ACTIVE)))
    own_last = await session.scalar(
        select(func.max(JobRow.turn)).where(JobRow.state.in_(ACTIVE), JobRow.user_id == user_id)
    )
    return max(served or 0, -1 if own_last is None else own_last + 1)


async def renew(session: AsyncSession, job_id: int, request: JobRequest, lane: Lane) -> Job:
    """A job that is over is wanted once more, as if it were new. What it sent is no longer its answer."""
    await session.execute(update(SentRow).where(SentRow.job_id == job_id).values(job_id=None))
    row = await session.get_one(JobRow, job_id)
    row.state, row.lane, row.turn = JobState.QUEUED, lane, await _turn(session, request.user_id)
    row.payload, row.intent, row.error_code, row.attempts = request.payload or {}, None, None, 0
    row.created_at = row.not_before = utc_now()
    row.started_at = row.finished_at = None
    await session.flush()
    return to_job(row)


async def get(session: AsyncSession, job_id: int) -> Job | None:
    row = await session.get(JobRow, job_id)
    return None if row is None else to_job(row)


async def exists(session: AsyncSession, job_id: int) -> bool:
    return await session.scalar(select(JobRow.id).where(JobRow.id == job_id)) is not None


async def is_active(session: AsyncSession, job_id: int) -> bool:
    """Neither finished nor cancelled nor erased."""
    return (
        await session.scalar(select(JobRow.id).where(JobRow.id == job_id, JobRow.state.in_(ACTIVE)))
    ) is not None


async def is_sending(session: AsyncSession, chat_id: int) -> bool:
    """Whether an answer is on its way into the chat, or there and not yet written down."""
    return (
        await session.scalar(
            select(JobRow.id).where(JobRow.chat_id == chat_id, JobRow.state == JobState.SENDING).limit(1)
        )
    ) is not None


async def has_batch(session: AsyncSession, chat_id: int, batch: str) -> bool:
    """Whether a track of this album was taken before."""
    return (
        await session.scalar(
            select(JobRow.id).where(JobRow.chat_id == chat_id, JobRow.batch == batch).limit(1)
        )
    ) is not None


async def claim(
    session: AsyncSession, lane: Lane, user_parallel: int, now: datetime, owner: str = ""
) -> Job | None:
    """Take the next job in one statement. An album's tracks go one after another, so that answers keep
    its order; and a chat's jobs stay with the front end that has some of them in work.
    """
    row = await session.scalar(
        _claim_statement(), {"in_lane": lane, "user_parallel": user_parallel, "at": now, "by": owner}
    )
    return None if row is None else to_job(row)


@cache  # building it takes longer than running it
def _claim_statement() -> ReturningUpdate[JobRow]:
    busy, earlier, queued, elsewhere = (aliased(JobRow) for _ in range(4))
    owner = bindparam("by", type_=String)
    lane, now = bindparam("in_lane", type_=String), bindparam("at", type_=UtcDateTime)
    in_work = (
        select(func.count())
        .where(
            busy.user_id == queued.user_id,
            busy.lane == lane,
            busy.state.in_((JobState.RUNNING, JobState.SENDING)),
        )
        .scalar_subquery()
    )
    album_mate_first = (
        select(earlier.id)
        .where(
            earlier.chat_id == queued.chat_id,
            earlier.batch == queued.batch,
            # Not by id: several front ends may have written an album's tracks down in any order.
            earlier.message_id < queued.message_id,
            earlier.state.in_(ACTIVE),
        )
        .exists()
    )
    chat_is_elsewhere = (
        select(elsewhere.id)
        .where(
            elsewhere.chat_id == queued.chat_id,
            elsewhere.state.in_((JobState.RUNNING, JobState.SENDING)),
            elsewhere.owner != owner,
        )
        .exists()
    )
    chosen = (
        select(queued.id)
        .where(
            queued.state == JobState.QUEUED,
            queued.lane == lane,
            # A clock that was set back must not hold what was delayed by the old one.
            or_(queued.not_before <= now, queued.created_at > now, queued.started_at > now),
            in_work < bindparam("user_parallel", type_=Integer),
            ~album_mate_first,
            ~chat_is_elsewhere,
        )
        .order_by(queued.turn, queued.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # PostgreSQL; SQLite has one writer anyway
        .scalar_subquery()
    )
    return (
        update(JobRow)
        .where(JobRow.id == chosen, JobRow.state == JobState.QUEUED)
        .values(state=JobState.RUNNING, attempts=JobRow.attempts + 1, started_at=now, owner=owner)
        .returning(JobRow)
        .execution_options(synchronize_session=False)
    )


async def place(session: AsyncSession, job_id: int) -> int:
    """1 = next to be taken. 0: the job is not waiting."""
    mine = await session.get(JobRow, job_id)
    if mine is None or mine.state != JobState.QUEUED:
        return 0
    ahead = await session.scalar(
        select(func.count())
        .select_from(JobRow)
        .where(
            JobRow.state == JobState.QUEUED,
            JobRow.lane == mine.lane,
            or_(JobRow.turn < mine.turn, and_(JobRow.turn == mine.turn, JobRow.id < mine.id)),
        )
    )
    return (ahead or 0) + 1


async def active(session: AsyncSession) -> list[Job]:
    """Unfinished jobs in the order in which they will be served, those in work first."""
    rows = await session.scalars(
        select(JobRow)
        .where(JobRow.state.in_(ACTIVE))
        .order_by(JobRow.state == JobState.QUEUED, JobRow.turn, JobRow.id)
    )
    return [to_job(row) for row in rows]


async def intend(session: AsyncSession, job_id: int, intent: Intent, owner: str | None = None) -> bool:
    """Write down what is about to be sent. False: the job was cancelled or answered meanwhile, or another
    front end took it over because `owner` was thought dead; do not send.
    """
    is_ours = true() if owner is None else JobRow.owner == owner
    changed = await session.scalar(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.state.in_((JobState.RUNNING, JobState.SENDING)), is_ours)
        .values(state=JobState.SENDING, intent=asdict(intent))
        .returning(JobRow.id)
    )
    return changed is not None


async def finish(
    session: AsyncSession, job_id: int, state: JobState, now: datetime, error_code: str | None = None
) -> None:
    await session.execute(
        update(JobRow)
        .where(JobRow.id == job_id)
        .values(state=state, error_code=error_code, finished_at=now, intent=None)
    )


async def requeue(
    session: AsyncSession,
    job_id: int,
    *,
    delay_s: float = 0.0,
    refund: bool = False,
    lane: Lane | None = None,
    payload: dict[str, Any] | None = None,
    states: tuple[JobState, ...] = (JobState.RUNNING, JobState.SENDING),
) -> bool:
    """Back into the queue at its own turn. `refund`: the attempt does not count (we were told to stop)."""
    values: dict[str, Any] = {
        "state": JobState.QUEUED,
        "intent": None,
        "not_before": utc_now() + timedelta(seconds=delay_s),
    }
    if refund:
        values["attempts"] = JobRow.attempts - 1
    if lane is not None:
        values["lane"] = lane
    if payload is not None:
        values["payload"] = payload
    changed = await session.scalar(
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.state.in_(states))
        .values(values)
        .returning(JobRow.id)
    )
    return changed is not None


async def in_state(session: AsyncSession, state: JobState, *, lost_but_for: str = "") -> list[Job]:
    """`lost_but_for`: only those that no living front end owns, this one left aside."""
    query = select(JobRow).where(JobRow.state == state).order_by(JobRow.id)
    if lost_but_for:
        query = query.where(is_lost(JobRow.owner, lost_but_for))
    return [to_job(row) for row in await session.scalars(query)]


async def cancel(session: AsyncSession, user_id: int, chat_id: int | None = None) -> list[Job]:
    """Cancel a user's waiting and running jobs; one that is being sent stays."""
    query = update(JobRow).where(
        JobRow.user_id == user_id,
        JobRow.state.in_((JobState.QUEUED, JobState.RUNNING)),
        JobRow.kind.not_in(BACKGROUND),
    )
    if chat_id is not None:
        query = query.where(JobRow.chat_id == chat_id)
    rows = await session.scalars(
        query.values(state=JobState.CANCELLED, finished_at=utc_now()).returning(JobRow)
    )
    return [to_job(row) for row in rows]


async def record_sent(session: AsyncSession, sent: Sent, job_id: int | None = None) -> None:
    session.add(
        SentRow(
            job_id=job_id,
            chat_id=sent.chat_id,
            message_id=sent.message_id,
            method=sent.method,
            file_id=sent.file_id,
        )
    )
    await session.flush()


async def recorded_ids(session: AsyncSession, chat_id: int, first: int, last: int) -> set[int]:
    """Ids of the bot's own recorded messages in a chat, first..last."""
    rows = await session.scalars(
        select(SentRow.message_id).where(
            SentRow.chat_id == chat_id, SentRow.message_id >= first, SentRow.message_id <= last
        )
    )
    return set(rows)


async def highest_message_ids(session: AsyncSession) -> dict[int, int]:
    """Per chat, the highest message id that storage knows."""
    highest: dict[int, int] = {}
    for column in (SentRow, JobRow):
        rows = await session.execute(
            select(column.chat_id, func.max(column.message_id)).group_by(column.chat_id)
        )
        for chat_id, message_id in rows:
            highest[chat_id] = max(highest.get(chat_id, 0), message_id)
    return highest
