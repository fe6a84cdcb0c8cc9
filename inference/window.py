"""Which spans of a track to offer, from its interest curve.

Seconds throughout; spans are half-open. A window's score is the exact mean of the curve over it, fractions
of points counted, so that a start may lie anywhere, the last possible one included.
"""

import bisect
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inference.config import DEFAULT_LENGTH_S
from inference.datatypes import InterestCurve, Picks, Rhythm, TrackFeatures, Window

Times = npt.NDArray[np.float64]

MAX_RUNNERS_UP = 3
MIN_APART = 2 / 3  # of a window's length between two starts that count as different moments
PICKUP_BARS = 0.1  # a voice often enters just before the bar: rather a little early than into the word
REACH_BARS = 0.6  # how far a start may move to meet a downbeat
ENTRY_S = 4.0  # a phrase: the interest after a start is compared with the interest before it
ENTRY_LOSS = 0.03  # of a window's score that may be given up to begin where a section begins
UNMETRED_BAR_S = 2.0  # one step of earlier/later where no metre is known: four beats at 120 BPM
_ON_GRID_S = 0.05  # beats are kept in milliseconds and windows pass through buttons


def pick_windows(
    curve: InterestCurve,
    duration_s: float,
    length_s: float = DEFAULT_LENGTH_S,
    rhythm: Rhythm | None = None,
    confidence: float | None = None,
) -> Picks:
    """The best window of `length_s` and up to `MAX_RUNNERS_UP` others, each elsewhere in the track.

    The moments are chosen once, at `DEFAULT_LENGTH_S`; a shorter window lies inside, a longer one around the
    window of that length, so that changing the length never changes the moment. A track that is shorter than
    the window is returned whole.
    """
    if not length_s > 0.0:
        raise ValueError(f"length_s must be positive, got {length_s}")
    mean = _CurveMean(curve, duration_s)
    rhythm = rhythm or Rhythm(None)
    moments = _moments(mean, duration_s, rhythm)
    windows: list[Window] = []
    for moment in moments:
        window = _fit_length(mean, moment, length_s, duration_s, rhythm)
        if all(abs(window.start_s - other.start_s) >= MIN_APART * window.length_s for other in windows):
            windows.append(window)
    best, *others = windows
    others.sort(key=lambda window: -window.score)
    return Picks(best, tuple(others), curve.clarity if confidence is None else confidence)


def shift_window(window: Window, bars: int, rhythm: Rhythm, duration_s: float) -> Window:
    """The same length, `bars` bars later (earlier when negative), on a downbeat where the metre is known.

    It stays inside the track; the score is left behind, since nothing was picked.
    """
    length_s = min(window.length_s, duration_s)
    latest_s = duration_s - length_s
    grid = _grid(rhythm)
    if grid.times_s:
        here = _place(grid, window.start_s, bars)
        target = here + bars * grid.steps_per_bar
        nearest = min(max(target, 0), len(grid.times_s) - 1)
        start_s = grid.times_s[nearest] + (target - nearest) * grid.step_s
    else:
        start_s = window.start_s + bars * UNMETRED_BAR_S
    start_s = min(max(0.0, start_s), latest_s)
    return Window(start_s, start_s + length_s)


def next_window(picks: Picks, current: Window) -> Window:
    """The moment after the one that `current` lies closest to, best first, round and round."""
    moments = (picks.window, *picks.runners_up)
    nearest = min(range(len(moments)), key=lambda i: abs(moments[i].start_s - current.start_s))
    return moments[(nearest + 1) % len(moments)]


def curve_by_loudness(features: TrackFeatures, clarity: float) -> InterestCurve:
    """Interest where the model sees none: the loudest part that has tones in it.

    Level counts over the track's upper 30 dB; a frame whose chroma is flat (noise, a crowd) counts a half.
    """
    level_db = features.loudness_db.astype(np.float64)
    level = np.clip((level_db - level_db.max() + 30.0) / 30.0, 0.0, 1.0)
    treble = features.chroma[:, 12:].astype(np.float64)
    share = treble.max(axis=1, initial=0.0) / np.maximum(treble.sum(axis=1), 1e-9)
    tonality = np.clip((share - 1 / 12) / (1 / 4 - 1 / 12), 0.0, 1.0)
    n = min(len(level), len(tonality))
    values = level[:n] * (0.5 + 0.5 * tonality[:n])
    return InterestCurve(values.astype(np.float32), features.hop_s, clarity)


class _CurveMean:
    """Mean interest over any span, by the integral of the curve; beyond its last point interest is 0."""

    def __init__(self, curve: InterestCurve, duration_s: float) -> None:
        values = np.nan_to_num(curve.values.astype(np.float64))
        self.hop_s = curve.hop_s
        self._edges = np.arange(len(values) + 1) * curve.hop_s
        self._integral = np.concatenate([[0.0], np.cumsum(values) * curve.hop_s])
        self.overall = float(self(np.zeros(1), duration_s)[0])

    def __call__(self, starts_s: Times, length_s: float) -> Times:
        area = np.interp(starts_s + length_s, self._edges, self._integral)
        area -= np.interp(starts_s, self._edges, self._integral)
        return np.asarray(area / max(length_s, 1e-9))

    def window(self, start_s: float, length_s: float) -> Window:
        score = float(np.clip(self(np.array([start_s]), length_s)[0], 0.0, 1.0))
        return Window(start_s, start_s + length_s, score)


