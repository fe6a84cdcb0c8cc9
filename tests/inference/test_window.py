"""Windows of curves with a known answer, and what holds for every curve."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.datatypes import InterestCurve, Picks, Rhythm, TrackFeatures, Window
from inference.window import ENTRY_LOSS, curve_by_loudness, next_window, pick_windows, shift_window

BEATS = tuple(np.arange(0.25, 180.0, 0.5).tolist())
METRE = Rhythm(120.0, BEATS, BEATS[::4])  # bars at 0.25, 2.25, 4.25 ...


def curve_of(values: list[float], hop_s: float = 1.0, clarity: float = 1.0) -> InterestCurve:
    return InterestCurve(np.array(values, np.float32), hop_s, clarity)


def block(start: int, end: int, n: int, high: float = 0.9, low: float = 0.1) -> InterestCurve:
    values = np.full(n, low, np.float32)
    values[start:end] = high
    return InterestCurve(values, 1.0)


def test_last_start_is_reachable() -> None:
    assert pick_windows(block(70, 100, 100), 100.0).window == Window(70.0, 100.0, pytest.approx(0.9))


def test_fraction_at_the_end_is_reachable() -> None:
    curve = curve_of([0.1] * 41 + [0.9] * 30)
    assert pick_windows(curve, 70.4).window.start_s == pytest.approx(40.4, abs=0.01)


def test_first_start_wins_a_tie() -> None:
    assert pick_windows(block(0, 100, 100), 100.0).window.start_s == 0.0


def test_true_hop_is_used() -> None:
    # 0.9985 s a point: a third of a second too early by point 200, were it taken for a second.
    hop_s = 43 * 512 / 22_050
    values = [0.1] * 200 + [0.9] * 31 + [0.1] * 30
    window = pick_windows(curve_of(values, hop_s), 261 * hop_s).window
    assert window.start_s == pytest.approx(200 * hop_s, abs=hop_s)


def test_track_shorter_than_the_window_is_returned_whole() -> None:
    picks = pick_windows(block(0, 3, 12), 11.7)
    assert (picks.window.start_s, picks.window.end_s) == (0.0, 11.7)
    assert picks.runners_up == ()


def test_runners_up_are_other_moments_best_first() -> None:
    values = np.full(240, 0.1, np.float32)
    values[20:50], values[100:130], values[180:210] = 0.7, 0.9, 0.8
    picks = pick_windows(InterestCurve(values, 1.0), 240.0)
    assert picks.window.start_s == pytest.approx(100.0)
    assert [w.start_s for w in picks.runners_up[:2]] == pytest.approx([180.0, 20.0])


def test_shoulder_of_a_moment_is_no_moment() -> None:
    values = 0.1 + 0.8 * np.exp(-(((np.arange(300) - 150) / 40.0) ** 2))
    starts = [w.start_s for w in pick_windows(curve_of(values.tolist()), 300.0).runners_up]
    assert not [s for s in starts if 90.0 < s < 180.0], starts


@pytest.mark.parametrize(("best", "expected"), [(70, 68.25 + 2), (71, 70.25), (2, 2.25)])
def test_start_moves_to_the_nearest_downbeat(best: int, expected: float) -> None:
    window = pick_windows(block(best, best + 30, 180), 180.0, rhythm=METRE).window
    assert window.start_s == pytest.approx(expected)
    assert window.length_s == pytest.approx(30.0)


def test_snapping_never_leaves_the_track() -> None:
    window = pick_windows(block(149, 179, 179), 179.0, rhythm=METRE).window
    assert window.end_s <= 179.0
    assert window.length_s == pytest.approx(30.0)


def test_beats_serve_where_bars_are_unknown() -> None:
    window = pick_windows(block(70, 100, 180), 180.0, rhythm=Rhythm(120.0, BEATS)).window
    assert min(abs(window.start_s - beat) for beat in BEATS) < 1e-6


def test_lengths_are_nested() -> None:
    curve = block(83, 110, 200)
    short, usual, long = (pick_windows(curve, 200.0, s, METRE).window for s in (15.0, 30.0, 60.0))
    assert usual.start_s <= short.start_s
    assert short.end_s <= usual.end_s
    assert long.start_s <= usual.start_s
    assert usual.end_s <= long.end_s
    assert [w.length_s for w in (short, usual, long)] == pytest.approx([15.0, 30.0, 60.0])


def test_models_calibrated_chance_is_passed_on() -> None:
    values = block(80, 110, 200).values
    for clarity, is_clear in ((0.1, False), (0.9, True)):
        picks = pick_windows(InterestCurve(values, 1.0, clarity), 200.0)
        assert picks.confidence == clarity
        assert picks.is_clear == is_clear


def test_length_must_be_positive() -> None:
    with pytest.raises(ValueError, match="length_s"):
        pick_windows(block(0, 1, 60), 60.0, 0.0)


@given(
    values=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=400),
    hop_s=st.floats(0.05, 3.0),
    length_s=st.floats(1.0, 120.0),
    cut=st.floats(0.0, 0.9),
    has_metre=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_windows_lie_inside_and_have_the_length(
    values: list[float], hop_s: float, length_s: float, cut: float, has_metre: bool
) -> None:
    duration_s = (len(values) - cut) * hop_s
    rhythm = METRE if has_metre else None
    picks = pick_windows(curve_of(values, hop_s), duration_s, length_s, rhythm)
    for window in (picks.window, *picks.runners_up):
        assert window.start_s >= 0.0
        assert window.end_s <= duration_s + 1e-6
        assert window.length_s == pytest.approx(min(length_s, duration_s))
        assert 0.0 <= window.score <= 1.0
    starts = sorted(w.start_s for w in (picks.window, *picks.runners_up))
    assert all(b - a >= 0.5 * min(length_s, 30.0) for a, b in itertools.pairwise(starts))
    assert 0.0 <= picks.confidence <= 1.0


@given(
    values=st.lists(st.floats(0, 1, width=32), min_size=40, max_size=120),
)
@settings(max_examples=100, deadline=None)
def test_no_whole_second_start_beats_the_pick(values: list[float]) -> None:
    window = pick_windows(curve_of(values), float(len(values))).window
    sums = np.convolve(np.array(values, np.float32), np.ones(30), "valid") / 30
    assert window.score >= (1 - ENTRY_LOSS) * sums.max() - 1e-4


@pytest.mark.parametrize(
    ("start_s", "bars", "expected"),
    [
        (40.25, 1, 42.25),
        (40.25, -1, 38.25),
        (40.25, 4, 48.25),
        (41.0, 1, 42.25),  # from between two bars to the next one
        (41.0, -1, 40.25),
        (0.25, -1, 0.0),  # never before the track
        (149.0, 9, 150.0),  # never past its end
    ],
)
def test_shift_walks_the_bars(start_s: float, bars: int, expected: float) -> None:
    moved = shift_window(Window(start_s, start_s + 30.0), bars, METRE, 180.0)
    assert moved.start_s == pytest.approx(expected)
    assert moved.length_s == pytest.approx(30.0)


def test_shift_without_a_metre_takes_two_seconds() -> None:
    assert shift_window(Window(10.0, 40.0), 2, Rhythm(None), 100.0).start_s == pytest.approx(14.0)


def test_earlier_and_later_undo_each_other() -> None:
    window = Window(40.25, 70.25)
    there = shift_window(window, 3, METRE, 180.0)
    assert shift_window(there, -3, METRE, 180.0).start_s == pytest.approx(window.start_s)


def test_next_window_goes_round() -> None:
    picks = Picks(Window(10, 40), (Window(60, 90), Window(100, 130)), 0.9)
    seen = [picks.window]
    for _ in range(3):
        seen.append(next_window(picks, seen[-1]))
    assert [w.start_s for w in seen] == [10, 60, 100, 10]


def test_without_a_highlight_the_loudest_tones_win_over_louder_noise() -> None:
    n, hop_s = 300, 0.5
    loudness = np.full(n, -40.0, np.float32)
    chroma = np.full((n, 24), 0.1, np.float32)
    loudness[40:100] = -12.0  # noise: flat chroma
    loudness[180:260] = -15.0
    chroma[180:260, 15] = 3.0
    features = TrackFeatures(
        np.zeros((n, 128), np.float32), chroma, loudness, hop_s, np.zeros(1), np.zeros(1), 0.02, n * hop_s
    )
    window = pick_windows(curve_by_loudness(features, 0.1), n * hop_s).window
    assert 180 * hop_s <= window.start_s
    assert window.end_s <= 260 * hop_s + 1.0


def test_a_section_shorter_than_the_window_is_heard_from_its_beginning() -> None:
    picks = pick_windows(block(100, 118, 240), 240.0)
    assert picks.window.start_s == pytest.approx(100.0)
    assert pick_windows(block(100, 118, 240), 240.0, 15.0).window.start_s == pytest.approx(100.0)


def test_little_is_given_up_for_a_beginning() -> None:
    # A small step lies inside the best window; starting there would lose a tenth of it.
    values = np.full(240, 0.1, np.float32)
    values[100:103], values[103:130] = 0.85, 0.9
    assert pick_windows(InterestCurve(values, 1.0), 240.0).window.start_s == pytest.approx(100.0)
