"""Throughput by workers: `python -m benchmarks.bench_workers [--tracks 24] [--workers 1 2]`.

One front end with QUEUE=taskiq, a private Redis, and so many `python -m bot worker` processes of one audio
process each; every track comes from a user of its own and was never heard before. All of it shares the cores
of this machine, so a ratio ends where they do.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from redis.asyncio import Redis

from benchmarks.machine import describe_machine
from bot.services.stream import STREAM
from sandbox.settings import bot_environment
from sandbox.song import synthesise_song, write_audio
from sandbox.testing import RunningSandbox, running_sandbox

ROOT = Path(__file__).parents[1]
SERVICES = ROOT / "scripts" / "services.sh"
FIRST_USER = 70_000
REDIS_PORT = 6398


def make_tracks(folder: Path, n: int, length_s: float) -> list[Path]:
    """Files that begin at other places of one song: each is new to the bot, and as much work as the rest."""
    samples, sr, _ = synthesise_song()
    paths = [folder / f"track-{i}.mp3" for i in range(n)]
    for i, path in enumerate(paths):
        write_audio(path, samples[:, i * sr // 4 :][:, : int(length_s * sr)], sr)
    return paths


@contextmanager
def redis() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="bench-redis-"))
    folder.chmod(0o755)
    arguments = [str(folder / "redis"), str(REDIS_PORT)]
    subprocess.run([SERVICES, "install"], check=True)
    as_shipped = {**os.environ, "FSYNC": "everysec"}
    subprocess.run([SERVICES, "redis", "start", *arguments], check=True, env=as_shipped)
    try:
        yield f"redis://127.0.0.1:{REDIS_PORT}/0"
    finally:
        subprocess.run([SERVICES, "redis", "stop", *arguments], check=True)
        shutil.rmtree(folder)


@asynccontextmanager
async def process(environment: dict[str, str], *command: str) -> AsyncIterator[int]:
    """Its process group, so that its audio processes can be held with it."""
    run_bot = [sys.executable, "-m", "bot", *command]
    child = await asyncio.create_subprocess_exec(*run_bot, env=environment, cwd=ROOT, start_new_session=True)
    try:
        yield child.pid
    finally:
        child.terminate()
        await child.wait()


async def ready(url: str, n: int) -> None:
    """Until so many workers ask the stream for work."""
    async with Redis.from_url(url) as client:
        while sum(row["cmd"] == "xreadgroup" for row in await client.client_list()) < n:  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # Redis rings no bell


async def waiting(url: str, n: int) -> None:
    """Until so many orders are in the stream."""
    async with Redis.from_url(url) as client:
        while await client.xlen(STREAM) < n:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def answered(sandbox: RunningSandbox, user: int) -> None:
    await sandbox.wait_for(lambda view: view.kind == "voice", chat=user, timeout_s=1800)


async def measure(n_workers: int, tracks: list[Path], url: str) -> float:
    """Seconds from the moment when the workers may begin to the last answer."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = await stack.enter_async_context(running_sandbox())
        environment = bot_environment(sandbox.url, folder) | {
            "QUEUE": "taskiq",
            "REDIS_URL": url,
            "WORKERS": "1",
            "LOG_LEVEL": "WARNING",
        }
        await stack.enter_async_context(process(environment))
        workers = [await stack.enter_async_context(process(environment, "worker")) for _ in range(n_workers)]
        await sandbox.wait_for_polling(timeout_s=300)
        await ready(url, n_workers)
        for n in range(len(tracks)):
            await sandbox.add_person(FIRST_USER + n, f"User {n}")
        # All tracks wait before any is worked on: the sandbox looks into each upload, which takes its time.
        for worker in workers:
            os.killpg(worker, signal.SIGSTOP)
        for n, track in enumerate(tracks):
            await sandbox.send_audio(track, user=FIRST_USER + n)
        await waiting(url, len(tracks))
        for worker in workers:
            os.killpg(worker, signal.SIGCONT)
        started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for n in range(len(tracks)):
                tasks.create_task(answered(sandbox, FIRST_USER + n))
        return time.monotonic() - started


def run(n_tracks: int, workers: list[int], length_s: float) -> None:
    print(describe_machine())
    with tempfile.TemporaryDirectory() as name:
        tracks = make_tracks(Path(name), n_tracks, length_s)
        rates: dict[int, float] = {}
        for n_workers in workers:
            with redis() as url:
                elapsed_s = asyncio.run(measure(n_workers, tracks, url))
            rates[n_workers] = n_tracks / elapsed_s * 60
            ratio = rates[n_workers] / rates[workers[0]]
            print(f"{n_workers} workers: {rates[n_workers]:.1f} tracks a minute, x {ratio:.2f}", flush=True)
    found = {"tracks": n_tracks, "length_s": length_s, "per_minute": rates, "load": os.getloadavg()[0]}
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=24)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--length", type=float, default=180.0, help="seconds of each track")
    chosen = parser.parse_args()
    run(chosen.tracks, chosen.workers, chosen.length)
