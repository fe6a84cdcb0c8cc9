"""One highlight without the bot: what the worker's process spends, beside the floor."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from sandbox.song import write_audio

STAGES = ("decode", "features", "rhythm", "model", "cut", "loudness", "encode")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
REPEATS_FOR_S = 1800.0  # of audio; longer tracks are run fewer times


def in_fresh_process(fn: Callable[..., Any], *args: Any) -> Any:
    """Run `fn` in a process of its own, one thread to each library, and return its result."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(fn, args)


def repeats_at(length_s: float, repeats: int) -> int:
    return max(1, min(repeats, round(REPEATS_FOR_S * repeats / length_s)))


def cpu_s(fn: Callable[..., Any], *args: Any) -> float:
    start = time.process_time()
    fn(*args)
    return time.process_time() - start


def peak_mb(pid: int | str = "self") -> float:
    """Peak resident memory of a process. Not `ru_maxrss`, which begins with the parent's at the fork."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def p95(values: list[float]) -> float:
    return float(np.percentile(values, 95))


def warm_worker() -> float:
    """Make this process what a worker is after its start; the seconds by the clock that took.

    Stages count CPU from here on.
    """
    from inference.memory import give_memory_back
    from inference.pipeline import Stopwatch
    from inference.warmup import warm_up

    started = time.perf_counter()
    warm_up()
    ready_s = time.perf_counter() - started
    give_memory_back()
    Stopwatch.clock = staticmethod(time.process_time)
    return ready_s


def measure_job(path: str, repeats: int) -> dict[str, Any]:
    ready_s = warm_worker()
    from inference.decode import decode_span
    from inference.pipeline import make_highlight

    voice = f"{path}.ogg"
    first = make_highlight(path, voice)
    peak = peak_mb()
    window, duration_s = first.picks.window, first.analysis.duration_s
    piece = decode_span(path, window.start_s, window.end_s).samples
    floors, jobs, walls, stages, listening = [], [], [], [], []
    for _ in range(repeats_at(duration_s, repeats)):
        floors.append(cpu_s(decode_only, path) + cpu_s(encode_only, piece, voice))
        start = time.perf_counter()
        before = time.process_time()
        result = make_highlight(path, voice)
        jobs.append(time.process_time() - before)
        walls.append(time.perf_counter() - start)
        stages.append({name: result.timings_s[name] for name in STAGES})
        listening.append(cpu_s(make_highlight, path))
    return {
        "duration_s": duration_s,
        "n": len(jobs),
        "ready_s": ready_s,
        "floor_s": statistics.median(floors),
        "job_s": statistics.median(jobs),
        "job_p95_s": p95(jobs),
        "wall_s": statistics.median(walls),
        "ratio": statistics.median(job / floor for job, floor in zip(jobs, floors, strict=True)),
        "listening_s_per_min": statistics.median(listening) / duration_s * 60,
        "peak_mb": peak,
        "stages_s": {name: statistics.median(s[name] for s in stages) for name in STAGES},
    }


def decode_only(path: str) -> None:
    with av.open(path) as container:
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        for _ in container.decode(stream):
            pass


def encode_only(samples: np.ndarray, path: str) -> None:
    write_audio(Path(path), samples, 48_000, codec="libopus", bit_rate=96_000)
