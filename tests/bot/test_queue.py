"""The queue in storage: uniqueness, turns, places, claims."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.db import jobs, people
from bot.db.engine import Database, create_engine
from bot.db.models import Base, utc_now
from bot.domain import Intent, Job, JobKind, JobRequest, JobState, Lane, Refusal, RequestRefused, Track
from bot.services.jobs import JobService, QueueLimits


class HeavyRecipe:
    """Only asked for the lane here."""

    async def lane(self, session: object, request: JobRequest) -> Lane:
        return Lane.HEAVY


def service(database: Database, **limits: int) -> JobService:
    return JobService(database, QueueLimits(**limits), {JobKind.HIGHLIGHT: HeavyRecipe()})  # type: ignore[dict-item]


def request(user: int, message: int, *, batch: str | None = None, track: Track | None = None) -> JobRequest:
    return JobRequest(
        JobKind.HIGHLIGHT,
        user,
        chat_id=user,
        message_id=message,
        options="voice:30",
        batch=batch,
        track=track,
    )


@pytest.fixture
async def users(database: Database) -> Database:
    async with database.write() as session:
        for user in range(1, 6):
            await people.meet(session, user, f"user {user}", None, "en")
    return database


async def drain(queue: JobService) -> list[tuple[int, int]]:
    """(user, message) in the order in which one worker takes them, each finished before the next."""
    order = []
    while (job := await queue.claim(Lane.HEAVY)) is not None:
        order.append((job.user_id, job.message_id))
        async with queue._database.write() as session:
            await jobs.finish(session, job.id, JobState.DONE, utc_now())
    return order


async def test_the_same_request_twice_is_one_job(users: Database) -> None:
    queue = service(users)
    first = await queue.submit(request(1, 10))
    again = await queue.submit(request(1, 10))
    assert (first.is_new, again.is_new) == (True, False)
    assert again.job.id == first.job.id


async def test_the_same_request_twice_at_once_is_one_job(users: Database) -> None:
    queue = service(users)
    made = await asyncio.gather(*(queue.submit(request(1, 10)) for _ in range(10)))
    assert len({submission.job.id for submission in made}) == 1
    assert sum(submission.is_new for submission in made) == 1


async def test_users_take_turns_however_many_tracks_each_sent(users: Database) -> None:
    queue = service(users)
    for message in range(1, 6):
        await queue.submit(request(1, message))
    await queue.submit(request(2, 11))
    third = await queue.submit(request(3, 21))
    await queue.submit(request(2, 12))
    assert third.place == 3
    assert await drain(queue) == [(1, 1), (2, 11), (3, 21), (1, 2), (2, 12), (1, 3), (1, 4), (1, 5)]


async def test_a_newcomer_does_not_overtake_for_having_been_away(users: Database) -> None:
    queue = service(users)
    for message in range(1, 5):
        await queue.submit(request(1, message))
    taken = [await queue.claim(Lane.HEAVY), await queue.claim(Lane.HEAVY)]
    async with users.write() as session:
        for job in taken:
            assert job is not None
            await jobs.finish(session, job.id, JobState.DONE, utc_now())
    for message in range(11, 14):
        await queue.submit(request(2, message))
    assert await drain(queue) == [(1, 3), (2, 11), (1, 4), (2, 12), (2, 13)]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(senders=st.lists(st.integers(1, 4), min_size=1, max_size=14))
def test_places_told_are_the_order_served(senders: list[int]) -> None:
    asyncio.run(_check_places(senders))


async def _check_places(senders: list[int]) -> None:
    async with temporary_database() as database:
        queue = service(database)
        made = [(await queue.submit(request(user, n + 1))).job for n, user in enumerate(senders)]
        async with database.read() as session:
            by_place = {await jobs.place(session, job.id): (job.user_id, job.message_id) for job in made}
        served = await drain(queue)
        assert [by_place[n + 1] for n in range(len(made))] == served
        # Fair: when somebody is served for the n-th time, nobody still waits for their (n-1)-th.
        counts: dict[int, int] = {}
        for n, (user, _) in enumerate(served):
            counts[user] = counts.get(user, 0) + 1
            later = {other for other, _ in served[n + 1 :]}
            assert all(counts.get(other, 0) >= counts[user] - 1 for other in later)


@asynccontextmanager
async def temporary_database() -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(create_engine(f"sqlite+aiosqlite:///{Path(folder) / 'q.db'}"))
        async with database.engine.execution_options(writes=True).begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with database.write() as session:
            for user in range(1, 5):
                await people.meet(session, user, "u", None, None)
        yield database
        await database.close()


async def test_one_job_is_claimed_once_however_many_ask(users: Database) -> None:
    queue = service(users, user_parallel=100)
    for message in range(1, 21):
        await queue.submit(request(1 + message % 5, message))
    claims = await asyncio.gather(*(queue.claim(Lane.HEAVY) for _ in range(30)))
    taken = [job.id for job in claims if job is not None]
    assert len(taken) == len(set(taken)) == 20


async def test_a_user_has_only_so_many_in_work_at_once(users: Database) -> None:
    queue = service(users, user_parallel=2)
    for message in range(1, 5):
        await queue.submit(request(1, message))
    assert [await queue.claim(Lane.HEAVY) is not None for _ in range(3)] == [True, True, False]


async def test_an_album_goes_one_track_after_another(users: Database) -> None:
    queue = service(users, user_parallel=5)
    album = [(await queue.submit(request(1, n, batch="album"))).job for n in (1, 2)]
    first = await queue.claim(Lane.HEAVY)
    assert first is not None
    assert await queue.claim(Lane.HEAVY) is None
    async with users.write() as session:  # even while the first waits for its second try
        await jobs.requeue(session, first.id, delay_s=60)
    assert await queue.claim(Lane.HEAVY) is None
    async with users.write() as session:
        await jobs.finish(session, first.id, JobState.FAILED, utc_now(), "damaged")
    second = await queue.claim(Lane.HEAVY)
    assert second is not None
    assert second.id == album[1].id


async def test_limits_refuse_with_a_reason(users: Database) -> None:
    queue = service(users, per_user=2, in_all=3)
    await queue.submit(request(1, 1))
    await queue.submit(request(1, 2))
    with pytest.raises(RequestRefused) as mine:
        await queue.submit(request(1, 3))
    await queue.submit(request(2, 11))
    with pytest.raises(RequestRefused) as everybodys:
        await queue.submit(request(3, 21))
    assert (mine.value.code, everybodys.value.code) == (Refusal.USER_QUEUE_FULL, Refusal.QUEUE_FULL)


@pytest.mark.parametrize(
    ("track", "code"),
    [
        (Track("u", "f", size_bytes=20 * 1024 * 1024 + 1), Refusal.FILE_TOO_BIG),
        (Track("u", "f", duration_s=10_801), Refusal.TRACK_TOO_LONG),
        (Track("u", "f", size_bytes=20 * 1024 * 1024, duration_s=10_801), Refusal.TRACK_TOO_LONG),
    ],
)
async def test_what_the_message_already_tells_is_refused_before_any_work(
    users: Database, track: Track, code: Refusal
) -> None:
    with pytest.raises(RequestRefused) as refusal:
        await service(users).submit(request(1, 1, track=track))
    assert refusal.value.code is code
    async with users.read() as session:
        assert await jobs.count_active(session) == 0


@pytest.mark.parametrize(
    "track",
    [
        Track("u", "f", size_bytes=20 * 1024 * 1024),
        Track("u", "f", duration_s=10_800),
        Track("u", "f", size_bytes=9_466, duration_s=45_144),  # of a header: no file so small lasts so long
    ],
)
async def test_what_may_be_within_the_limits_is_left_to_the_worker(users: Database, track: Track) -> None:
    assert (await service(users).submit(request(1, 1, track=track))).is_new


async def test_cancel_takes_waiting_and_running_but_not_what_is_being_sent(users: Database) -> None:
    queue = service(users)
    made: list[Job] = [(await queue.submit(request(1, n))).job for n in (1, 2, 3)]
    other = (await queue.submit(request(2, 1))).job
    async with users.write() as session:
        await jobs.claim(session, Lane.HEAVY, 5, utc_now())
        assert await jobs.intend(session, made[0].id, Intent("sendVoice", "", 1, JobState.DONE))
    assert {job.id for job in await queue.cancel(1)} == {made[1].id, made[2].id}
    async with users.read() as session:
        states = [(await jobs.get(session, job.id)).state for job in (*made, other)]  # type: ignore[union-attr]
    assert states == [JobState.SENDING, JobState.CANCELLED, JobState.CANCELLED, JobState.QUEUED]
