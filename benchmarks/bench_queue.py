"""What the queue itself costs: `python -m benchmarks.bench_queue [--orders 48] [--workers 1 2 4 8]`.

Orders go through a private Redis to workers whose audio work is a pause of fixed length, so that the cores of
the machine do not matter: measured is how close the throughput comes to workers / pause, and what an order
costs beyond its pause. All workers share one process. For real audio on real cores see `bench_workers`.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.bench_workers import redis
from benchmarks.machine import describe_machine
from bot.services import audio_tasks
from bot.services.audio_tasks import Clip, ClipOrder
from bot.services.audio_worker import AudioWorker
from bot.services.remote import RemotePool
from bot.services.stream import WorkStream

CLIP = bytes(400_000)  # a voice message of thirty seconds


class Pause:
    """A pool of one process whose work takes `pause_s` and makes a clip of the usual size."""

    workers = 1

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s

    async def run(self, _fn: Callable[..., Any], /, *args: Any, **_: Any) -> Any:
        await asyncio.sleep(self._pause_s)
        await asyncio.to_thread(Path(args[1]).write_bytes, CLIP)
        return Clip(args[1], 30.0, 0.0, 30.0, 1.0)


async def fetch(_file_id: str, target: Path, _max_bytes: int) -> None:
    await asyncio.to_thread(target.write_bytes, b"audio")


async def measure(url: str, n_orders: int, n_workers: int, pause_s: float) -> float:
    """Orders a second."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        streams = [WorkStream(url) for _ in range(n_workers + 1)]
        for stream in streams:
            stack.push_async_callback(stream.close)
        await streams[0].startup()
        front = RemotePool(streams[0], Pause(pause_s), fetch)
        async with asyncio.TaskGroup() as tasks:
            for stream in streams[1:]:
                tasks.create_task(AudioWorker(stream, Pause(pause_s), fetch, slots=1).run(stop, 5.0))
            started = time.monotonic()
            async with asyncio.TaskGroup() as asking:
                for n in range(n_orders):
                    job = folder / str(n)
                    await asyncio.to_thread(job.mkdir)
                    await front.fetch(f"file-{n_workers}-{n}", job / "track", 1)
                    order = (str(job / "track"), str(job / "clip.ogg"), ClipOrder(30.0), {})
                    asking.create_task(front.run(audio_tasks.cut, *order, timeout_s=60.0))
            elapsed_s = time.monotonic() - started
            stop.set()
    return n_orders / elapsed_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=48)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--pause", type=float, default=1.0, help="seconds of work of one order")
    chosen = parser.parse_args()
    print(describe_machine())
    first = 0.0
    for n_workers in chosen.workers:
        with redis() as url:
            rate = asyncio.run(measure(url, chosen.orders, n_workers, chosen.pause))
        first = first or rate / n_workers
        beside_ms = 1000 * (n_workers / rate - chosen.pause)
        print(f"{n_workers} workers: {rate:.2f} orders/s, x {rate / first:.2f}, {beside_ms:.0f} ms beside")


if __name__ == "__main__":
    main()
