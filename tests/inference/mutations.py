"""Files that a hostile or broken sender might make: real ones, mutated. Also a command, for thousands:

    python -m tests.inference.mutations --n 5000 [--seed 1] [--keep FOLDER]

prints what became of them, and keeps the files that ended a worker or ran past the time limit.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference.decode import DecodeLimits
from inference.errors import HighlightError, InputRejected
from inference.pipeline import make_highlight
from inference.pool import WorkerPool
from sandbox.song import synthesise_song, write_audio

SEED_SUFFIXES = ("mp3", "ogg", "opus", "flac", "m4a", "wav")
SEED_S = 8.0
LIMITS = DecodeLimits(max_s=600.0)
TIMEOUT_S = 20.0
EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80")


def make_seeds(folder: Path) -> list[bytes]:
    """A few seconds of music in each container."""
    samples, sr, _ = synthesise_song(sr=48_000)
    seeds = []
    for suffix in SEED_SUFFIXES:
        path = folder / f"seed.{suffix}"
        write_audio(path, samples[:, : int(SEED_S * sr)], sr)
        seeds.append(path.read_bytes())
    return seeds


def mutate(seeds: list[bytes], rng: np.random.Generator) -> bytes:
    """One file: bytes flipped, cut, spliced, repeated, or header fields at their extremes."""
    data = bytearray(seeds[rng.integers(len(seeds))])
    for _ in range(int(rng.integers(1, 4))):
        kind = int(rng.integers(6))
        if len(data) < 16:
            break
        at = int(rng.integers(len(data)))
        if kind == 0:  # bits anywhere
            for place in rng.integers(len(data), size=int(rng.integers(1, 200))):
                data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:  # header fields at extremes
            width = int(rng.integers(1, 9))
            start = int(rng.integers(min(len(data), 512)))
            data[start : start + width] = EXTREMES[rng.integers(len(EXTREMES))] * width
        elif kind == 2:  # cut short
            del data[at:]
        elif kind == 3:  # a hole
            del data[at : at + int(rng.integers(1, 5000))]
        elif kind == 4:  # another file's middle
            other = seeds[rng.integers(len(seeds))]
            start = int(rng.integers(len(other)))
            data[at:at] = other[start : start + int(rng.integers(1, 20_000))]
        else:  # the same again
            data[at:at] = data[at : at + int(rng.integers(1, 8000))]
    return bytes(data)


def mutants(folder: Path, n: int, seed: int) -> Iterator[Path]:
    seeds = make_seeds(folder)
    rng = np.random.default_rng(seed)
    for i in range(n):
        path = folder / f"mutant-{seed}-{i}"
        path.write_bytes(mutate(seeds, rng))
        yield path


async def outcome(pool: WorkerPool, path: Path) -> str:
    """`answered`, the code of the rejection, or the name of what should not have happened."""
    out_path = path.with_suffix(".ogg")
    try:
        await pool.run(make_highlight, str(path), str(out_path), 30.0, LIMITS, timeout_s=TIMEOUT_S)
    except InputRejected as exc:
        return str(exc.code)
    except HighlightError as exc:
        return type(exc).__name__
    except Exception as exc:  # noqa: BLE001 - what else comes out is the finding
        return f"{type(exc).__name__}: {exc}"
    finally:
        out_path.unlink(missing_ok=True)
    return "answered"


async def run(n: int, seed: int, keep: Path | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    pool = WorkerPool()
    await pool.start()
    try:
        with tempfile.TemporaryDirectory() as name:
            for path in mutants(Path(name), n, seed):
                result = await outcome(pool, path)
                counts[result] += 1
                if keep is not None and not (result == "answered" or result.islower()):
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / path.name).write_bytes(path.read_bytes())
                path.unlink()
    finally:
        await pool.close()
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=None)
    chosen = parser.parse_args()
    started = time.monotonic()
    for result, count in asyncio.run(run(chosen.n, chosen.seed, chosen.keep)).most_common():
        print(f"{count:6d}  {result}")
    print(f"{chosen.n} files in {time.monotonic() - started:.0f} s")
