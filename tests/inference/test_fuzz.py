"""Damaged files by the hundred through a real worker: an answer or a refusal, never a crash or a hang.

`python -m benchmarks.fuzz` does the same by the thousand, on real files.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz import MUTATIONS, mutate
from inference import jobs
from inference.decode import DecodeLimits, decode_mono
from inference.errors import InputRejected
from inference.pool import WorkerPool
from tests.conftest import FloatArray, WriteAudio

pytestmark = pytest.mark.slow
FORMATS = ("a.mp3", "a.m4a", "a.flac", "a.wav", "a.opus")
MUTANTS = 40  # of each format
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(1, warm=False)
    pool.start_blocking()
    yield pool
    pool.close_blocking()


def tune() -> FloatArray:
    t = np.arange(5 * 48_000) / 48_000
    y = 0.3 * np.sin(2 * np.pi * (220.0 * t + 30.0 * t**2)) + 0.05 * np.random.default_rng(0).standard_normal(
        len(t)
    )
    return np.stack([y, 0.6 * y]).astype(np.float32)


@pytest.mark.parametrize("name", FORMATS)
def test_mutants_end_in_samples_or_a_refusal(name: str, pool: WorkerPool, write: WriteAudio) -> None:
    original = write(name, tune(), 48_000).read_bytes()
    mutant = write(name, tune(), 48_000)
    pid = pool.run_blocking(os.getpid)
    n_heard = 0
    for seed in range(MUTANTS):
        mutant.write_bytes(mutate(original, np.random.default_rng(seed)))
        try:
            y = pool.run_blocking(decode_mono, mutant, 22_050, DecodeLimits(max_s=120.0), timeout_s=TIMEOUT_S)
        except InputRejected:
            continue
        assert np.isfinite(y).all()
        n_heard += 1
    assert n_heard >= MUTANTS // 10, "the mutations leave nothing to test"
    assert pool.run_blocking(os.getpid) == pid, "the worker died on the way"


@pytest.mark.parametrize("kind", MUTATIONS)
def test_whole_job_on_mutants(kind: str, pool: WorkerPool, write: WriteAudio, tmp_path: Path) -> None:
    original = write("a.mp3", tune(), 48_000).read_bytes()
    for seed in range(3):
        (tmp_path / "m.mp3").write_bytes(MUTATIONS[kind](original, np.random.default_rng(seed)))
        try:
            result = pool.run_blocking(
                jobs.highlight, str(tmp_path / "m.mp3"), str(tmp_path / "v.ogg"), timeout_s=TIMEOUT_S
            )
        except InputRejected:
            continue
        assert result.voice is not None
        assert result.picks.window.end_s <= result.analysis.duration_s + 1e-6
