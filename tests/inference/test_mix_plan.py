"""Plans of mixes: what is decided without any audio."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.datatypes import InterestCurve, Key, Rhythm, TrackAnalysis, Window
from inference.mixing.nouns import Crossfade, Joint, MixOptions, MixPlan, time_code, tracklist
from inference.mixing.plan import plan_mix, preview_plan
from inference.order import Order

AS_SENT = MixOptions(order=Order.SENT)


def steady(bpm: float, duration_s: float, first_s: float = 0.2, beats_per_bar: int = 4) -> Rhythm:
    beats = np.arange(first_s, duration_s, 60.0 / bpm)
    return Rhythm(bpm, tuple(beats.tolist()), tuple(beats[::beats_per_bar].tolist()), beats_per_bar)


def track(rhythm: Rhythm | None = None, duration_s: float = 120.0, peak_s: float = 60.0) -> TrackAnalysis:
    values = np.exp(-0.5 * ((np.arange(int(duration_s) + 1) - peak_s) / 10.0) ** 2).astype(np.float32)
    return TrackAnalysis(
        duration_s=duration_s,
        curve=InterestCurve(values, 1.0),
        rhythm=rhythm or Rhythm(None),
        key=Key(0, is_minor=False, confidence=1.0),
        loudness_lufs=None,
        confidence=0.9,
        model_version="test",
    )


def pair(a: Rhythm | None, b: Rhythm | None, options: MixOptions = AS_SENT) -> MixPlan:
    return plan_mix([track(a), track(b)], options)


def check_consistent(plan: MixPlan, durations_s: list[float]) -> None:
    """Every second of the plan is accounted for, inside its track, and in order."""
    heard_s = sum(segment.leave_s - segment.enter_s for segment in plan.segments)
    stretched_s = sum(
        t.duration_s - (t.leaving_s[-1] - t.leaving_s[0]) - (t.entering_s[-1] - t.entering_s[0])
        for t in plan.transitions
    )
    assert plan.total_s == pytest.approx(heard_s + stretched_s, abs=1e-6)
    for segment in plan.segments:
        assert 0.0 <= segment.enter_s <= segment.leave_s <= durations_s[segment.track] + 1e-6
    for (a, b), t in zip(itertools.pairwise(plan.segments), plan.transitions, strict=True):
        assert len(t.grid_s) == len(t.leaving_s) == len(t.entering_s)
        assert (t.leaving_s[-1], t.entering_s[0]) == (a.leave_s, b.enter_s)
        assert all(np.diff(t.grid_s) > 0)
    ends_s = [0.0, *itertools.chain(*((t.start_s, t.start_s + t.duration_s) for t in plan.transitions))]
    assert all(np.diff([*ends_s, plan.total_s]) >= -1e-9)


def test_two_steady_tracks_meet_in_whole_bars_on_downbeats():
    a, b = steady(120, 120), steady(124, 120, first_s=0.37)

    plan = pair(a, b)

    (meeting,) = plan.transitions
    assert meeting.joint is Joint.BEATS
    assert meeting.n_bars == 4
    assert set(meeting.leaving_s) <= set(a.downbeats_s)
    assert set(meeting.entering_s) <= set(b.downbeats_s)
    check_consistent(plan, [120.0, 120.0])


def test_tempo_glides_from_one_track_to_the_other_within_six_per_cent():
    (meeting,) = pair(steady(120, 120), steady(126, 120)).transitions

    bars_s = np.diff(meeting.grid_s)
    assert np.all(np.diff(bars_s) < 0)
    assert 2.0 > bars_s[0] > bars_s[-1] > 240 / 126
    for lines in (meeting.leaving_s, meeting.entering_s):
        assert np.all(np.abs(np.diff(lines) / bars_s - 1) <= 0.06)


@pytest.mark.parametrize(("a_bpm", "b_bpm"), [(70, 141), (141, 70)])
def test_half_and_double_tempo_meet_bar_by_two_bars(a_bpm: float, b_bpm: float):
    (meeting,) = pair(steady(a_bpm, 120), steady(b_bpm, 120)).transitions

    assert meeting.joint is Joint.BEATS
    assert np.diff(meeting.grid_s) == pytest.approx(np.full(meeting.n_bars, 240 / 70), rel=0.01)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (steady(120, 120), steady(130, 120)),
        (steady(120, 120), steady(120, 120, beats_per_bar=3)),
        (steady(120, 120), None),
        (None, steady(120, 120)),
        (None, None),
        (steady(60, 120), steady(240, 120)),
    ],
)
def test_what_does_not_fit_gets_a_short_plain_fade(a: Rhythm | None, b: Rhythm | None):
    plan = pair(a, b)

    assert plan.transitions[0].joint is Joint.PLAIN
    assert plan.transitions[0].duration_s == pytest.approx(3.0)
    check_consistent(plan, [120.0, 120.0])


def test_bars_that_the_tracker_lost_are_not_used():
    uneven = [t + 0.25 * (i % 2) for i, t in enumerate(steady(120, 120).downbeats_s)]
    broken = Rhythm(120.0, steady(120, 120).beats_s, tuple(uneven))

    assert pair(broken, steady(120, 120)).transitions[0].joint is Joint.PLAIN
    assert pair(steady(120, 120), broken).transitions[0].joint is Joint.PLAIN


def test_the_newcomers_highlight_begins_when_the_fade_is_over():
    plan = plan_mix(
        [track(steady(120, 120)), track(steady(120, 120))],
        AS_SENT,
        [Window(40.2, 70.2), Window(60.2, 90.2)],
    )

    assert plan.transitions[0].entering_s[-1] == pytest.approx(60.2)
    assert plan.transitions[0].leaving_s[-1] == pytest.approx(70.2)
    assert plan.total_s == pytest.approx(60.0)


def test_a_highlight_at_the_very_start_still_meets_in_bars():
    plan = plan_mix([track(steady(120, 120)), track(steady(120, 120))], AS_SENT, [None, Window(0.0, 30.0)])

    assert plan.transitions[0].joint is Joint.BEATS
    assert plan.segments[1].enter_s == pytest.approx(0.2)
    check_consistent(plan, [120.0, 120.0])


def test_crossfade_options():
    rhythms = steady(120, 120), steady(120, 120)

    off = pair(*rhythms, MixOptions(Order.SENT, Crossfade.OFF))
    plain = pair(*rhythms, MixOptions(Order.SENT, Crossfade.PLAIN))

    assert off.transitions[0].joint is Joint.CUT
    assert off.total_s == pytest.approx(60.0)
    assert plain.transitions[0].joint is Joint.PLAIN


def test_fades_shrink_to_the_material():
    lengths = [5.0, 0.84, 2.0]  # shorter than any bar or the plain fade

    plan = plan_mix([track(None, length, length / 2) for length in lengths], AS_SENT)

    assert all(t.duration_s <= 0.5 * 5.0 for t in plan.transitions)
    assert plan.total_s > 0.5 * sum(lengths)
    check_consistent(plan, lengths)


def test_longer_highlights_get_longer_fades_but_no_more_than_a_third():
    bars = []
    for length_s in (8.0, 15.0, 30.0, 60.0):
        plan = pair(steady(120, 120), steady(120, 120), MixOptions(Order.SENT, Crossfade.BEATS, length_s))
        bars.append(plan.transitions[0].n_bars)
        assert plan.transitions[0].duration_s <= 0.3 * length_s + 1e-6
    assert bars == [1, 2, 4, 8]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(50, 215)),
            st.floats(0.3, 300.0),
            st.floats(0.0, 1.0),
            st.sampled_from([3, 4]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(list(Crossfade)),
    st.sampled_from(list(Order)),
    st.floats(1.0, 90.0),
)
def test_any_tracks_make_a_consistent_plan(tracks, crossfade, order, length_s):
    analyses = [
        track(
            None if bpm is None else steady(bpm, duration_s, beats_per_bar=metre),
            duration_s,
            peak * duration_s,
        )
        for bpm, duration_s, peak, metre in tracks
    ]

    plan = plan_mix(analyses, MixOptions(order, crossfade, length_s))

    assert sorted(plan.order) == list(range(len(tracks)))
    check_consistent(plan, [a.duration_s for a in analyses])
    assert MixPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_order_is_by_tempo_unless_asked_otherwise():
    tracks = [track(steady(bpm, 120)) for bpm in (128, 100, 115)]

    assert plan_mix(tracks).order == (1, 2, 0)
    assert plan_mix(tracks, AS_SENT).order == (0, 1, 2)


def test_preview_is_the_transition_with_its_surroundings():
    plan = plan_mix([track(steady(120, 120)) for _ in range(3)], AS_SENT)

    preview = preview_plan(plan, 1)

    assert preview.order == (1, 2)
    assert preview.transitions[0].grid_s == plan.transitions[1].grid_s
    assert preview.total_s == pytest.approx(plan.transitions[1].duration_s + 16.0)
    check_consistent(preview, [120.0] * 3)


def test_tracklist_has_time_codes_that_telegram_makes_tappable():
    plan = plan_mix([track(steady(120, 120)) for _ in range(3)], AS_SENT)

    lines = tracklist(plan, ["One", "Two", "Three"])

    assert lines[0] == "0:00 One"
    assert [line.split()[0] for line in lines] == [time_code(s.start_s) for s in plan.segments]
    assert [time_code(t) for t in (0, 59.99, 61, 3600, 3725)] == [
        "0:00",
        "0:59",
        "1:01",
        "1:00:00",
        "1:02:05",
    ]


@pytest.mark.parametrize("n", [0, 51])
def test_too_few_and_too_many_tracks(n: int):
    with pytest.raises(ValueError, match="1 to 50 tracks"):
        plan_mix([track()] * n)
