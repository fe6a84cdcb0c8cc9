"""What becomes of a job that failed. Errors have three families.

The user can act (InputRejected): one sentence, no retry. It can pass (network, time-out, locked database,
dead worker process): back into the queue with growing, jittered delays, up to MAX_ATTEMPTS. Ours (everything
else): logged with an incident id, an apology with the same id, one line to the admin chat.
"""

import logging
import random
import secrets
from collections.abc import Callable
from datetime import timedelta

from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import SendMessage

from bot.db import jobs, people
from bot.db.engine import STORAGE_TROUBLE, Database
from bot.db.models import utc_now
from bot.domain import BACKGROUND, Job, JobState, Lane
from bot.services.delivery import Delivery, JobGone
from bot.services.jobs import Bell
from bot.services.recipes import KeepsTrying, MournsLoss, Notify, Recipes, reply_to
from bot.services.sender import DeliveryUncertain
from bot.services.telegram_files import DownloadFailed
from bot.texts import Texts
from inference.errors import InputRejected, WorkerLost, WorkerTimeout

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
BACKOFF_S = 2.0
BACKOFF_CAP_S = 120.0
OUTAGE_PATIENCE = timedelta(hours=6)  # how long a job outlives Telegram's absence
PASSING = (
    TelegramNetworkError,
    TelegramServerError,
    TelegramRetryAfter,
    DeliveryUncertain,
    DownloadFailed,
    WorkerLost,
    *STORAGE_TROUBLE,
)
# Telegram or the line to it is down: that says nothing about the job.
OUTAGE = (TelegramNetworkError, TelegramServerError, TelegramRetryAfter)


class TooManyAttempts(Exception):
    """The job was begun too often, perhaps because it takes the process down with it."""


class Aftermath:
    """Settles failed jobs: tries again, apologises, or gives up."""

    def __init__(
        self,
        database: Database,
        delivery: Delivery,
        recipes: Recipes,
        texts: Texts,
        notify: Notify,
        bell: Bell,
    ) -> None:
        self._database = database
        self._delivery = delivery
        self._recipes = recipes
        self._texts = texts
        self._notify = notify
        self._bell = bell

    async def settle(self, job: Job, exc: Exception) -> None:
        """The road of the error's family; see the module's docstring."""
        recipe = self._recipes[job.kind]
        if isinstance(recipe, KeepsTrying) and recipe.keeps_trying(job, exc):
            await self._retry(job, exc)
        elif isinstance(exc, InputRejected):
            logger.info("rejected: %s", exc)
            await self._apologise(job, self._texts.rejected, exc.code)
        elif isinstance(exc, WorkerTimeout):
            logger.warning("took too long: %s", exc)
            await self._apologise(job, self._texts.rejected, "too_slow")
        elif isinstance(exc, TelegramForbiddenError):
            logger.info("the chat does not let us write")
            await self.finish(job, "blocked")
        elif isinstance(exc, TelegramBadRequest) and job.lane is Lane.LIGHT:
            logger.warning("cached answer refused (%s), making it again", exc.message)
            async with self._database.write() as session:
                await jobs.requeue(session, job.id, lane=Lane.HEAVY, payload=job.payload | {"is_stale": True})
        elif (isinstance(exc, PASSING) and job.attempts < MAX_ATTEMPTS) or (
            isinstance(exc, OUTAGE) and self._is_patient(job)
        ):
            await self._retry(job, exc)
        else:
            await self._our_fault(job, exc)

    @staticmethod
    def _is_patient(job: Job) -> bool:
        return job.kind not in BACKGROUND and utc_now() - job.created_at < OUTAGE_PATIENCE

    async def _retry(self, job: Job, exc: Exception) -> None:
        doublings = min(job.attempts - 1, 10)
        delay_s = min(BACKOFF_CAP_S, BACKOFF_S * 2**doublings) * random.uniform(0.75, 1.25)  # noqa: S311
        if isinstance(exc, TelegramRetryAfter):
            delay_s = max(delay_s, exc.retry_after)
        logger.warning("attempt %d failed (%s), again in %.1f s", job.attempts, type(exc).__name__, delay_s)
        if isinstance(exc, DeliveryUncertain):
            return  # stays SENDING: it is looked for before anything is sent again
        async with self._database.write() as session:
            # An outage uses up no attempt beyond those that lengthen the delay.
            refund = isinstance(exc, OUTAGE) and job.attempts >= MAX_ATTEMPTS
            await jobs.requeue(session, job.id, delay_s=delay_s, refund=refund)

    async def _our_fault(self, job: Job, exc: Exception) -> None:
        incident = secrets.token_hex(3)
        logger.error("incident %s", incident, exc_info=exc, extra={"incident": incident})
        if job.kind in BACKGROUND:
            await self.finish(job, incident)
        else:
            await self._apologise(job, self._texts.apology, incident)
        await self._notify(f"Incident {incident}: job {job.id} ({job.kind}), {type(exc).__name__}")

    async def _apologise(self, job: Job, sentence: Callable[[str, str], str], code: str) -> None:
        """Answer with a sentence instead. If even that fails, try again later, and give up in the end."""
        try:
            async with self._database.read() as session:
                locale = (await people.get_listener(session, job.user_id)).locale
            message = SendMessage(
                chat_id=job.chat_id, text=sentence(locale, code), reply_parameters=reply_to(job)
            )
            await self._delivery.deliver(job, message, JobState.FAILED, error_code=code)
        except JobGone:
            logger.info("cancelled meanwhile")
        except (*PASSING, TelegramAPIError) as exc:
            is_outage = isinstance(exc, OUTAGE) and self._is_patient(job)
            if is_outage or (job.attempts <= MAX_ATTEMPTS and isinstance(exc, PASSING)):
                await self._retry(job, exc)
            else:
                logger.warning("could not even apologise: %s", type(exc).__name__)
                await self.finish(job, code)

    async def finish(self, job: Job, error_code: str) -> None:
        """Give the job up without a word to its chat."""
        async with self._database.write() as session:
            await jobs.finish(session, job.id, JobState.FAILED, utc_now(), error_code)
            if isinstance(recipe := self._recipes[job.kind], MournsLoss):
                await recipe.lost(session, job, error_code)
        self._bell.ring()
