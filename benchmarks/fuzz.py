"""Damage real files by the thousand and see what a worker makes of them.

    python -m benchmarks.fuzz FOLDER [--mutants 2000] [--seed 0]

Every mutant goes through the whole job in a worker with its limits on time and memory. Printed: how many gave
a highlight, how many were refused and why, and what must be none: workers lost, time-outs, other errors.
Mutants that do harm are kept in `fuzz-found/`.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from inference import jobs
from inference.errors import InputRejected
from inference.pool import WorkerPool

MAX_BYTES = 600_000  # of a file that is mutated: half a minute, so that thousands are soon done
TIMEOUT_S = 60.0
MAX_TRACK_S = 600.0
FOUND = Path("fuzz-found")

Mutation = Callable[[bytes, np.random.Generator], bytes]


def flip_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    mutant = bytearray(content)
    for place in rng.integers(0, len(mutant), rng.integers(1, 200)):
        mutant[place] ^= int(rng.integers(1, 256))
    return bytes(mutant)


def flip_header(content: bytes, rng: np.random.Generator) -> bytes:
    mutant = bytearray(content)
    for place in rng.integers(0, min(len(mutant), 2048), rng.integers(1, 20)):
        mutant[place] = int(rng.integers(0, 256))
    return bytes(mutant)


def extreme_field(content: bytes, rng: np.random.Generator) -> bytes:
    """Some four bytes become a number at its end: sizes, counts, rates, times."""
    mutant = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(0, min(len(mutant), 4096)))
        mutant[place : place + 4] = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]).tobytes()[:4]
    return bytes(mutant)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def remove_middle(content: bytes, rng: np.random.Generator) -> bytes:
    first, last = sorted(rng.integers(0, len(content), 2).tolist())
    return content[:first] + content[last:]


def repeat_middle(content: bytes, rng: np.random.Generator) -> bytes:
    first, last = sorted(rng.integers(0, len(content), 2).tolist())
    return content[:last] + content[first:last] * int(rng.integers(1, 4)) + content[last:]


def swap_parts(content: bytes, rng: np.random.Generator) -> bytes:
    a, b, c = sorted(rng.integers(0, len(content), 3).tolist())
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def insert_noise(content: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(0, len(content)))
    return content[:place] + rng.bytes(int(rng.integers(1, 20_000))) + content[place:]


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        flip_bytes,
        flip_header,
        extreme_field,
        cut,
        remove_middle,
        repeat_middle,
        swap_parts,
        insert_noise,
    )
}


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three mutations, one after another."""
    for name in rng.choice(list(MUTATIONS), rng.integers(1, 4)):
        content = MUTATIONS[name](content, rng) or content[:1]
    return content


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Mutated files through the worker.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    print(describe_machine())
    files = sorted(path for path in args.folder.iterdir() if path.is_file())
    contents = [content[:MAX_BYTES] for path in files if (content := path.read_bytes())]
    pool = WorkerPool(1)
    pool.start_blocking()
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        track, voice = Path(folder) / "track", Path(folder) / "voice.ogg"
        for number in range(args.mutants):
            rng = np.random.default_rng([args.seed, number])
            content = contents[number % len(contents)]
            # Every fourth begins as one file and goes on as another.
            if number % 4 == 3:
                content = content[: len(content) // 2] + contents[int(rng.integers(len(contents)))]
            track.write_bytes(mutate(content, rng))
            before = time.monotonic()
            outcome, is_harm = run_one(pool, track, voice)
            slowest_s = max(slowest_s, time.monotonic() - before)
            outcomes[outcome] += 1
            if is_harm:
                FOUND.mkdir(exist_ok=True)
                (FOUND / f"{args.seed}-{number}-{files[number % len(files)].name}").write_bytes(
                    track.read_bytes()
                )
                print(f"mutant {number} of {files[number % len(files)].name}: {outcome}", flush=True)
    pool.close_blocking()
    for outcome, count in outcomes.most_common():
        print(f"{count:6d}  {outcome}")
    print(f"slowest {slowest_s:.1f} s, all {time.monotonic() - started:.0f} s")
    return 1 if FOUND.exists() else 0


def run_one(pool: WorkerPool, track: Path, voice: Path) -> tuple[str, bool]:
    """What came of it, and whether that must not be."""
    try:
        pool.run_blocking(jobs.highlight, str(track), str(voice), 30.0, MAX_TRACK_S, timeout_s=TIMEOUT_S)
    except InputRejected as exc:
        return f"refused: {exc.code}", False
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is what we look for
        return f"{type(exc).__name__}: {exc}"[:100], True
    return "highlight", False


if __name__ == "__main__":
    sys.exit(main())
