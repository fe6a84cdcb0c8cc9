"""The stream between front ends and workers, on a real Redis: nothing is lost, whoever dies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from taskiq import AckableMessage
from taskiq.receiver import Receiver

from bot.services.stream import MAX_DELIVERIES, WorkLost, WorkStream

pytestmark = pytest.mark.services

LEASE_S = 0.3


class Probe:
    """A stream with one task, `double`, whose pace the test decides."""

    def __init__(self, url: str) -> None:
        self.stream = WorkStream(url, lease_s=LEASE_S)
        self.started = asyncio.Event()
        self.may_finish = asyncio.Event()
        self.answered = asyncio.Event()
        self.calls = 0

        @self.stream.task(task_name="double")
        async def double(number: int) -> int:
            self.calls += 1
            self.started.set()
            await self.may_finish.wait()
            return 2 * number

        self.double = double
        acknowledge = self.stream._ack

        def observed(message_id: bytes) -> Callable[[], Awaitable[None]]:
            async def finish() -> None:
                await acknowledge(message_id)()
                self.answered.set()

            return finish

        self.stream._ack = observed

    async def ask(self, number: int, task_id: str) -> Any:
        return await self.double.kicker().with_task_id(task_id).kiq(number)


@pytest.fixture
async def open_probe(redis_url: str) -> AsyncIterator[Callable[[], Any]]:
    probes: list[Probe] = []

    async def open_one() -> Probe:
        probe = Probe(redis_url)
        await probe.stream.startup()
        probes.append(probe)
        return probe

    yield open_one
    for probe in probes:
        await probe.stream.results.shutdown()
        await probe.stream.shutdown()


@asynccontextmanager
async def working(probe: Probe, *, renewing: bool = True) -> AsyncIterator[None]:
    """A worker's two tasks, ended as by SIGKILL: nothing is answered or given back any more."""
    probe.stream.is_worker_process = True
    tasks = [
        asyncio.create_task(
            Receiver(probe.stream, max_async_tasks=1, run_startup=False).listen(asyncio.Event())
        )
    ]
    if renewing:
        tasks.append(asyncio.create_task(probe.stream.renew_leases()))
    try:
        yield
    finally:
        probe.stream.results.closed = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_work_that_was_sent_before_any_worker_started_is_done(open_probe: Any) -> None:
    probe = await open_probe()
    probe.may_finish.set()
    asked = await probe.ask(21, "early")
    async with working(probe):
        assert (await asked.wait_result(0.02, timeout=10)).return_value == 42
    assert await probe.stream.backlog() == (0, 0.0)


async def test_work_of_a_dead_worker_is_taken_over(open_probe: Any) -> None:
    doomed, heir = await open_probe(), await open_probe()
    asked = await doomed.ask(21, "orphan")
    async with working(doomed):
        await doomed.started.wait()
    heir.may_finish.set()
    async with working(heir):
        assert (await asked.wait_result(0.02, timeout=10)).return_value == 42


async def test_long_work_is_not_taken_from_a_worker_that_lives(open_probe: Any) -> None:
    slow, idle = await open_probe(), await open_probe()
    asked = await slow.ask(21, "long")
    async with working(slow):
        await slow.started.wait()
        async with working(idle):
            await asyncio.sleep(4 * LEASE_S)  # several leases long: the time is what is tested
            slow.may_finish.set()
            assert (await asked.wait_result(0.02, timeout=10)).return_value == 42
    assert (slow.calls, idle.calls) == (1, 0)


async def test_an_orderly_stop_hands_work_over_at_once(open_probe: Any) -> None:
    leaving, heir = await open_probe(), await open_probe()
    for probe in (leaving, heir):
        probe.stream.lease_s = 3600.0
    asked = await leaving.ask(21, "handed over")
    async with working(leaving):
        await leaving.started.wait()
        await leaving.stream.hand_over()
    heir.may_finish.set()
    async with working(heir):
        assert (await asked.wait_result(0.02, timeout=10)).return_value == 42


async def test_work_that_ends_every_worker_is_given_up(open_probe: Any) -> None:
    probe = await open_probe()
    asked = await probe.ask(1, "poison")
    for _ in range(MAX_DELIVERIES):
        victim = await open_probe()
        message = await anext(victim.stream.listen())
        assert isinstance(message, AckableMessage)
    async with working(probe):
        result = await asked.wait_result(0.02, timeout=10)
    assert isinstance(result.error, WorkLost)
    assert probe.calls == 0


async def test_a_front_end_that_restarts_knows_what_it_asked_for(open_probe: Any) -> None:
    probe = await open_probe()
    assert not await probe.stream.is_waiting("asked once")
    asked = await probe.ask(3, "asked once")
    assert await probe.stream.is_waiting("asked once")
    probe.may_finish.set()
    async with working(probe):
        await asked.wait_result(0.02, timeout=10)
        await probe.answered.wait()
        assert not await probe.stream.is_waiting("asked once")
    again = await open_probe()
    assert await again.stream.results.is_result_ready("asked once")


async def test_nothing_is_lost_when_redis_is_killed_in_the_middle(open_probe: Any, redis_server: Any) -> None:
    probe = await open_probe()
    first, second = await probe.ask(1, "running"), await probe.ask(2, "waiting")
    async with working(probe):
        await probe.started.wait()
        redis_server.crash()
        probe.may_finish.set()
        redis_server.start()
        assert (await first.wait_result(0.02, timeout=20)).return_value == 2
        assert (await second.wait_result(0.02, timeout=20)).return_value == 4


async def test_an_emptied_redis_does_not_stop_the_workers(open_probe: Any) -> None:
    probe = await open_probe()
    probe.may_finish.set()
    async with working(probe):
        async with probe.stream._redis() as redis:
            await redis.flushall()
        asked = await probe.ask(5, "after")
        assert (await asked.wait_result(0.02, timeout=10)).return_value == 10