def _starts(first_s: float, last_s: float, hop_s: float) -> Times:
    """A grid over [first_s, last_s] that holds both ends."""
    return np.append(np.arange(first_s, last_s, hop_s), last_s)


def _moments(mean: _CurveMean, duration_s: float, rhythm: Rhythm) -> list[Window]:
    """Windows of the default length by non-maximum suppression, snapped, best first."""
    length_s = min(DEFAULT_LENGTH_S, duration_s)
    latest_s = duration_s - length_s
    starts = _starts(0.0, latest_s, mean.hop_s)
    scores = mean(starts, length_s)
    is_free = np.ones(len(starts), dtype=bool)
    moments: list[Window] = []
    while is_free.any() and len(moments) <= MAX_RUNNERS_UP:
        best = int(np.argmax(np.where(is_free, scores, -1.0)))
        # The shoulder of a moment already taken is no moment of its own.
        around = np.abs(starts - starts[best]) <= length_s / 6
        if not moments or scores[best] >= scores[around].max() - 1e-9:
            entry = _entry(mean, starts, scores, best, is_free, length_s)
            start_s = _snap(float(starts[entry]), 0.0, latest_s, rhythm)
            moments.append(mean.window(start_s, length_s))
            is_free &= np.abs(starts - starts[entry]) >= MIN_APART * length_s
            is_free[best] = False
        else:
            is_free[best] = False
    return moments


def _entry(
    mean: _CurveMean, starts: Times, scores: Times, best: int, is_free: npt.NDArray[np.bool_], length_s: float
) -> int:
    """Among starts that lose next to nothing against `best`, the one where the interest sets in.

    A section shorter than the window fits into many windows; heard from its own beginning it makes sense.
    """
    near = np.abs(starts - starts[best]) <= length_s / 2
    good = near & is_free & (scores >= (1.0 - ENTRY_LOSS) * scores[best])
    after = mean(starts, ENTRY_S)
    # The very beginning of a track is no rise.
    rise = np.where(starts < ENTRY_S, 0.0, after - mean(starts - ENTRY_S, ENTRY_S))
    # Where nothing sets in, the better window stays.
    return int(np.argmax(np.where(good, rise + 1e-3 * scores, -np.inf)))


def _fit_length(
    mean: _CurveMean, moment: Window, length_s: float, duration_s: float, rhythm: Rhythm
) -> Window:
    """The best window of `length_s` inside, or around, a moment."""
    length_s = min(length_s, duration_s)
    if abs(length_s - moment.length_s) < 1e-6:
        return moment
    if length_s < moment.length_s:
        first_s, last_s = moment.start_s, moment.end_s - length_s
    else:
        first_s = max(0.0, moment.end_s - length_s)
        last_s = min(moment.start_s, duration_s - length_s)
    starts = _starts(first_s, max(first_s, last_s), mean.hop_s)
    scores = mean(starts, length_s)
    best = int(np.argmax(scores))
    start_s = float(starts[_entry(mean, starts, scores, best, np.ones(len(starts), bool), length_s)])
    return mean.window(_snap(start_s, first_s, last_s, rhythm), length_s)


def _snap(start_s: float, first_s: float, last_s: float, rhythm: Rhythm) -> float:
    """The nearest downbeat (or beat) within [first_s, last_s], or `start_s` itself where none is near."""
    grid = _grid(rhythm)
    wanted_s = start_s - PICKUP_BARS * grid.step_s
    reach_s = REACH_BARS * grid.step_s
    inside = [t for t in grid.times_s if first_s <= t <= last_s and abs(t - wanted_s) <= reach_s]
    return min(inside, key=lambda t: abs(t - wanted_s), default=start_s)


class _Grid(NamedTuple):
    """Times where a window may start, ascending."""

    times_s: tuple[float, ...]
    step_s: float
    steps_per_bar: int


def _grid(rhythm: Rhythm) -> _Grid:
    """Downbeats where they are known, else beats, else nothing."""
    for times_s, steps_per_bar in ((rhythm.downbeats_s, 1), (rhythm.beats_s, rhythm.beats_per_bar)):
        if len(times_s) > 1:
            return _Grid(times_s, float(np.median(np.diff(times_s))), steps_per_bar)
    return _Grid((), UNMETRED_BAR_S, 1)


def _place(grid: _Grid, start_s: float, direction: int) -> int:
    """Where a walk in `direction` sets out; from between two times the first step leads to one of them."""
    here = bisect.bisect_right(grid.times_s, start_s + _ON_GRID_S) - 1
    is_between = here < 0 or grid.times_s[here] < start_s - _ON_GRID_S
    return here + 1 if is_between and direction < 0 else here
