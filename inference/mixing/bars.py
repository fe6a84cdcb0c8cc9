"""Bar lines that two tracks can share.

`steps` is how many of each track's own bars make one line of the grid: (1, 2) where the second track's
tempo is read as double. Times are source times in seconds.
"""

from itertools import pairwise

import numpy as np

from inference.datatypes import Rhythm

MAX_STRETCH = 0.06  # of a track's tempo; more is heard as a different performance
MAX_BAR_DEVIATION = (
    0.05  # of a bar from the mean of its neighbours: a slip of the beat tracker is a fifth or more
)
REACH_BARS = 2.0  # how far from a highlight's edge its nearest bar line may be

Lines = tuple[float, ...]


def same_pulse(a: Rhythm, b: Rhythm) -> tuple[int, int] | None:
    """The steps with which two tracks have the same bars within `MAX_STRETCH`; None where they have not."""
    if a.tempo_bpm is None or b.tempo_bpm is None or a.beats_per_bar != b.beats_per_bar:
        return None
    octaves = float(np.log2(a.tempo_bpm / b.tempo_bpm))
    fold = round(octaves)
    if abs(fold) > 1 or abs(octaves - fold) > np.log2(1.0 + MAX_STRETCH):
        return None
    return (2 if fold == 1 else 1, 2 if fold == -1 else 1)


def lines_before(rhythm: Rhythm, end_s: float, n_bars: int, step: int, earliest_s: float) -> Lines | None:
    """`n_bars` + 1 lines, the last at or shortly before `end_s`, the first not before `earliest_s`."""
    downbeats = np.array(rhythm.downbeats_s)
    if len(downbeats) <= n_bars * step:
        return None
    bar_s = float(np.median(np.diff(downbeats)))
    last = int(np.searchsorted(downbeats, end_s + 0.1 * bar_s)) - 1
    first = last - n_bars * step
    if first < 0 or downbeats[first] < earliest_s or downbeats[last] < end_s - REACH_BARS * bar_s * step:
        return None
    return _even(downbeats[first : last + 1 : step])


def lines_after(rhythm: Rhythm, start_s: float, n_bars: int, step: int) -> Lines | None:
    """`n_bars` + 1 lines, the last at `start_s` or as soon after it as the track's beginning allows."""
    downbeats = np.array(rhythm.downbeats_s)
    if len(downbeats) <= n_bars * step:
        return None
    bar_s = float(np.median(np.diff(downbeats)))
    nearest = int(np.abs(downbeats - start_s).argmin())
    if abs(downbeats[nearest] - start_s) > REACH_BARS * bar_s * step:
        return None
    first = nearest - n_bars * step
    if first < 0:
        first = nearest % step
    lines = downbeats[first : first + n_bars * step + 1 : step]
    return _even(lines) if len(lines) == n_bars + 1 else None


def common_grid(leaving: Lines, entering: Lines) -> Lines | None:
    """Mix times, from 0, of lines on which both tracks fall; the tempo glides from one to the other.

    None where some bar of a track would be stretched by more than `MAX_STRETCH`.
    """
    n_bars = len(leaving) - 1
    a_bar_s = (leaving[-1] - leaving[0]) / n_bars
    b_bar_s = (entering[-1] - entering[0]) / n_bars
    share = (np.arange(n_bars) + 0.5) / n_bars
    bars_s = 1.0 / ((1.0 - share) / a_bar_s + share / b_bar_s)
    for lines in (leaving, entering):
        stretch = np.diff(lines) / bars_s
        if np.any(np.abs(stretch - 1.0) > MAX_STRETCH):
            return None
    return (0.0, *np.cumsum(bars_s).tolist())


def _even(lines: np.ndarray) -> Lines | None:
    bars_s = [b - a for a, b in pairwise(lines.tolist())]
    mean_s = sum(bars_s) / len(bars_s)
    if any(abs(bar_s / mean_s - 1.0) > MAX_BAR_DEVIATION for bar_s in bars_s):
        return None
    return tuple(lines.tolist())
