"""Worker processes for the CPU work: warm before the first job, limited in time and memory.

A stuck decoder cannot be cancelled from outside, and a crash in native code takes its process along. So work
is done in processes that may be ended: a timeout or a death costs that one job. Nothing here imports the
audio stack; the workers do, at their start.
"""

import asyncio
import importlib
import multiprocessing
import os
import pickle
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from inference.errors import EngineError, HighlightError, WorkerLost, WorkerTimeout
from inference.memory import give_memory_back
from inference.progress import Progress, ProgressBoard, connect, report_to

T = TypeVar("T")

MEMORY_LIMIT_BYTES = 1 << 30  # private memory of one worker; a job needs a third of it
FILE_LIMIT_BYTES = 256 << 20  # one file that a worker writes; the largest mix that can be sent has 50 MB
OPEN_FILES_LIMIT = 256  # a job opens a dozen; a mix one for each track in reach
START_TIMEOUT_S = 600.0  # a start takes 2-3 s; minutes on a machine that is busy with ten other things
CONTROL_GROUPS = Path("/sys/fs/cgroup")
_PARENT_CHECK_S = 2.0
_PROGRESS_EVERY_S = 0.2
# Set in a worker before the libraries that read them load: the pool's processes are the parallelism.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def usable_cores() -> int:
    """Whole cores that this process may use: its affinity, and the share a container was given."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([cores, *_cpu_quotas()])))


def _cpu_quotas() -> Iterator[float]:
    """Cores that this process's control group, and each above it, leaves to it."""
    try:
        entries = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    for _, controllers, group in entries:
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CONTROL_GROUPS / "cpu" if controllers else CONTROL_GROUPS
        folder = root / group.lstrip("/")  # a container sees its own group as the root
        for place in (folder, *folder.parents):
            if place.is_relative_to(root) and (quota := _quota_of(place)) is not None:
                yield quota


def _quota_of(group: Path) -> float | None:
    """By version 2 of control groups, else by version 1; None: no limit, or no such group."""
    with suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text().split()
        return int(quota) / int(period)  # "max" is no number
    with suppress(OSError, ValueError):
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    return None


