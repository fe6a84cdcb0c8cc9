"""What happens by the clock: reconcile, signs of life, the daily report, tidying up."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import aiohttp
from aiogram import Bot
from aiogram.exceptions import AiogramError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from watchdog.engine import ENGINE_ERRORS
from watchdog.health import Pulse, write_health
from watchdog.link import Link
from watchdog.picture import draw_report
from watchdog.report import summarise
from watchdog.service import Service
from watchdog.settings import Settings
from watchdog.status import MAX_CAPTION, tell_report

log = logging.getLogger(__name__)
Job = Callable[[], Awaitable[None]]

SIGN_OF_LIFE_S = 10.0
TELEGRAM_CHECK_S = 60.0
HEARTBEAT_S = 60.0
REPORT_GRACE_S = 3 * 3600  # a report that could not be made on time is made this much later at most


def _ending_quietly(job: Job) -> Job:
    """The job, without the scheduler's error message for being cancelled when the watchdog stops."""

    async def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await job()

    return run


class Routine:
    """Jobs that run by themselves."""

    def __init__(self, settings: Settings, service: Service, link: Link, bot: Bot, pulse: Pulse) -> None:
        self._settings = settings
        self._service = service
        self._link = link
        self._bot = bot
        self._pulse = pulse
        self._scheduler = AsyncIOScheduler(timezone=settings.zone)

    def start(self) -> None:
        """Schedule everything; needs a running event loop."""
        every = {
            self.reconcile: self._settings.reconcile_s,
            self.show_life: SIGN_OF_LIFE_S,
            self.check_telegram: TELEGRAM_CHECK_S,
            self.prune: 86_400.0,
        }
        if self._settings.heartbeat_url is not None:
            every[self.heartbeat] = HEARTBEAT_S
        for job, seconds in every.items():
            self._add(job, IntervalTrigger(seconds=max(seconds, 0.1), timezone=self._settings.zone), 30)
        report_at = self._settings.report_at
        if report_at is not None:
            trigger = CronTrigger(hour=report_at.hour, minute=report_at.minute, timezone=self._settings.zone)
            self._add(self.report, trigger, REPORT_GRACE_S)
            self._scheduler.add_job(_ending_quietly(self.catch_up_report), id="catch_up_report")
        self._scheduler.start()
        self._scheduler.add_job(_ending_quietly(self.check_telegram), id="first_check")

    def _add(self, job: Job, trigger: IntervalTrigger | CronTrigger, grace_s: int) -> None:
        name = getattr(job, "__name__", "job")
        self._scheduler.add_job(
            _ending_quietly(job), trigger, id=name, misfire_grace_time=grace_s, coalesce=True, max_instances=1
        )

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    def reconcile_now(self) -> None:
        """The engine was (re)connected: do not wait for the next turn."""
        if self._scheduler.running:
            self._scheduler.add_job(
                _ending_quietly(self.reconcile), id="reconcile_now", replace_existing=True
            )

    async def reconcile(self) -> None:
        """Inspect everything."""
        if not self._link.is_up:
            return
        try:
            if await self._link.reconcile():
                self._pulse.beat("reconcile", time.time())
        except ENGINE_ERRORS as exc:
            log.warning("reconcile failed: %s", exc)

    async def show_life(self) -> None:
        """Remember until when the engine was seen, and leave word for the health check."""
        now = time.time()
        await self._service.mark_seen()
        write_health(self._settings.data_dir / "watchdog-health.json", self._pulse.stale(now), now)

    async def check_telegram(self) -> None:
        """Telegram answers, even when there was nothing to send."""
        if time.time() - self._pulse.seen_at.get("telegram", 0.0) < TELEGRAM_CHECK_S * 0.75:
            return
        try:
            await self._bot.get_me()
        except (AiogramError, OSError) as exc:
            log.warning("Telegram does not answer: %s", type(exc).__name__)
        else:
            self._pulse.beat("telegram", time.time())

    async def heartbeat(self) -> None:
        """Tell a monitor elsewhere that all is well; saying nothing is the alarm."""
        url = self._settings.heartbeat_url
        if url is None or self._pulse.stale(time.time()):
            return
        try:
            timeout = aiohttp.ClientTimeout(total=10)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url.get_secret_value()) as answer,
            ):
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as exc:
            log.warning("heartbeat failed: %s", type(exc).__name__)

    async def report(self) -> None:
        """The daily report, from the last one until now."""
        now = time.time()
        start = await self._service.store.get_float("reported_at") or now - 86_400.0
        start = max(start, now - 7 * 86_400.0)
        turns = await self._service.store.turns(start, now)
        filed = await self._service.store.incidents("opened_at >= ? AND opened_at < ?", start, now)
        report = summarise(turns, [entry.incident for entry in filed], start, now)
        text = tell_report(self._service.teller, report)
        picture = draw_report(report, self._settings.zone)
        if len(text) <= MAX_CAPTION:
            await self._service.add_note(text, photo=picture)
        else:
            await self._service.add_note(text.split("\n", 1)[0], photo=picture)
            await self._service.add_note(text[:4000].rpartition("\n")[0] or text[:4000])
        await self._service.set_meta("reported_at", str(now))

    async def catch_up_report(self) -> None:
        """The report that was due while the watchdog was away, if it is not too old."""
        report_at, now = self._settings.report_at, datetime.now(self._settings.zone)
        if report_at is None:
            return
        due = now.replace(hour=report_at.hour, minute=report_at.minute, second=0, microsecond=0)
        if due > now:
            due -= timedelta(days=1)
        reported_at = await self._service.store.get_float("reported_at")
        if reported_at is None:
            await self._service.set_meta("reported_at", str(now.timestamp()))
        elif reported_at < due.timestamp() and (now - due).total_seconds() < REPORT_GRACE_S:
            await self.report()

    async def prune(self) -> None:
        """Forget what nobody will ask for."""
        await self._service.prune()
