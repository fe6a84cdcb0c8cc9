"""What Prometheus may ask: counted where it happens, or read from storage at the moment of the question."""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware
from aiogram.exceptions import TelegramAPIError, TelegramRetryAfter
from aiogram.methods import TelegramMethod
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from sqlalchemy import func, select

from bot.db.engine import Database
from bot.db.models import JobRow, utc_now
from bot.domain import Job, JobState, Stage

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 600)
LAG_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
LAG_EVERY_S = 0.05


class Metrics:
    """One process's registry. `refreshers` run before each answer, for what is read and not counted."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, of no use here
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.refreshers: list[Callable[[], Awaitable[None]]] = []
        self.jobs = self._gauge("jobs", "Jobs that storage knows", "kind", "state")
        self.depth = self._gauge("queue_depth", "Jobs that wait for their turn", "lane")
        self.age = self._gauge("queue_age_seconds", "How long the oldest waiting job has waited", "lane")
        self.stream_depth = self._gauge("stream_depth", "Orders in Redis that no worker has answered")
        self.stream_age = self._gauge("stream_age_seconds", "Age of the oldest of them")
        self.worker_memory = self._gauge("worker_memory_bytes", "Resident memory of each process", "worker")
        self.stage_seconds = self._histogram("stage_seconds", "Time that jobs spent in a stage", "stage")
        self.order_seconds = self._histogram("order_seconds", "Time of one order in a worker", "outcome")
        self.telegram_seconds = self._histogram("telegram_seconds", "Time of one Bot API request", "method")
        self.loop_lag = Histogram(
            "highlight_loop_lag_seconds",
            "How late the event loop came back to a timer",
            registry=self.registry,
            buckets=LAG_SECONDS,
        )
        self.loop_blocked = Histogram(
            "highlight_loop_blocked_seconds",
            "The part of that lag which was not spent waiting for a core",
            registry=self.registry,
            buckets=LAG_SECONDS,
        )
        self.telegram_errors = Counter(
            "highlight_telegram_errors",
            "Bot API requests that failed",
            ("method", "error"),
            registry=self.registry,
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"highlight_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"highlight_{name}", text, labels, registry=self.registry, buckets=SECONDS)

    async def render(self) -> bytes:
        for refresh in self.refreshers:
            await refresh()
        self._read_memory()
        return generate_latest(self.registry)

    async def watch_loop(self) -> None:
        """Until cancelled: whatever blocks the event loop shows here, whoever does it."""
        while True:
            before, (cpu_before, waits_before) = time.monotonic(), thread_seconds()
            await asyncio.sleep(LAG_EVERY_S)
            lag_s = max(0.0, time.monotonic() - before - LAG_EVERY_S)
            cpu, waits = thread_seconds()
            self.loop_lag.observe(lag_s)
            self.loop_blocked.observe(blocked_seconds(lag_s, cpu - cpu_before, waits - waits_before))

    def _read_memory(self) -> None:
        self.worker_memory.clear()
        for number, size_bytes in enumerate(sorted(children_memory_bytes(), reverse=True)):
            self.worker_memory.labels(str(number)).set(size_bytes)

    def watch_storage(self, database: Database) -> None:
        self.refreshers.append(lambda: self._read_storage(database))

    async def _read_storage(self, database: Database) -> None:
        async with database.read() as session:
            counts = await session.execute(
                select(JobRow.kind, JobRow.state, func.count()).group_by(JobRow.kind, JobRow.state)
            )
            waiting = await session.execute(
                select(JobRow.lane, func.count(), func.min(JobRow.created_at))
                .where(JobRow.state == JobState.QUEUED)
                .group_by(JobRow.lane)
            )
            self.jobs.clear()
            for kind, state, count in counts:
                self.jobs.labels(kind, state).set(count)
            for lane in ("heavy", "light"):
                self.depth.labels(lane).set(0)
                self.age.labels(lane).set(0)
            for lane, count, oldest in waiting:
                self.depth.labels(lane).set(count)
                self.age.labels(lane).set(max(0.0, (utc_now() - oldest).total_seconds()))

    def watch_stream(self, backlog: Callable[[], Awaitable[tuple[int, float]]]) -> None:
        async def refresh() -> None:
            depth, age_s = await backlog()
            self.stream_depth.set(depth)
            self.stream_age.set(age_s)

        self.refreshers.append(refresh)


class StageClock:
    """Times each job's stages, told of every change; `None` is the end."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._since: dict[int, tuple[Stage, float]] = {}

    def __call__(self, job: Job, stage: Stage | None) -> None:
        now = self._clock()
        if (before := self._since.pop(job.id, None)) is not None:
            self._metrics.stage_seconds.labels(before[0]).observe(now - before[1])
        if stage is not None:
            self._since[job.id] = (stage, now)


class TelegramMeter(BaseRequestMiddleware):
    """Inside the sender: it sees every attempt, not only the one that succeeds."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, make_request: Any, bot: Bot, method: TelegramMethod[Any]) -> Any:
        name = method.__api_method__
        started = time.monotonic()
        try:
            return await make_request(bot, method)
        except TelegramAPIError as exc:
            error = "retry_after" if isinstance(exc, TelegramRetryAfter) else type(exc).__name__
            self._metrics.telegram_errors.labels(name, error).inc()
            raise
        finally:
            if name != "getUpdates":  # its time is Telegram's patience, not its speed
                self._metrics.telegram_seconds.labels(name).observe(time.monotonic() - started)


def thread_seconds() -> tuple[float, float]:
    """The calling thread's CPU time, and how long it was ready to run while other work had the cores.

    The second is 0 where the system does not tell (it is Linux's /proc/thread-self/schedstat).
    """
    try:
        cpu_ns, waits_ns, _ = Path("/proc/thread-self/schedstat").read_bytes().split()
    except OSError:
        return time.thread_time(), 0.0
    return int(cpu_ns) / 1e9, int(waits_ns) / 1e9


def blocked_seconds(lag_s: float, cpu_s: float, waits_s: float) -> float:
    """How much of a timer's lag is our own doing: a computation, or a call that blocks.

    `cpu_s` and `waits_s` are of the whole time since the timer was set. Some of the waits may lie before it
    was due, so a lag is never called smaller than what the thread computed.
    """
    return max(lag_s - waits_s, min(lag_s, cpu_s))


def children_memory_bytes() -> list[int]:
    """Resident memory of this process's children; empty where the system does not tell."""
    sizes = []
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            for pid in listing.read_text().split():
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                sizes.append(pages * resource.getpagesize())
        except OSError:  # one ended meanwhile
            continue
    return sizes
