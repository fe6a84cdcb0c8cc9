"""Where two tracks sound together: their parts of the source, on one grid, lined up, mixed.

Sample counts are of the mix's rate, `MIX_SR`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from inference.datatypes import FloatArray, Waveform
from inference.loudness import normalise
from inference.mixing.crossfade import equal_power, mix_overlap
from inference.mixing.nouns import Joint, Segment, Transition
from inference.mixing.warp import shift_to_match, warp
from inference.mixing.writer import MIX_SR

MARGIN_S = 0.3  # of source around a segment, for the stretcher and for lining up

# Beside its neighbours a quiet recording may be lifted further than a voice message on its own.
MAX_BOOST_DB = 20.0

Load = Callable[[int, float, float], Waveform]
"""Source seconds [start, end) of a track, by its index, at `MIX_SR`."""


class Part:
    """One segment's sound, levelled, with the clock of its source."""

    def __init__(self, segment: Segment, load: Load) -> None:
        self.from_s = max(0.0, segment.enter_s - MARGIN_S)
        end_s = segment.leave_s + MARGIN_S
        levelled = normalise(load(segment.track, self.from_s, end_s), max_boost_db=MAX_BOOST_DB)
        samples = levelled.waveform.samples
        if samples.shape[0] == 1:
            samples = np.repeat(samples, 2, axis=0)
        self.samples: FloatArray = samples
        self.shift_s = 0.0  # lining up moves a track's own bar lines

    def place(self, source_s: float) -> int:
        """The sample at a source time."""
        return round((source_s + self.shift_s - self.from_s) * MIX_SR)

    def forget_before(self, source_s: float) -> None:
        """Let go of what has been played, but for a margin."""
        n_played = max(self.place(source_s) - round(MARGIN_S * MIX_SR), 0)
        self.samples = self.samples[:, n_played:].copy()
        self.from_s += n_played / MIX_SR

    def take(self, start: int, n_samples: int) -> FloatArray:
        """(2, n_samples) from sample `start`; silence beyond the track's ends."""
        end = start + n_samples
        inside = self.samples[:, max(start, 0) : max(end, 0)]
        before = max(-start, 0)
        return np.pad(
            inside, ((0, 0), (min(before, n_samples), max(n_samples - before - inside.shape[1], 0)))
        )


def join(leaving: Part, entering: Part, transition: Transition, n_join: int, n_after: int) -> FloatArray:
    """The transition's sound, with `n_join` samples of what is before it and `n_after` of what follows."""
    start = leaving.place(transition.leaving_s[0])
    if transition.joint is Joint.CUT:
        # Both edges are faded over a few milliseconds, so that nothing clicks.
        tail = leaving.take(start - n_join, n_join) * equal_power(n_join)[0]
        head = entering.take(entering.place(transition.entering_s[0]), n_after) * equal_power(n_after)[1]
        return np.concatenate((tail, head), axis=1)
    n_samples = samples_at(transition.start_s + transition.duration_s) - samples_at(transition.start_s)
    if transition.joint is Joint.PLAIN:
        out = leaving.take(start - n_join, n_join + n_samples)
        into = entering.take(entering.place(transition.entering_s[-1]) - n_samples, n_samples + n_after)
    else:
        out, into = in_step(leaving, entering, transition, n_join, n_after)
        n_samples = out.shape[1] - n_join
    swap = transition.joint is Joint.BEATS
    overlap = mix_overlap(out[:, n_join:], into[:, :n_samples], MIX_SR, swap_bass=swap)
    return np.concatenate((out[:, :n_join], overlap, into[:, n_samples:]), axis=1)


def samples_at(mix_s: float) -> int:
    return round(mix_s * MIX_SR)


def on_grid(
    part: Part, lines_s: Sequence[float], grid_s: Sequence[float], n_before: int, n_after: int
) -> FloatArray:
    """The bars on the grid, with some of the track's own time on either side, joined without a seam."""
    marks = [part.place(line_s) for line_s in lines_s]
    grid = [n_before + round(line_s * MIX_SR) for line_s in grid_s]
    if n_before:
        marks, grid = [marks[0] - n_before, *marks], [0, *grid]
    if n_after:
        marks, grid = [*marks, marks[-1] + n_after], [*grid, grid[-1] + n_after]
    # The stretcher wants source on both sides, and marks that lie inside it.
    margin = round(MARGIN_S * MIX_SR)
    first = marks[0] - margin
    y = part.take(first, marks[-1] + margin - first)
    return warp(y, np.array(marks) - first, np.array(grid), MIX_SR)


def in_step(
    leaving: Part, entering: Part, transition: Transition, n_join: int, n_after: int
) -> tuple[FloatArray, FloatArray]:
    """Both on the grid. Where the newcomer's attacks turn out late, its bar lines are moved: `shift_s`."""
    grid_s = transition.grid_s
    out = on_grid(leaving, transition.leaving_s, grid_s, n_join, 0)
    into = on_grid(entering, transition.entering_s, grid_s, 0, n_after)
    n_samples = out.shape[1] - n_join
    shift_s = shift_to_match(out[:, n_join:], into[:, :n_samples], MIX_SR)
    if shift_s:
        entering.shift_s += shift_s
        into = on_grid(entering, transition.entering_s, grid_s, 0, n_after)
    return out, into
