"""The job loop: claim, prepare, deliver. All tasks live in one TaskGroup; for what fails see `aftermath`."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
)

from bot.db import jobs, people
from bot.db.engine import STORAGE_TROUBLE, Database
from bot.domain import Job, JobKind, JobState, Lane, Stage
from bot.logs import log_context
from bot.services.aftermath import MAX_ATTEMPTS, Aftermath, TooManyAttempts
from bot.services.delivery import Delivery, JobGone
from bot.services.fleet import Fleet
from bot.services.jobs import JobService
from bot.services.recipes import Desk, KeepsTrying, Notify, Recipe, Recipes
from bot.services.status import StatusBoard
from bot.texts import Texts
from inference.errors import WorkerTimeout

logger = logging.getLogger(__name__)

JOB_LIMIT_S = 1800.0
STORAGE_PAUSE_S = 2.0
ACTION_EVERY_S = 4.5  # a chat action fades after 5 s
ACTIONS = {JobKind.CURVE: ChatAction.UPLOAD_PHOTO}
LIMBO_EVERY_S = 20.0
IDLE_S = 1.0
LAST_WORDS_S = 3.0  # for progress messages that are on their way when we stop
# What Telegram answers where voice messages are off, by a user's privacy settings or a group's permissions.
VOICE_OFF = ("VOICE_MESSAGES_FORBIDDEN", "not enough rights to send voice")


class Worker:
    def __init__(
        self,
        *,
        bot: Bot,
        database: Database,
        service: JobService,
        delivery: Delivery,
        board: StatusBoard,
        recipes: Recipes,
        texts: Texts,
        notify: Notify,
        fleet: Fleet,
        heavy_slots: int,
        light_slots: int = 8,
        work_dir: Path | None = None,
        job_limit_s: float | None = JOB_LIMIT_S,
    ) -> None:
        """`job_limit_s` None: where jobs wait for workers elsewhere, which limit the work themselves."""
        self._bot = bot
        self._database = database
        self._service = service
        self._delivery = delivery
        self._board = board
        self._recipes = recipes
        self._aftermath = Aftermath(database, delivery, recipes, texts, notify, service.bell)
        self._fleet = fleet
        self._slots = {Lane.HEAVY: heavy_slots, Lane.LIGHT: light_slots}
        self._work_dir = work_dir
        self._job_limit_s = job_limit_s
        self._running: dict[int, asyncio.Task[None]] = {}
        self._unsettled: set[int] = set()  # done with here, which storage could not be told
        self._tasks = asyncio.TaskGroup()
        self._is_stopping = False

    async def recover(self) -> None:
        """Before anything else is sent: settle what the last run left behind."""
        await self._take_over()
        await self._settle_limbo()

    async def _take_over(self) -> None:
        """Jobs that nobody alive works on go back into the queue."""
        async with self._database.write() as session:
            for job in await jobs.in_state(session, JobState.RUNNING, lost_but_for=self._fleet.id):
                await jobs.requeue(session, job.id)
                logger.info("job %d was interrupted, queued again", job.id, extra={"job_id": job.id})

    async def _settle_limbo(self) -> None:
        async with self._database.read() as session:
            me = self._fleet.id
            lost = await jobs.in_state(session, JobState.SENDING, lost_but_for=me)
            own = [job for job in await jobs.in_state(session, JobState.SENDING) if job.owner == me]
            limbo = [job for job in lost + own if job.id not in self._running]
        async with asyncio.TaskGroup() as tasks:
            for job in limbo:
                tasks.create_task(self._settle(job))
        if limbo:
            self._service.bell.ring()

    async def _settle(self, job: Job) -> None:
        with log_context(job_id=job.id, chat_id=job.chat_id):
            try:
                await self._delivery.resolve(job, self._recipes[job.kind].confirm)
            except TelegramForbiddenError:
                await self._aftermath.finish(job, "blocked")
            except (TelegramAPIError, *STORAGE_TROUBLE) as exc:
                logger.warning("fate of the answer still unknown: %s", type(exc).__name__)

    async def run(self) -> None:
        """Until `stop`. Call `recover` first."""
        async with self._tasks as tasks:
            board = tasks.create_task(self._board.run())
            limbo = tasks.create_task(self._watch_limbo())
            serving = [tasks.create_task(self._serve(lane, n)) for lane, n in self._slots.items()]
            await asyncio.wait(serving)
            self._board.stop()
            await asyncio.wait({board}, timeout=LAST_WORDS_S)
            board.cancel()
            limbo.cancel()

    async def stop(self, grace_s: float) -> None:
        """Take no new job; give the running ones `grace_s`, then put them back into the queue."""
        self._is_stopping = True
        self._service.bell.ring()
        if running := set(self._running.values()):
            logger.info("waiting up to %.0f s for %d jobs", grace_s, len(running))
            _, late = await asyncio.wait(running, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def drop(self, job_id: int) -> None:
        """End a running job that was cancelled in storage."""
        if (task := self._running.get(job_id)) is not None:
            task.cancel()

    async def _watch_limbo(self) -> None:
        while True:
            await asyncio.sleep(LIMBO_EVERY_S)
            try:
                await self._requeue_unsettled()
                await self._take_over()
                await self._settle_limbo()
            except STORAGE_TROUBLE as exc:
                logger.warning("storage is in trouble (%s), looking again later", type(exc).__name__)

    async def _requeue_unsettled(self) -> None:
        for job_id in list(self._unsettled):
            async with self._database.write() as session:
                await jobs.requeue(session, job_id, states=(JobState.RUNNING,))
            self._unsettled.discard(job_id)
            logger.info("job %d is tried again, storage is back", job_id, extra={"job_id": job_id})
            self._service.bell.ring()

    async def _serve(self, lane: Lane, n_slots: int) -> None:
        free = asyncio.Semaphore(n_slots)
        while not self._is_stopping:
            await free.acquire()
            if (job := await self._next(lane)) is not None:
                self._running[job.id] = self._tasks.create_task(self._occupy(free, job))

    async def _next(self, lane: Lane) -> Job | None:
        """The lane's next job; None when it is time to stop."""
        while not self._is_stopping:
            rope = self._service.bell.rope
            try:
                job = await self._service.claim(lane)
            except STORAGE_TROUBLE as exc:
                logger.warning("cannot claim, storage is in trouble: %s", exc)
                await asyncio.sleep(STORAGE_PAUSE_S)
                continue
            if job is None:
                with suppress(TimeoutError):  # delayed retries come due without a ring
                    async with asyncio.timeout(IDLE_S):
                        await rope.wait()
            elif self._is_stopping:
                await self._put_back(job)
            else:
                return job
        return None

    async def _occupy(self, free: asyncio.Semaphore, job: Job) -> None:
        try:
            await self._work(job)
        finally:
            del self._running[job.id]
            free.release()
            self._board.forget(job)
            self._service.bell.ring()  # an album's next track, or the user's, may start

    async def _put_back(self, job: Job) -> None:
        async with self._database.write() as session:
            await jobs.requeue(session, job.id, refund=True, states=(JobState.RUNNING,))
        logger.info("job %d put back into the queue", job.id)

    async def _work(self, job: Job) -> None:
        started = asyncio.get_running_loop().time()
        with log_context(job_id=job.id, chat_id=job.chat_id):
            try:
                await self._attempt(job)
            except asyncio.CancelledError:
                if self._is_stopping:
                    await self._put_back(job)
                return
            except JobGone:
                logger.info("cancelled meanwhile")
            except Exception as exc:  # noqa: BLE001  # the job loop: one job's fault must not end the others
                await self._settle_error(job, exc)
            else:
                elapsed_ms = round(1000 * (asyncio.get_running_loop().time() - started))
                logger.info("answered", extra={"elapsed_ms": elapsed_ms, "kind": job.kind})

    async def _attempt(self, job: Job) -> None:
        if job.attempts > MAX_ATTEMPTS and not isinstance(self._recipes[job.kind], KeepsTrying):
            raise TooManyAttempts(job.attempts)
        async with self._database.read() as session:
            listener = await people.get_listener(session, job.user_id)
        recipe = self._recipes[job.kind]
        if self._work_dir is not None:  # somebody may have tidied it away
            self._work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"job-{job.id}-", dir=self._work_dir) as folder:
            desk = Desk(Path(folder), listener, lambda stage: self._board.stage(job, stage))
            async with self._acting(job):
                try:
                    await self._prepare_and_deliver(recipe, job, desk)
                except TelegramBadRequest as exc:
                    if not any(reason in exc.message for reason in VOICE_OFF):
                        raise
                    await self._prepare_and_deliver(recipe, job, replace(desk, voice_allowed=False))

    async def _prepare_and_deliver(self, recipe: Recipe, job: Job, desk: Desk) -> None:
        try:
            async with asyncio.timeout(self._job_limit_s) as limit:
                answer = await recipe.prepare(job, desk)
        except TimeoutError as exc:
            if not limit.expired():  # storage's own
                raise
            raise WorkerTimeout(f"job over {self._job_limit_s} s") from exc
        desk.stage(Stage.SENDING)
        await self._delivery.deliver(job, answer, JobState.DONE, confirm=recipe.confirm)
        for tidy in desk.afterwards:
            with suppress(TelegramAPIError):
                await tidy()

    @asynccontextmanager
    async def _acting(self, job: Job) -> AsyncIterator[None]:
        """ "Recording a voice message..." (or what it is) under the chat's name while the block runs."""
        if job.lane is Lane.LIGHT:
            yield
            return
        task = self._tasks.create_task(self._act(job))
        try:
            yield
        finally:
            task.cancel()

    async def _act(self, job: Job) -> None:
        action = ACTIONS.get(job.kind, ChatAction.RECORD_VOICE)
        while True:
            with suppress(TelegramAPIError):
                await self._bot.send_chat_action(job.chat_id, action)
            await asyncio.sleep(ACTION_EVERY_S)

    async def _settle_error(self, job: Job, exc: Exception) -> None:
        try:
            await self._aftermath.settle(job, exc)
        except Exception:  # still the job loop; storage is probably in trouble
            logger.exception("could not settle the job, it is tried again later")
            self._unsettled.add(job.id)
