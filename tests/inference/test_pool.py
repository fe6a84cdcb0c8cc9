"""Real worker processes: what a death, a stuck job or too much memory costs, and whom."""

import asyncio
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from inference import jobs
from inference.datatypes import Highlight, Window
from inference.errors import EngineError, HighlightError, InputRejected, Rejection, WorkerLost, WorkerTimeout
from inference.pipeline import process_model
from inference.pool import CONTROL_GROUPS, FILE_LIMIT_BYTES, WorkerPool, _quota_of, usable_cores
from inference.progress import Progress, Stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    """Two workers, cold: what is tested here is not the audio."""
    pool = WorkerPool(2, warm=False)
    pool.start_blocking()
    yield pool
    pool.close_blocking()


def test_values_come_back(pool: WorkerPool) -> None:
    assert pool.run_blocking(os.getpid) != os.getpid()
    assert pool.run_blocking(divmod, 7, 3) == (2, 1)


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
async def test_death_costs_one_job(pool: WorkerPool, death: signal.Signals) -> None:
    async with asyncio.TaskGroup() as group:
        neighbour = group.create_task(pool.run(time.sleep, 0.5))
        with pytest.raises(WorkerLost):
            await pool.run(signal.raise_signal, death)
    assert neighbour.exception() is None
    assert await pool.run(abs, -1) == 1


async def test_stuck_job_is_ended(pool: WorkerPool) -> None:
    started = time.monotonic()
    with pytest.raises(WorkerTimeout):
        await pool.run(time.sleep, 60, timeout_s=0.3)
    assert time.monotonic() - started < 30
    assert await pool.run(abs, -2) == 2


async def test_time_in_the_queue_does_not_count(pool: WorkerPool) -> None:
    await asyncio.gather(*(pool.run(time.sleep, 1.0, timeout_s=2.5) for _ in range(6)))


async def test_cancelled_job_frees_its_worker(pool: WorkerPool) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await pool.run(time.sleep, 600)
    await asyncio.gather(*(pool.run(abs, n) for n in range(4)))


async def test_memory_is_bounded(pool: WorkerPool) -> None:
    with pytest.raises(WorkerLost, match="memory"):
        await pool.run(bytearray, 3 << 30)
    assert await pool.run(abs, -3) == 3


async def test_file_that_a_worker_writes_is_bounded(pool: WorkerPool, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'big')!r}, 'wb').truncate({FILE_LIMIT_BYTES + 1})"
    with pytest.raises(OSError, match="File too large"):
        await pool.run(exec, code)
    assert await pool.run(abs, -5) == 5


async def test_open_files_of_a_worker_are_bounded(pool: WorkerPool) -> None:
    with pytest.raises(OSError, match="Too many open files"):
        await pool.run(exec, "files = [open('/dev/null') for _ in range(10_000)]")
    assert await pool.run(abs, -6) == 6


async def test_dying_worker_leaves_no_core_file(pool: WorkerPool) -> None:
    assert await pool.run(resource.getrlimit, resource.RLIMIT_CORE) == (0, 0)


async def test_errors_keep_their_kind(pool: WorkerPool, tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    with pytest.raises(InputRejected) as caught:
        await pool.run(jobs.highlight, str(tmp_path / "empty.mp3"))
    assert caught.value.code is Rejection.EMPTY
    with pytest.raises(FileNotFoundError):
        await pool.run(jobs.highlight, str(tmp_path / "none.mp3"))


async def test_error_that_cannot_travel_is_told_in_words(pool: WorkerPool) -> None:
    # Its constructor takes more than its args hold, which would break the channel for everybody.
    with pytest.raises(EngineError, match=r"^Odd: Command"):
        await pool.run(
            exec, "import subprocess\nclass Odd(subprocess.CalledProcessError): pass\nraise Odd(1, 'x')"
        )
    assert await pool.run(abs, -4) == 4


async def test_progress_is_told_while_the_job_runs(pool: WorkerPool, song_path: Path) -> None:
    seen: list[Progress] = []
    result: Highlight = await pool.run(jobs.highlight, str(song_path), on_progress=seen.append)
    assert result.picks.window.length_s == pytest.approx(30.0)
    assert [p for p in seen if p.stage is Stage.LISTENING or p.stage is Stage.CHOOSING]
    assert all(p.done_s <= result.analysis.duration_s + 0.1 for p in seen)


async def test_other_jobs_of_a_track(pool: WorkerPool, song_path: Path, tmp_path: Path) -> None:
    result = await pool.run(jobs.highlight, str(song_path))
    window = Window(10.0, 25.0)
    voice = await pool.run(jobs.voice, str(song_path), window, str(tmp_path / "v.ogg"))
    assert voice.duration_s == pytest.approx(15.0)
    await pool.run(jobs.mp3, str(song_path), window, str(tmp_path / "v.mp3"), "Title", "Performer")
    await pool.run(jobs.curve_picture, result.analysis, window, (), str(tmp_path / "c.png"), "Title")
    assert (tmp_path / "v.mp3").stat().st_size > 100_000
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


async def test_closed_pool_says_so() -> None:
    closed = WorkerPool(1, warm=False)
    with pytest.raises(EngineError, match="not running"):
        await closed.run(abs, 1)


async def test_close_ends_a_running_job(tmp_path: Path) -> None:
    pool = WorkerPool(1, warm=False)
    await pool.start()
    worker = psutil.Process(await pool.run(os.getpid))
    begun = tmp_path / "begun"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_ignore_loss(pool, begun))
        while not begun.exists():  # noqa: ASYNC110  # another process says so
            await asyncio.sleep(0.02)
        await pool.close()
        await asyncio.to_thread(worker.wait, timeout=20)
        task.cancel()