class WorkerPool:
    """A fixed number of warm processes. `start` before `run`; `close` at the end.

    `warm`: False leaves the slow first time to the first job, for a caller who has only one.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        warm: bool = True,
    ) -> None:
        self.workers = workers or usable_cores()
        self._memory_limit_bytes = memory_limit_bytes
        self._warm = warm
        self._lock = threading.Lock()
        self._context = multiprocessing.get_context("spawn")
        self._board = ProgressBoard(self._context)
        self._pool: ProcessPool | None = None
        self.is_ready = False

    async def start(self) -> None:
        """Come back when every worker is warm. Raises EngineError, ModelContractError."""
        await asyncio.to_thread(self.start_blocking)

    def start_blocking(self) -> None:
        n_warm = self._context.Semaphore(0)
        with self._lock:
            self._pool = pool = self._launch(n_warm)
        probe = pool.schedule(_raise_start_error)
        deadline = time.monotonic() + START_TIMEOUT_S
        for _ in range(self.workers):
            while not n_warm.acquire(timeout=0.2):
                if time.monotonic() > deadline or not pool.active:
                    self.close_blocking()
                    raise EngineError("the workers did not become ready")
        self._result(probe)
        self.is_ready = True

    async def run(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        timeout_s: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        **kwargs: Any,
    ) -> T:
        """Run `fn`, a top-level function, in a worker.

        Raises what it raises (InputRejected ...), WorkerTimeout after `timeout_s` of work (time in the queue
        does not count), WorkerLost when its process died. Cancelling ends the worker's job too. `on_progress`
        is called in the event loop whenever the job has reported something new.
        """
        line = self._board.take_line() if on_progress is not None else None
        try:
            future = asyncio.wrap_future(self._schedule(fn, args, kwargs, timeout_s, line))
            if line is not None and on_progress is not None:
                await self._watch(future, line, on_progress)
            return await future
        except Exception as exc:
            raise self._translated(exc) from exc
        finally:
            if line is not None:
                self._board.give_line(line)

    async def _watch(
        self, future: "asyncio.Future[T]", line: int, on_progress: Callable[[Progress], None]
    ) -> None:
        last: Progress | None = None
        while not future.done():
            await asyncio.wait([future], timeout=_PROGRESS_EVERY_S)
            progress = self._board.read(line)
            if progress != last:
                on_progress(progress)
                last = progress

    def run_blocking(
        self, fn: Callable[..., T], /, *args: Any, timeout_s: float | None = None, **kwargs: Any
    ) -> T:
        """`run` for callers without an event loop."""
        return self._result(self._schedule(fn, args, kwargs, timeout_s))

    async def close(self) -> None:
        await asyncio.to_thread(self.close_blocking)

    def close_blocking(self) -> None:
        """End the workers, also in the middle of a job."""
        self.is_ready = False
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()

    def _launch(self, n_warm: Any) -> ProcessPool:
        return ProcessPool(
            max_workers=self.workers,
            initializer=_start_worker,
            initargs=(os.getpid(), self._memory_limit_bytes, self._warm, self._board.numbers, n_warm),
            context=self._context,
        )

    def _schedule(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout_s: float | None,
        line: int | None = None,
    ) -> "Future[T]":
        with self._lock:
            if self._pool is None:
                raise EngineError("the pool is not running")
            if not self._pool.active:
                # pebble gives a pool up when its channel to the workers breaks; a fresh one takes its place.
                self._pool = self._launch(self._context.Semaphore(0))
            future: Future[T] = self._pool.schedule(_call, args=(line, fn, args, kwargs), timeout=timeout_s)
            return future

    def _result(self, future: "Future[T]") -> T:
        try:
            return future.result()
        except Exception as exc:
            raise self._translated(exc) from exc

    @staticmethod
    def _translated(exc: Exception) -> Exception:
        if isinstance(exc, ProcessExpired):
            return WorkerLost(f"worker ended with exit code {exc.exitcode}")
        if isinstance(exc, BrokenProcessPool):
            return WorkerLost(f"the channel to the workers broke: {exc}")
        if isinstance(exc, MemoryError):
            return WorkerLost("the worker reached its memory limit")
        if isinstance(exc, TimeoutError):
            return WorkerTimeout("the work ran past its time limit")
        return exc


_start_error: Exception | None = None


def _start_worker(
    parent_pid: int,
    memory_limit_bytes: int,
    warm: bool,
    board: Any,
    n_warm: "threading.Semaphore",
) -> None:
    """Prepare a worker; a failure is kept for the probe, since dying here would only be repeated."""
    global _start_error
    threading.Thread(target=_end_with_parent, args=(parent_pid,), daemon=True).start()
    for name in _ONE_THREAD:
        os.environ[name] = "1"  # noqa: TID251 - the only way to tell libraries that load later
    connect(board)
    try:
        if warm:
            importlib.import_module("inference.warmup").warm_up()
    except Exception as exc:  # noqa: BLE001 - carried to the starter of the pool by the probe
        _start_error = exc
    # Set after the warm-up, whose mappings are the same for every job; the limit is for what a job adds.
    _limit(resource.RLIMIT_DATA, memory_limit_bytes)
    _limit(resource.RLIMIT_FSIZE, FILE_LIMIT_BYTES)  # Python ignores SIGXFSZ: the write fails with EFBIG
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES_LIMIT)
    _limit(resource.RLIMIT_CORE, 0)  # what is in memory is a listener's; and a disk fills quickly
    n_warm.release()


def _limit(which: int, most: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(which)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (value, value))


def _raise_start_error() -> None:
    if _start_error is not None:
        raise _start_error


def _end_with_parent(parent_pid: int) -> None:
    """A worker whose parent was killed would wait, or work, for nobody."""
    while os.getppid() == parent_pid:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)


def _call(line: int | None, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    report_to(line)
    try:
        return fn(*args, **kwargs)
    except (HighlightError, MemoryError):
        raise
    except Exception as exc:
        # One that cannot be unpickled would break the channel for everybody.
        try:
            pickle.loads(pickle.dumps(exc))  # noqa: S301 - our own bytes
        except Exception:  # noqa: BLE001 - whatever its constructor raises
            raise EngineError(f"{type(exc).__name__}: {exc}") from None
        raise
    finally:
        give_memory_back()
