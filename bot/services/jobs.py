"""What handlers ask of the queue: submit, cancel; what the worker asks: claim. One short transaction each."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.db import jobs, tracks
from bot.db.engine import Database
from bot.db.models import utc_now
from bot.domain import Job, JobRequest, JobState, Lane, Refusal, RequestRefused, Submission
from bot.services.recipes import Recipes

logger = logging.getLogger(__name__)

# Less than any codec needs for a second of sound: the length came from a header that is wrong, and the worker
# will see how much is really there.
FEWEST_BYTES_PER_S = 100.0
SECOND_TAP = timedelta(seconds=10)  # after an answer; a press on the same button later is meant


@dataclass(frozen=True, slots=True)
class QueueLimits:
    per_user: int = 20
    in_all: int = 1000
    user_parallel: int = 2
    max_download_bytes: int = 20 * 1024 * 1024
    max_track_s: float = 3 * 3600.0


class Bell:
    """Wakes everyone who waits. Take `rope` before looking for work, so that no ring is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def rope(self) -> asyncio.Event:
        return self._event

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()


def is_wanted_again(job: Job, press: str | None, now: datetime) -> bool:
    """Whether a press means a new answer, although there was a job for it."""
    if press is None or job.payload.get("press") == press or job.finished_at is None:
        return False
    is_second_tap = timedelta(0) <= now - job.finished_at <= SECOND_TAP  # below: the clock was set back
    return job.state is not JobState.DONE or not is_second_tap


class JobService:
    def __init__(self, database: Database, limits: QueueLimits, recipes: Recipes, owner: str = "") -> None:
        """`owner`: the front end that claims here."""
        self._owner = owner
        self._database = database
        self._limits = limits
        self._recipes = recipes
        self.bell = Bell()

    async def submit(self, request: JobRequest, *, press: str | None = None) -> Submission:
        """Write a request down. Raises RequestRefused for what can be refused before any work.

        `press`: the callback query that asks for it. A message asks once, however often Telegram repeats its
        update. A button may ask again for what failed, or was answered a while ago: the answer may be gone
        from the chat. A second tap is no second wish.
        """
        self._refuse_by_size(request)
        if press is not None:
            request = replace(request, payload={**(request.payload or {}), "press": press})
        async with self._database.write() as session:
            same = await jobs.find_same(session, request)
            if same is not None and not is_wanted_again(same, press, utc_now()):
                return Submission(same, is_new=False, place=await jobs.place(session, same.id))
            if await jobs.count_active(session) >= self._limits.in_all:
                raise RequestRefused(Refusal.QUEUE_FULL)
            if await jobs.count_active(session, request.user_id) >= self._limits.per_user:
                raise RequestRefused(Refusal.USER_QUEUE_FULL, {"limit": self._limits.per_user})
            if request.track is not None:
                await tracks.see_track(session, request.track)
            lane = await self._recipes[request.kind].lane(session, request)
            if same is None:
                job = await jobs.add(session, request, lane)
            else:
                job = await jobs.renew(session, same.id, request, lane)
            place = await jobs.place(session, job.id)
        logger.info("job %d queued, place %d, lane %s", job.id, place, lane, extra={"job_id": job.id})
        self.bell.ring()
        return Submission(job, is_new=True, place=place)

    def _refuse_by_size(self, request: JobRequest) -> None:
        track = request.track
        if track is None:
            return
        if track.size_bytes is not None and track.size_bytes > self._limits.max_download_bytes:
            raise RequestRefused(
                Refusal.FILE_TOO_BIG, {"limit_mb": self._limits.max_download_bytes // (1024 * 1024)}
            )
        length_s = track.duration_s or 0.0
        is_likely = track.size_bytes is None or track.size_bytes >= length_s * FEWEST_BYTES_PER_S
        if length_s > self._limits.max_track_s and is_likely:
            raise RequestRefused(Refusal.TRACK_TOO_LONG, {"limit_min": int(self._limits.max_track_s // 60)})

    async def claim(self, lane: Lane) -> Job | None:
        async with self._database.write() as session:
            return await jobs.claim(session, lane, self._limits.user_parallel, utc_now(), self._owner)

    async def cancel(self, user_id: int, chat_id: int | None = None) -> list[Job]:
        """The user's waiting and running jobs; the worker drops the running ones at its next step."""
        async with self._database.write() as session:
            return await jobs.cancel(session, user_id, chat_id)
