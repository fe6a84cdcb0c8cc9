"""Mutated files through real workers: each ends as an answer or a rejection, and the pool lives."""

from collections import Counter
from pathlib import Path

import pytest

from inference.errors import Rejection
from inference.pool import WorkerPool
from tests.inference.mutations import mutants, outcome

N_FILES = 150
FINE = {"answered", *Rejection}


@pytest.mark.slow
async def test_mutated_files_never_end_in_anything_but_an_answer_or_a_rejection(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    pool = WorkerPool(1)
    await pool.start()
    try:
        for path in mutants(tmp_path, N_FILES, seed=20_261):
            counts[await outcome(pool, path)] += 1
            path.unlink()
    finally:
        await pool.close()
    assert {result: n for result, n in counts.items() if result not in FINE} == {}
    assert counts["answered"] > N_FILES // 10  # the mutants are files that could have been music
    assert sum(counts[code] for code in Rejection) > N_FILES // 10
