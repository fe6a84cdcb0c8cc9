"""The whole job as a user has it: a track goes up to the sandbox, a voice message comes back over HTTP.

The real bot as a process of its own with one audio worker and SQLite, new for every track. What Telegram does
not hand to a bot (over 20 MB) is handed over as by a Bot API server of one's own.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.job_cost import p95, peak_mb, repeats_at
from benchmarks.tracks import distinct_copy, make_track
from sandbox.files import DOWNLOAD_LIMIT_BYTES
from sandbox.launch import BotProcess
from sandbox.settings import bot_environment
from sandbox.testing import RunningSandbox, running_sandbox

FIRST_USER = 80_000
START_S = 180.0
ANSWER_S = 3600.0
QUIET_S = 0.3  # no CPU spent for so long, beside the loop's own heartbeat: the job is over
HEARTBEAT_S = 0.02


def measure_answers(path: str, length_s: float, repeats: int) -> dict[str, Any]:
    track = Path(path)
    is_local = track.stat().st_size > DOWNLOAD_LIMIT_BYTES - 4096  # a copy is a little longer
    return asyncio.run(_measure(track, is_local, repeats_at(length_s, repeats)))


async def _measure(track: Path, is_local: bool, n: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-bot-") as name:
        folder = Path(name)
        tune = make_track(folder, "mp3", 30.0)
        async with running_sandbox(is_local=is_local) as sandbox:
            environment = bot_environment(sandbox.url, folder / "data") | {
                "WORKERS": "1",
                "LOG_LEVEL": "WARNING",
                "TELEGRAM_LOCAL_API": str(is_local),
            }
            bot = BotProcess(environment, log_path=folder / "bot.log")
            async with asyncio.TaskGroup() as tasks:
                living = tasks.create_task(bot.keep_alive())
                await sandbox.wait_for_polling(timeout_s=START_S)
                await _answer(sandbox, FIRST_USER, tune)
                process = psutil.Process(bot.pid)
                turns = []
                for i in range(n):
                    copy = distinct_copy(track, folder, i)
                    turns.append(await _turn(sandbox, process, FIRST_USER + 1 + i, copy))
                peaks = [peak_mb(p.pid) for p in (process, _worker(process))]
                living.cancel()
    walls, own, worker = (list(column) for column in zip(*turns, strict=True))
    return {
        "n": n,
        "is_local": is_local,
        "wall_s": statistics.median(walls),
        "wall_p95_s": p95(walls),
        "bot_cpu_s": statistics.median(own),
        "worker_cpu_s": statistics.median(worker),
        "cpu_s": statistics.median(a + b for a, b in zip(own, worker, strict=True)),
        "bot_mb": peaks[0],
        "worker_mb": peaks[1],
    }


async def _turn(
    sandbox: RunningSandbox, bot: psutil.Process, user: int, track: Path
) -> tuple[float, float, float]:
    """Wall seconds until the answer; CPU seconds of the bot's process and of its worker until both rest."""
    worker = _worker(bot)
    await _rest(bot, worker)
    before = _cpu(bot), _cpu(worker)
    started = time.monotonic()
    await _answer(sandbox, user, track)
    wall_s = time.monotonic() - started
    await _rest(bot, worker)
    return wall_s, _cpu(bot) - before[0], _cpu(worker) - before[1]


async def _answer(sandbox: RunningSandbox, user: int, track: Path) -> None:
    await sandbox.add_person(user, "Listener")
    sent = await sandbox.send_audio(track, user=user)
    answer = await sandbox.wait_for(
        lambda m: m.is_from_bot and m.reply_to == sent.message_id and m.kind in {"voice", "text"},
        chat=sent.chat_id,
        timeout_s=ANSWER_S,
    )
    if answer.kind != "voice":
        raise RuntimeError(f"no voice message for {track.name}: {answer.text}")


async def _rest(*processes: psutil.Process) -> None:
    while True:
        before = sum(map(_cpu, processes))
        await asyncio.sleep(QUIET_S)
        if sum(map(_cpu, processes)) - before <= HEARTBEAT_S:
            return


def _worker(bot: psutil.Process) -> psutil.Process:
    """Of the bot's children the one that computes; the other keeps count of shared memory."""
    return max(bot.children(), key=lambda child: child.memory_info().rss)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
