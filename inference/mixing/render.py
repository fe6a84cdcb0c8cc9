"""The sound of a plan: segments are pulled in one at a time, levelled, joined and pushed to the encoder.

Never more than two segments are in memory, whatever the number of tracks. Samples are counted on the mix's
clock from the plan's times, rounded once each, so that the length is what the plan says.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from inference.config import CEILING_DBTP
from inference.datatypes import FloatArray, Waveform
from inference.decode import decode_span
from inference.errors import InputRejected, MixTrackRejected
from inference.loudness import CODEC_HEADROOM_DB, normalise
from inference.mixing.cover import draw_cover
from inference.mixing.crossfade import equal_power, mix_overlap
from inference.mixing.master import Limiter, LoudnessMeter
from inference.mixing.nouns import Joint, MixPlan, MixResult, Segment, Transition
from inference.mixing.plan import preview_plan
from inference.mixing.warp import JOIN_S, shift_to_match, warp
from inference.mixing.writer import MIX_SR, MixWriter, bit_rate_for
from inference.progress import Stage, report

MARGIN_S = 0.3  # of source around a segment, for the stretcher and for lining up
DECLICK_S = 0.012  # the fade at a cut
FADE_IN_S = 0.03
FADE_OUT_S = 1.0  # the last second still sounds
BLOCK_S = 1.0

Load = Callable[[int, float, float], Waveform]
"""Source seconds [start, end) of a track, by its index, at `MIX_SR`."""


class _Part:
    """One segment's sound, levelled, with the clock of its source."""

    def __init__(self, segment: Segment, load: Load) -> None:
        self.from_s = max(0.0, segment.enter_s - MARGIN_S)
        waveform = load(segment.track, self.from_s, segment.leave_s + MARGIN_S)
        samples = normalise(waveform).waveform.samples
        if samples.shape[0] == 1:
            samples = np.repeat(samples, 2, axis=0)
        self.samples: FloatArray = samples
        self.shift_s = 0.0  # lining up moves a track's own bar lines

    def place(self, source_s: float) -> int:
        """The sample at a source time."""
        return round((source_s + self.shift_s - self.from_s) * MIX_SR)

    def take(self, start: int, n_samples: int) -> FloatArray:
        """(2, n_samples) from sample `start`; silence beyond the track's ends."""
        end = start + n_samples
        inside = self.samples[:, max(start, 0) : max(end, 0)]
        before = max(-start, 0)
        return np.pad(
            inside, ((0, 0), (min(before, n_samples), max(n_samples - before - inside.shape[1], 0)))
        )


def render_mix(
    plan: MixPlan,
    paths: Sequence[Path | str],
    out_path: Path | str,
    *,
    title: str,
    performer: str,
    album: str = "",
    on_progress: Callable[[float, float], None] | None = None,
) -> MixResult:
    """Write the mix as an MP3 under 50 MB, with tags and a drawn cover.

    `paths`: the tracks, in the order in which they were given to the plan. `on_progress`: done and total
    seconds. Raises MixTrackRejected for a track whose sound cannot be had, ValueError for a mix of hours.
    """

    def load(track: int, start_s: float, end_s: float) -> Waveform:
        try:
            return decode_span(paths[track], start_s, end_s, sr=MIX_SR)
        except InputRejected as exc:
            raise MixTrackRejected(track, exc.code, exc.detail) from exc

    shifts_ms: list[float] = []
    limiter = Limiter(MIX_SR, CEILING_DBTP - CODEC_HEADROOM_DB)
    meter = LoudnessMeter(MIX_SR)
    bit_rate = bit_rate_for(plan.total_s)
    with MixWriter(out_path, bit_rate, title, performer, album, draw_cover(plan)) as writer:

        def pass_on(block: FloatArray) -> None:
            meter.push(block)
            writer.write(block)

        for block in mix_blocks(plan, load, shifts_ms):
            pass_on(limiter.push(block))
            done_s = min(writer.n_samples / MIX_SR, plan.total_s)
            report(Stage.MIXING, done_s, plan.total_s)
            if on_progress is not None:
                on_progress(done_s, plan.total_s)
        pass_on(limiter.finish())
    return MixResult(
        str(out_path),
        writer.n_samples / MIX_SR,
        Path(out_path).stat().st_size,
        bit_rate,
        meter.lufs,
        limiter.dbtp,
        tuple(shifts_ms),
    )


def render_transition_preview(
    plan: MixPlan,
    index: int,
    paths: Sequence[Path | str],
    out_path: Path | str,
    *,
    title: str,
    performer: str,
    around_s: float = 8.0,
) -> MixResult:
    """One transition of the plan with what is around it, some 20 s, as an MP3."""
    return render_mix(preview_plan(plan, index, around_s), paths, out_path, title=title, performer=performer)


