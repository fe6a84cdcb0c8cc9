"""How far a job has come, told from a worker to whoever waits for it.

A few numbers in shared memory, written by one side and read by the other without a lock: a worker that is
killed while it reports leaves nothing locked behind. A read in the middle of a write shows a mixed line once;
nobody decides anything by it.
"""

from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.context import SpawnContext
from typing import Any

MAX_WATCHED = 64  # jobs that can be watched at once; more run unwatched
_NUMBERS = 3


class Stage(IntEnum):
    """Where a job is."""

    WAITING = 0
    LISTENING = 1  # decoding and measuring; has a share of done seconds
    CHOOSING = 2
    CUTTING = 3
    MIXING = 4  # has a share of done seconds of the mix


@dataclass(frozen=True, slots=True)
class Progress:
    """`done_s` of `total_s` were heard; the total is the header's word, 0 where it says nothing."""

    stage: Stage
    done_s: float = 0.0
    total_s: float = 0.0


class ProgressBoard:
    """The lines that jobs write on; `numbers` is what workers are given at their start."""

    def __init__(self, context: SpawnContext) -> None:
        self.numbers: Any = context.RawArray("d", MAX_WATCHED * _NUMBERS)
        self._free = list(range(MAX_WATCHED))

    def take_line(self) -> int | None:
        """A clean line, or None when all are in use."""
        if not self._free:
            return None
        line = self._free.pop()
        _write(self.numbers, line, Progress(Stage.WAITING))
        return line

    def give_line(self, line: int) -> None:
        self._free.append(line)

    def read(self, line: int) -> Progress:
        stage, done_s, total_s = self.numbers[line * _NUMBERS : (line + 1) * _NUMBERS]
        return Progress(Stage(int(stage)), done_s, total_s)


_board: Any = None
_line: int | None = None


def connect(numbers: Any) -> None:
    """In a worker: where to report to."""
    global _board
    _board = numbers


def report_to(line: int | None) -> None:
    """In a worker: the line of the job that begins, None for an unwatched one."""
    global _line
    _line = line


def report(stage: Stage, done_s: float = 0.0, total_s: float = 0.0) -> None:
    """Say where the running job is; nothing happens outside a watched job."""
    if _board is not None and _line is not None:
        _write(_board, _line, Progress(stage, done_s, total_s))


def _write(numbers: Any, line: int, progress: Progress) -> None:
    numbers[line * _NUMBERS : (line + 1) * _NUMBERS] = [
        float(progress.stage),
        progress.done_s,
        progress.total_s,
    ]
