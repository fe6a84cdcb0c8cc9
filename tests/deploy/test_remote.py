"""Front end and workers over a real Redis; the audio itself is a stand-in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.services import audio_tasks
from bot.services.audio_tasks import Clip, ClipOrder
from bot.services.audio_worker import AudioWorker
from bot.services.remote import RemotePool
from bot.services.stream import WorkStream
from inference.errors import InputRejected, Rejection

pytestmark = pytest.mark.services

ORDER = ClipOrder(30.0)


async def fetch(file_id: str, target: Path, max_bytes: int) -> None:
    target.write_bytes(f"audio of {file_id}".encode())


class Scissors:
    """A pool whose `cut` copies the track into the clip; the test decides when it may finish."""

    def __init__(self) -> None:
        self.calls = 0
        self.started = asyncio.Event()
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self.error: Exception | None = None

    async def run(self, function: Callable[..., Any], /, *args: Any, timeout_s: float) -> Any:
        self.calls += 1
        self.started.set()
        await self.may_finish.wait()
        if self.error is not None:
            raise self.error
        path, out_path, order, *_ = args
        Path(out_path).write_bytes(b"clip of " + Path(path).read_bytes())
        return Clip(out_path, order.length_s, 1.0, 31.0, 0.5)


class Fleet:
    """Front ends and workers on one Redis. `folder` is a new job's."""

    def __init__(self, url: str, tmp_path: Path) -> None:
        self.url = url
        self._tmp_path = tmp_path
        self.at_home = Scissors()
        self._streams: list[WorkStream] = []

    async def stream(self) -> WorkStream:
        stream = WorkStream(self.url, lease_s=0.5)
        await stream.startup()
        self._streams.append(stream)
        return stream

    async def front_end(self) -> RemotePool:
        return RemotePool(await self.stream(), self.at_home, fetch)

    async def job(self, pool: RemotePool, name: str, file_id: str = "FILE") -> tuple[Any, ...]:
        """The arguments of a cut, with a ticket in place of the track."""
        folder = self._tmp_path / name
        folder.mkdir()
        await pool.fetch(file_id, folder / "track", 1000)
        return str(folder / "track"), str(folder / "clip.ogg"), ORDER, {}

    @asynccontextmanager
    async def worker(self, grace_s: float = 5.0) -> AsyncIterator[Scissors]:
        scissors, stop = Scissors(), asyncio.Event()
        worker = AudioWorker(await self.stream(), scissors, fetch, slots=1, work_dir=self._tmp_path)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.run(stop, grace_s))
            yield scissors
            stop.set()

    async def close(self) -> None:
        for stream in self._streams:
            await stream.results.shutdown()
            await stream.shutdown()


@pytest.fixture
async def fleet(redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(redis_url, tmp_path)
    yield fleet
    await fleet.close()


async def test_worker_downloads_cuts_and_sends_the_clip_back(fleet: Fleet) -> None:
    pool = await fleet.front_end()
    call = await fleet.job(pool, "job")
    async with fleet.worker():
        clip = await pool.run(audio_tasks.cut, *call, timeout_s=60)
    assert clip == Clip(call[1], 30.0, 1.0, 31.0, 0.5)
    assert Path(call[1]).read_bytes() == b"clip of audio of FILE"
    assert fleet.at_home.calls == 0


async def test_a_rejection_keeps_its_code_and_is_not_remembered(fleet: Fleet) -> None:
    pool = await fleet.front_end()
    call = await fleet.job(pool, "job")
    async with fleet.worker() as scissors:
        scissors.error = InputRejected(Rejection.SILENT, "nothing", 12.0)
        with pytest.raises(InputRejected) as caught:
            await pool.run(audio_tasks.cut, *call, timeout_s=60)
        scissors.error = None
        await pool.run(audio_tasks.cut, *call, timeout_s=60)
    assert (caught.value.code, caught.value.duration_s) == (Rejection.SILENT, 12.0)


async def test_front_end_killed_while_it_waits_asks_only_once(fleet: Fleet) -> None:
    first, second = await fleet.front_end(), await fleet.front_end()
    call, again = await fleet.job(first, "before"), await fleet.job(second, "after")
    async with fleet.worker() as scissors:
        scissors.may_finish.clear()
        waiting = asyncio.create_task(first.run(audio_tasks.cut, *call, timeout_s=60))
        await scissors.started.wait()
        waiting.cancel()
        await asyncio.wait({waiting})  # a killed process asks for nothing more
        resumed = asyncio.create_task(second.run(audio_tasks.cut, *again, timeout_s=60))
        await asyncio.sleep(0)
        scissors.may_finish.set()
        assert (await resumed).path == again[1]
    assert Path(again[1]).read_bytes() == b"clip of audio of FILE"
    assert scissors.calls == 1


async def test_work_of_a_worker_told_to_stop_is_done_by_the_next(fleet: Fleet) -> None:
    pool = await fleet.front_end()
    call = await fleet.job(pool, "job")
    async with fleet.worker(grace_s=0.05) as leaving:
        leaving.may_finish.clear()
        waiting = asyncio.create_task(pool.run(audio_tasks.cut, *call, timeout_s=60))
        await leaving.started.wait()
    assert not waiting.done()
    async with fleet.worker():
        assert (await waiting).path == call[1]


async def test_redis_that_loses_everything_is_asked_again(fleet: Fleet) -> None:
    pool = await fleet.front_end()
    call = await fleet.job(pool, "job")
    waiting = asyncio.create_task(pool.run(audio_tasks.cut, *call, timeout_s=60))
    stream = await fleet.stream()
    while (await stream.backlog())[0] == 0:  # noqa: ASYNC110  # Redis rings no bell
        await asyncio.sleep(0.01)
    async with stream._redis() as redis:
        await redis.flushall()
    async with fleet.worker():
        assert (await waiting).path == call[1]


async def test_what_must_not_travel_is_downloaded_and_done_at_home(fleet: Fleet) -> None:
    def render_mix() -> None:
        """Its result is too large for the way back."""

    pool = await fleet.front_end()
    call = await fleet.job(pool, "job")
    assert (await pool.run(render_mix, *call, timeout_s=60)).path == call[1]
    assert Path(call[1]).read_bytes() == b"clip of audio of FILE"
    assert fleet.at_home.calls == 1


async def test_many_jobs_over_two_workers_are_each_done_once(fleet: Fleet) -> None:
    pool = await fleet.front_end()
    calls = [await fleet.job(pool, f"job{i}", file_id=f"F{i}") for i in range(20)]
    async with fleet.worker() as one, fleet.worker() as two:
        clips = await asyncio.gather(*(pool.run(audio_tasks.cut, *call, timeout_s=60) for call in calls))
    assert [clip.path for clip in clips] == [call[1] for call in calls]
    assert one.calls + two.calls == 20
    assert min(one.calls, two.calls) > 0
