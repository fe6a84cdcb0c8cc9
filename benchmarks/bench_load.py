"""Many users at once over the sandbox's HTTP: `python -m benchmarks.bench_load [--users 200]`.

The real bot as a process of its own, with its real workers. Users arrive by a Poisson process; most send a
track, some an album, some a track that somebody sent before, some flood. Printed: how many were answered,
lost or answered twice, the latency's percentiles, and how late the bot's event loop came back to its timers
(from its /metrics): in all, and without the time in which it was ready but other work had the cores. The
sandbox and the audio workers run on the same cores: the figures are those of the whole scene.
"""

import argparse
import asyncio
import random
import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from benchmarks.machine import describe_machine
from sandbox.client import MessageView
from sandbox.launch import BotProcess
from sandbox.settings import bot_environment
from sandbox.song import synthesise_song, write_audio
from sandbox.testing import RunningSandbox, running_sandbox

FIRST_USER = 50_000
ALBUM = 3
FLOOD = 40
TARGET_S = "0.1"  # a bucket of the histograms below
LAGS = {"late": "highlight_loop_lag_seconds", "late by our own doing": "highlight_loop_blocked_seconds"}


Shares = list[tuple[str, float]]  # (upper bound in s, share of timers within it), rising


@dataclass
class Report:
    """What was asked and what came of it."""

    asked: int = 0
    lost: int = 0
    doubled: int = 0
    refused: int = 0
    latencies_s: list[float] = field(default_factory=list)


def make_tracks(folder: Path, n: int, length_s: float) -> list[Path]:
    """Different files of one song: another transposition each, cut to `length_s`."""
    paths = []
    for i in range(n):
        samples, sr, _ = synthesise_song(tempo_bpm=100.0 + i, seed=i)
        path = folder / f"track-{i}.mp3"
        write_audio(path, samples[:, : int(length_s * sr)], sr, tags={"title": f"Track {i}"})
        paths.append(path)
    return paths


async def play_user(
    sandbox: RunningSandbox, user: int, role: str, tracks: list[Path], rng: random.Random
) -> list[MessageView]:
    """Send what the role sends; the messages that deserve an answer."""
    await sandbox.add_person(user, f"User {user}", language_code=rng.choice(["en", "ru"]))
    if role == "album":
        return await sandbox.send_album(rng.sample(tracks, ALBUM), user=user)
    if role == "flood":
        sent = [await sandbox.send_audio(tracks[0], user=user)]
        for _ in range(FLOOD):
            await sandbox.send_text("hello?", user=user)
        return sent
    track = tracks[0] if role == "repeat" else rng.choice(tracks)
    return [await sandbox.send_audio(track, user=user)]


async def settle(sandbox: RunningSandbox, sent: list[MessageView], report: Report, limit_s: float) -> None:
    """Wait until every message has its answer, then count; ages by the server's own clock of arrival."""
    chat = sent[0].chat_id
    ids = {message.message_id for message in sent}
    started = time.monotonic()

    def is_answer(message: MessageView) -> bool:
        return message.is_from_bot and message.reply_to in ids

    try:
        found = await sandbox.wait_for_all(
            lambda views: ids <= {m.reply_to for m in views if is_answer(m)}, chat=chat, timeout_s=limit_s
        )
    except TimeoutError:
        found = await sandbox.messages(chat)
    report.latencies_s += [time.monotonic() - started] * len(sent)
    answers = Counter(m.reply_to for m in found if is_answer(m))
    report.asked += len(ids)
    report.lost += len(ids - set(answers))
    report.doubled += sum(n > 1 for n in answers.values())
    report.refused += sum(is_answer(m) and m.kind == "text" for m in found)


async def run(n_users: int, per_s: float, length_s: float, seed: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tracks = make_tracks(folder, 12, length_s)
        async with running_sandbox() as sandbox:
            port = rng.randrange(20_000, 40_000)
            environment = bot_environment(sandbox.url, folder) | {
                "HTTP_PORT": str(port),
                "LOG_LEVEL": "WARNING",
            }
            bot = BotProcess(environment, log_path=folder / "bot.log")
            async with asyncio.TaskGroup() as tasks:
                living = tasks.create_task(bot.keep_alive())
                await sandbox.wait_for_polling(timeout_s=180)
                report = await crowd(sandbox, n_users, per_s, tracks, rng)
                lag = await lags(port)
                living.cancel()
    show(report, lag, n_users, per_s, length_s)


async def crowd(
    sandbox: RunningSandbox, n_users: int, per_s: float, tracks: list[Path], rng: random.Random
) -> Report:
    report = Report()
    async with asyncio.TaskGroup() as tasks:
        for n in range(n_users):
            role = rng.choices(["track", "album", "repeat", "flood"], [70, 10, 15, 5])[0]
            sent = await play_user(sandbox, FIRST_USER + n, role, tracks, rng)
            tasks.create_task(settle(sandbox, sent, report, limit_s=900))
            await asyncio.sleep(rng.expovariate(per_s))
    return report


async def lags(port: int) -> dict[str, Shares]:
    """How late timers were, as Prometheus sees it."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    return {name: shares_within(text, series) for name, series in LAGS.items()}


def shares_within(text: str, series: str) -> Shares:
    buckets = re.findall(rf'^{series}_bucket{{le="([^"]+)"}} ([0-9.e+]+)', text, re.MULTILINE)
    total = float(buckets[-1][1])
    return [(bound, float(count) / total) for bound, count in buckets]


def show(report: Report, lag: dict[str, Shares], n_users: int, per_s: float, length_s: float) -> None:
    print(describe_machine())
    print(f"{n_users} users, {per_s:g} a second, tracks of {length_s:g} s")
    print(f"asked {report.asked}, lost {report.lost}, doubled {report.doubled}, refused {report.refused}")
    p50, p95, top = np.percentile(report.latencies_s, [50, 95, 100])
    print(f"latency: median {p50:.1f} s, p95 {p95:.1f} s, longest {top:.1f} s")
    print("event loop:")
    for name, shares in lag.items():
        within = dict(shares)[TARGET_S]
        worst = next(bound for bound, share in shares if share == 1.0)
        print(
            f"  {name:>22}: {100 * within:.3f} % of timers by at most {TARGET_S} s, all by at most {worst} s"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--per-s", type=float, default=50.0, help="arrivals a second")
    parser.add_argument("--length-s", type=float, default=60.0, help="of each track")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    asyncio.run(run(chosen.users, chosen.per_s, chosen.length_s, chosen.seed))