async def _ignore_loss(pool: WorkerPool, begun: Path) -> None:
    try:
        await pool.run(exec, f"open({str(begun)!r}, 'w').close()\nimport time\ntime.sleep(600)")
    except HighlightError:
        return


async def test_a_warm_worker_loads_nothing_more_for_its_first_job(song_path: Path, tmp_path: Path) -> None:
    """What is slow the first time was done before the pool said that it is ready."""
    warm = WorkerPool(1)
    assert not warm.is_ready
    await warm.start()
    assert warm.is_ready
    before = await warm.run(_modules)
    await warm.run(jobs.highlight, str(song_path), str(tmp_path / "v.ogg"))
    assert await warm.run(_modules) - before == set()
    await warm.close()


def _modules() -> set[str]:
    return set(sys.modules)


def test_starting_a_pool_loads_no_audio_stack_here() -> None:
    code = (
        "import sys, inference.pool, inference.jobs\n"
        "print({'av', 'librosa', 'scipy', 'onnxruntime'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_workers_end_when_their_parent_is_killed() -> None:
    code = (
        "import os, time\nfrom inference.pool import WorkerPool\n"
        "pool = WorkerPool(1, warm=False); pool.start_blocking()\n"
        "print(pool.run_blocking(os.getpid), flush=True)\npool.run_blocking(time.sleep, 600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as out:
        worker = psutil.Process(int(out.readline()))
    parent.kill()
    parent.wait()
    worker.wait(timeout=20)


def test_at_least_one_core_is_usable() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_affinity_bounds_the_workers() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert (usable_cores(), WorkerPool().workers) == (1, 1)
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.fixture
def control_group() -> Iterator[Path]:
    """A real group of control groups, version 1 or 2, whose processes may be limited."""
    for root in (CONTROL_GROUPS / "cpu", CONTROL_GROUPS):
        group = root / f"highlight-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / "cpu.cfs_quota_us").exists() or (group / "cpu.max").exists():
            yield group
            group.rmdir()
            return
        group.rmdir()
    pytest.skip("no control group can be made here")


@pytest.mark.parametrize(("cores", "n_workers"), [(1.0, 1), (1.5, 1), (0.25, 1)])
def test_a_containers_share_bounds_the_workers(control_group: Path, cores: float, n_workers: int) -> None:
    quota = round(cores * 100_000)
    if (control_group / "cpu.max").exists():
        (control_group / "cpu.max").write_text(f"{quota} 100000")
    else:
        (control_group / "cpu.cfs_period_us").write_text("100000")
        (control_group / "cpu.cfs_quota_us").write_text(str(quota))
    code = (
        "import os, sys, pathlib\n"
        "pathlib.Path(sys.argv[1], 'cgroup.procs').write_text(str(os.getpid()))\n"
        "from inference.pool import WorkerPool\n"
        "print(WorkerPool().workers)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, control_group], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == n_workers


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, [1.5]),
        ({"cpu.max": "max 100000"}, []),
        ({"cpu.cfs_quota_us": "400000", "cpu.cfs_period_us": "100000"}, [4.0]),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, []),
        ({}, []),
    ],
)
def test_both_versions_of_control_groups_are_read(
    files: dict[str, str], cores: list[float], tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert _quota_of(tmp_path) == (cores[0] if cores else None)


async def test_a_worker_uses_one_thread_for_its_work(pool: WorkerPool, song_path: Path) -> None:
    """Not as many as the host has cores: whatever the container may use is shared among the workers."""
    assert await pool.run(_threads, str(song_path)) == (0, 1, 1)


def _threads(path: str) -> tuple[int, int, int]:
    """What a job leaves running, and what the model's session may start."""
    before = psutil.Process().num_threads()
    jobs.highlight(path)
    options = process_model()._session.get_session_options()
    added = psutil.Process().num_threads() - before
    return added, options.intra_op_num_threads, options.inter_op_num_threads


@pytest.mark.parametrize(
    "error",
    [
        InputRejected(Rejection.TOO_LONG, "detail", 12.5),
        InputRejected(Rejection.EMPTY),
        WorkerLost("x"),
        WorkerTimeout("y"),
        EngineError("z"),
    ],
)
def test_errors_cross_processes(error: HighlightError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert str(back) == str(error)
