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
from inference.loudness import CODEC_HEADROOM_DB
from inference.mixing.cover import draw_cover
from inference.mixing.crossfade import equal_power
from inference.mixing.master import Limiter, LoudnessMeter
from inference.mixing.nouns import Joint, MixPlan, MixResult
from inference.mixing.overlap import Load, Part, join, samples_at
from inference.mixing.plan import preview_plan
from inference.mixing.silence import n_audible
from inference.mixing.warp import JOIN_S
from inference.mixing.writer import MIX_SR, MixWriter, bit_rate_for
from inference.progress import Stage, report

DECLICK_S = 0.012  # the fade at a cut
FADE_IN_S = 0.03
FADE_OUT_S = 1.0  # the last second still sounds
BLOCK_S = 1.0


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
            for first in range(0, block.shape[1], MIX_SR):  # an overlap of 16 s is not oversampled at once
                pass_on(limiter.push(block[:, first : first + MIX_SR]))
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
    part = Part(plan.segments[0], load)
    source = part.place(plan.segments[0].enter_s)  # the next sample of the track that plays
    now = 0  # samples given out
    for i, transition in enumerate(plan.transitions):
        start = samples_at(transition.start_s)
        n_join, n_after = _seams(plan, i, start - now)
        yield from _solo(part, source, start - n_join - now, is_first=i == 0)
        part.forget_before(transition.leaving_s[0])
        entering = Part(plan.segments[i + 1], load)
        joined = join(part, entering, transition, n_join, n_after)
        if shifts_ms is not None:
            shifts_ms.append(entering.shift_s * 1000)
        yield joined
        now = start - n_join + joined.shape[1]
        part, source = entering, entering.place(transition.entering_s[-1]) + n_after
    n_left = max(samples_at(plan.total_s) - now, 0)
    n_left = n_audible(part.take(source, n_left), MIX_SR) or n_left  # a track's silent tail is left out
    n_fade = min(round(FADE_OUT_S * MIX_SR), n_left // 2)
    gains = equal_power(n_fade)[0]
    for block in _solo(part, source, n_left, is_first=not plan.transitions):
        n_before_fade = max(n_left - n_fade, 0)  # from the start of this block
        n_left -= block.shape[1]
        tail = block[:, n_before_fade:]
        done = n_fade - n_left - tail.shape[1]
        yield np.concatenate((block[:, :n_before_fade], tail * gains[done : done + tail.shape[1]]), axis=1)


def _seams(plan: MixPlan, i: int, n_solo_before: int) -> tuple[int, int]:
    """Samples of each track's own time that transition `i` takes along, to join them without a seam."""
    transition = plan.transitions[i]
    seam_s = {Joint.BEATS: JOIN_S, Joint.CUT: DECLICK_S, Joint.PLAIN: 0.0}[transition.joint]
    end_s = plan.transitions[i + 1].start_s if i + 1 < len(plan.transitions) else plan.total_s
    n_solo_after = samples_at(end_s) - samples_at(transition.start_s + transition.duration_s)
    n_seam = round(seam_s * MIX_SR)
    return min(n_seam, max(n_solo_before, 0)), min(n_seam, max(n_solo_after, 0) // 2)


def _solo(part: Part, start: int, n_samples: int, *, is_first: bool) -> Iterator[FloatArray]:
    n_block = round(BLOCK_S * MIX_SR)
    for first in range(0, n_samples, n_block):
        block = part.take(start + first, min(n_block, n_samples - first))
        if first == 0 and is_first:
            n_fade = min(round(FADE_IN_S * MIX_SR), block.shape[1])
            block[:, :n_fade] *= equal_power(n_fade)[1]
        yield block
