"""What a mix will be, from the analyses alone: spans, order, transitions, length. Pure and quick."""

from collections.abc import Sequence

from inference.datatypes import Rhythm, TrackAnalysis, Window
from inference.mixing.bars import common_grid, lines_after, lines_before, same_pulse
from inference.mixing.nouns import MAX_TRACKS, Crossfade, Joint, MixOptions, MixPlan, Segment, Transition
from inference.order import order_tracks
from inference.window import pick_windows

PLAIN_FADE_S = 3.0
MAX_FADE_S = 16.0
MAX_FADE_SHARE = 0.3  # of the shorter of two highlights: most of a highlight is heard alone
BARS = (16, 8, 4, 2, 1)
MIN_PLAIN_FADE_S = 0.02  # what is left of a fade between scraps of sound


def plan_mix(
    analyses: Sequence[TrackAnalysis],
    options: MixOptions | None = None,
    windows: Sequence[Window | None] | None = None,
) -> MixPlan:
    """Plan a mix of 1 to `MAX_TRACKS` tracks. `windows`: a listener's own choice for some or all of them."""
    if not 1 <= len(analyses) <= MAX_TRACKS:
        raise ValueError(f"a mix has 1 to {MAX_TRACKS} tracks, got {len(analyses)}")
    options = options or MixOptions()
    chosen = list(windows) if windows is not None else [None] * len(analyses)
    if len(chosen) != len(analyses):
        raise ValueError(f"{len(analyses)} tracks and {len(chosen)} windows")
    spans = [
        window or pick_windows(a.curve, a.duration_s, options.length_s, a.rhythm, a.confidence).window
        for a, window in zip(analyses, chosen, strict=True)
    ]
    order = order_tracks([a.rhythm.tempo_bpm for a in analyses], [a.key for a in analyses], options.order)
    rhythms = [analyses[i].rhythm for i in order]
    spans = [spans[i] for i in order]
    solo_from_s = spans[0].start_s
    enter_s, starts_s = [solo_from_s], [0.0]
    leave_s: list[float] = []
    transitions: list[Transition] = []
    now_s = 0.0
    for i in range(len(order) - 1):
        limit_s = MAX_FADE_SHARE * min(spans[i].length_s, spans[i + 1].length_s)
        joint, grid, leaving, entering = _meet(
            rhythms[i], spans[i], solo_from_s, rhythms[i + 1], spans[i + 1], limit_s, options.crossfade
        )
        now_s += leaving[0] - solo_from_s
        transitions.append(Transition(joint, now_s, grid, leaving, entering))
        starts_s.append(now_s + grid[-1] / 2)
        now_s += grid[-1]
        leave_s.append(leaving[-1])
        enter_s.append(entering[0])
        solo_from_s = entering[-1]
    leave_s.append(max(spans[-1].end_s, solo_from_s))
    now_s += leave_s[-1] - solo_from_s
    segments = []
    for place, track in enumerate(order):
        analysis = analyses[track]
        camelot = analysis.key.camelot if analysis.key else None
        segments.append(
            Segment(
                track, enter_s[place], leave_s[place], starts_s[place], analysis.rhythm.tempo_bpm, camelot
            )
        )
    return MixPlan(tuple(segments), tuple(transitions), now_s)


def preview_plan(plan: MixPlan, index: int, around_s: float = 8.0) -> MixPlan:
    """The transition `index` alone, with up to `around_s` of each track on either side."""
    transition = plan.transitions[index]
    leaving, entering = plan.segments[index], plan.segments[index + 1]
    from_s = max(leaving.enter_s, transition.leaving_s[0] - around_s)
    if index > 0:
        from_s = max(from_s, plan.transitions[index - 1].entering_s[-1])
    to_s = min(entering.leave_s, transition.entering_s[-1] + around_s)
    if index + 1 < len(plan.transitions):
        to_s = min(to_s, plan.transitions[index + 1].leaving_s[0])
    before_s, after_s = transition.leaving_s[0] - from_s, to_s - transition.entering_s[-1]
    start_s = before_s + transition.duration_s / 2
    return MixPlan(
        (
            Segment(leaving.track, from_s, leaving.leave_s, 0.0, leaving.tempo_bpm, leaving.camelot),
            Segment(entering.track, entering.enter_s, to_s, start_s, entering.tempo_bpm, entering.camelot),
        ),
        (
            Transition(
                transition.joint, before_s, transition.grid_s, transition.leaving_s, transition.entering_s
            ),
        ),
        before_s + transition.duration_s + after_s,
    )


_Meeting = tuple[Joint, tuple[float, ...], tuple[float, ...], tuple[float, ...]]


def _meet(
    a: Rhythm, a_span: Window, a_solo_s: float, b: Rhythm, b_span: Window, limit_s: float, asked: Crossfade
) -> _Meeting:
    """How `a`, alone since `a_solo_s`, passes over into `b`: joint, grid, lines of `a`, lines of `b`."""
    if asked is Crossfade.OFF:
        return Joint.CUT, (0.0,), (max(a_span.end_s, a_solo_s),), (b_span.start_s,)
    if asked is Crossfade.BEATS:
        steps = same_pulse(a, b)
        if steps is not None:
            for n_bars in BARS:
                meeting = _meet_in_bars(a, a_span, a_solo_s, b, b_span, limit_s, n_bars, steps)
                if meeting is not None:
                    return meeting
    return _meet_plainly(a_span, a_solo_s, b_span)


def _meet_in_bars(
    a: Rhythm,
    a_span: Window,
    a_solo_s: float,
    b: Rhythm,
    b_span: Window,
    limit_s: float,
    n_bars: int,
    steps: tuple[int, int],
) -> _Meeting | None:
    """`n_bars` of both in step; None where there are not as many that fit."""
    leaving = lines_before(a, a_span.end_s, n_bars, steps[0], a_solo_s)
    if leaving is None:
        return None
    # The newcomer's highlight begins when the fade is over, if there is something to play before it.
    entering = lines_after(b, b_span.start_s, n_bars, steps[1])
    if entering is None or entering[-1] > b_span.start_s + b_span.length_s / 2:
        return None
    grid = common_grid(leaving, entering)
    if grid is None or grid[-1] > min(limit_s, MAX_FADE_S):
        return None
    return Joint.BEATS, grid, leaving, entering


def _meet_plainly(a_span: Window, a_solo_s: float, b_span: Window) -> _Meeting:
    """A fade of `PLAIN_FADE_S`, or of as much as both have."""
    a_end_s = max(a_span.end_s, a_solo_s)
    fade_s = min(PLAIN_FADE_S, (a_end_s - a_solo_s) / 2, b_span.length_s / 2)
    if fade_s < MIN_PLAIN_FADE_S:
        return Joint.CUT, (0.0,), (a_end_s,), (b_span.start_s,)
    enter_s = max(0.0, b_span.start_s - fade_s)
    return Joint.PLAIN, (0.0, fade_s), (a_end_s - fade_s, a_end_s), (enter_s, enter_s + fade_s)