def mix_blocks(plan: MixPlan, load: Load, shifts_ms: list[float] | None = None) -> Iterator[FloatArray]:
    """The mix in blocks of (2, n_samples) at `MIX_SR`, before the limiter."""
    part = _Part(plan.segments[0], load)
    source = part.place(plan.segments[0].enter_s)  # the next sample of the track that plays
    now = 0  # samples given out
    for i, transition in enumerate(plan.transitions):
        start = _samples(transition.start_s)
        n_join, n_after = _seams(plan, i, start - now)
        yield from _solo(part, source, start - n_join - now, is_first=i == 0)
        entering = _Part(plan.segments[i + 1], load)
        if transition.joint is Joint.BEATS:
            entering.shift_s = _line_up(part, entering, transition)
        if shifts_ms is not None:
            shifts_ms.append(entering.shift_s * 1000)
        joined = _join(part, entering, transition, n_join, n_after)
        yield joined
        now = start - n_join + joined.shape[1]
        part, source = entering, entering.place(transition.entering_s[-1]) + n_after
    n_left = max(_samples(plan.total_s) - now, 0)
    blocks = [np.zeros((2, 0), np.float32), *_solo(part, source, n_left, is_first=not plan.transitions)]
    yield _ended(np.concatenate(blocks, axis=1))


def _seams(plan: MixPlan, i: int, n_solo_before: int) -> tuple[int, int]:
    """Samples of each track's own time that transition `i` takes along, to join them without a seam."""
    transition = plan.transitions[i]
    seam_s = {Joint.BEATS: JOIN_S, Joint.CUT: DECLICK_S, Joint.PLAIN: 0.0}[transition.joint]
    end_s = plan.transitions[i + 1].start_s if i + 1 < len(plan.transitions) else plan.total_s
    n_solo_after = _samples(end_s) - _samples(transition.start_s + transition.duration_s)
    n_seam = round(seam_s * MIX_SR)
    return min(n_seam, max(n_solo_before, 0)), min(n_seam, max(n_solo_after, 0) // 2)


def _solo(part: _Part, start: int, n_samples: int, *, is_first: bool) -> Iterator[FloatArray]:
    n_block = round(BLOCK_S * MIX_SR)
    for first in range(0, n_samples, n_block):
        block = part.take(start + first, min(n_block, n_samples - first))
        if first == 0 and is_first:
            n_fade = min(round(FADE_IN_S * MIX_SR), block.shape[1])
            block[:, :n_fade] *= equal_power(n_fade)[1]
        yield block


def _join(leaving: _Part, entering: _Part, transition: Transition, n_join: int, n_after: int) -> FloatArray:
    """The transition's sound, with `n_join` samples of what is before it and `n_after` of what follows."""
    start = leaving.place(transition.leaving_s[0])
    if transition.joint is Joint.CUT:
        # Both edges are faded over a few milliseconds, so that nothing clicks.
        tail = leaving.take(start - n_join, n_join) * equal_power(n_join)[0]
        head = entering.take(entering.place(transition.entering_s[0]), n_after) * equal_power(n_after)[1]
        return np.concatenate((tail, head), axis=1)
    n_samples = _samples(transition.start_s + transition.duration_s) - _samples(transition.start_s)
    if transition.joint is Joint.PLAIN:
        out = leaving.take(start - n_join, n_join + n_samples)
        into = entering.take(entering.place(transition.entering_s[-1]) - n_samples, n_samples + n_after)
    else:
        out = _warped(leaving, transition.leaving_s, transition.grid_s, n_join, 0)
        into = _warped(entering, transition.entering_s, transition.grid_s, 0, n_after)
        n_samples = out.shape[1] - n_join
    swap = transition.joint is Joint.BEATS
    overlap = mix_overlap(out[:, n_join:], into[:, :n_samples], MIX_SR, swap_bass=swap)
    return np.concatenate((out[:, :n_join], overlap, into[:, n_samples:]), axis=1)


def _samples(mix_s: float) -> int:
    return round(mix_s * MIX_SR)


def _warped(
    part: _Part, lines_s: Sequence[float], grid_s: Sequence[float], n_before: int, n_after: int
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


def _line_up(leaving: _Part, entering: _Part, transition: Transition) -> float:
    """By how many source seconds the newcomer's bar lines are to be moved."""
    grid = transition.grid_s
    out = _warped(leaving, transition.leaving_s, grid, 0, 0)
    into = _warped(entering, transition.entering_s, grid, 0, 0)
    return shift_to_match(out, into, MIX_SR)


def _ended(last: FloatArray) -> FloatArray:
    """The end of the mix: a track's silent tail left out, then a fade of a second at most."""
    loud = np.flatnonzero(np.abs(last).max(axis=0) > 1e-3) if last.shape[1] else np.zeros(0, np.int64)
    if len(loud):
        last = last[:, : int(loud[-1]) + 1]
    n_fade = min(round(FADE_OUT_S * MIX_SR), last.shape[1] // 2)
    out = last.copy()
    if n_fade:
        out[:, -n_fade:] *= equal_power(n_fade)[0]
    return out
