"""How late the event loop is, whose doing that is, and what keeps it quick."""

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.__main__ import FILE_THREADS, started_threads
from bot.db.engine import SQLITE_CONNECTIONS, Database, create_engine
from bot.metrics import LAG_EVERY_S, Metrics, blocked_seconds

BLOCK_S = 0.5
NOTICED_S = "0.2"  # a bucket: less than the block, more than a timer that was already on its way


@pytest.mark.parametrize(
    ("lag_s", "cpu_s", "waits_s", "expected_s"),
    [
        pytest.param(0.0, 0.02, 0.01, 0.0, id="in time"),
        pytest.param(0.3, 0.3, 0.0, 0.3, id="computed"),
        pytest.param(0.3, 0.0, 0.0, 0.3, id="a call that blocks"),
        pytest.param(0.3, 0.01, 0.34, 0.01, id="no core"),
        pytest.param(0.5, 0.24, 0.3, 0.24, id="computed, with pauses for others"),
        pytest.param(0.1, 0.1, 0.04, 0.1, id="waited before it was due, computed after"),
    ],
)
def test_lag_is_ours_but_for_the_wait_for_a_core(
    lag_s: float, cpu_s: float, waits_s: float, expected_s: float
) -> None:
    assert blocked_seconds(lag_s, cpu_s, waits_s) == pytest.approx(expected_s)


async def test_call_that_blocks_the_loop_shows_in_both_histograms() -> None:
    metrics = Metrics()
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(metrics.watch_loop())
        await asyncio.sleep(2 * LAG_EVERY_S)
        time.sleep(BLOCK_S)  # noqa: ASYNC251  # the fault that is to be seen
        await asyncio.sleep(2 * LAG_EVERY_S)
        watching.cancel()
    for name in ("lag", "blocked"):
        series = f"highlight_loop_{name}_seconds"
        all_beats = metrics.registry.get_sample_value(f"{series}_count")
        quick = metrics.registry.get_sample_value(f"{series}_bucket", {"le": NOTICED_S})
        assert all_beats is not None
        assert quick is not None
        assert all_beats - quick >= 1, name


@pytest.mark.slow  # an interpreter of its own loads the bot
def test_full_collection_passes_over_what_a_start_loads() -> None:
    script = textwrap.dedent("""
        import gc
        import bot.app
        from bot.__main__ import forget_the_loaded
        loaded = len(gc.get_objects())
        forget_the_loaded()
        print(loaded, len(gc.get_objects()))
    """)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded, walked = map(int, run.stdout.split())
    assert walked < loaded / 20


async def test_open_connections_leave_no_thread_to_be_started(tmp_path: Path) -> None:
    database = Database(create_engine(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}"))
    try:
        await database.open_connections()
        before = set(threading.enumerate())

        async def ask() -> None:
            async with database.read() as session:
                await session.execute(text("SELECT 1"))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(3 * SQLITE_CONNECTIONS):
                tasks.create_task(ask())
        assert set(threading.enumerate()) <= before
    finally:
        await database.close()


def test_file_threads_run_before_the_first_file() -> None:
    with started_threads() as threads:
        before = set(threading.enumerate())
        release = threading.Event()
        waiting = [threads.submit(release.wait) for _ in range(2 * FILE_THREADS)]
        during = set(threading.enumerate())
        release.set()
        assert all(future.result() for future in waiting)
        assert during <= before
