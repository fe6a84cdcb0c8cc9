"""Stretching onto a grid: where the beats land, and that no seam is heard."""

import numpy as np
import numpy.typing as npt
import pytest

from inference.mixing.warp import shift_to_match, warp

SR = 48_000


def click_track(times_s: npt.ArrayLike, seconds: float) -> npt.NDArray[np.float32]:
    y = 1e-3 * np.random.default_rng(0).standard_normal((2, round(seconds * SR)))
    t = np.arange(round(0.04 * SR)) / SR
    click = 0.7 * np.sin(2 * np.pi * 1500 * t) * np.exp(-t * 120)
    for at_s in np.asarray(times_s):
        start = round(float(at_s) * SR)
        if start >= 0:
            n = min(len(click), y.shape[1] - start)
            y[:, start : start + n] += click[:n]
    return y.astype(np.float32)


def attacks_s(y: npt.NDArray) -> npt.NDArray:
    """Times at which the level jumps over a fifth of full scale after a pause."""
    loud = np.flatnonzero(np.abs(y[0]) > 0.2)
    return loud[np.diff(loud, prepend=-SR) > 0.1 * SR] / SR


def tone(seconds: float) -> npt.NDArray[np.float32]:
    t = np.arange(round(seconds * SR)) / SR
    y = sum(0.15 * np.sin(2 * np.pi * hz * t + hz) for hz in (110.0, 220.7, 331.3, 1003.0))
    return np.stack([y, 0.8 * y]).astype(np.float32)


def test_uneven_bars_land_on_the_grid():
    marks_s = np.array([1.0, 2.97, 5.05, 7.0, 9.02])
    grid_s = np.array([0.0, 2.02, 4.02, 6.0, 7.96])
    y = click_track(marks_s, 10.0)

    out = warp(y, np.round(marks_s * SR).astype(int), np.round(grid_s * SR).astype(int), SR)

    assert out.shape == (2, round(7.96 * SR))
    found = attacks_s(out)
    assert len(found) == 4
    assert np.abs(found - grid_s[:-1]).max() < 0.004


@pytest.mark.parametrize("ratio", [0.95, 0.99, 1.0, 1.01, 1.05])
def test_a_steady_tone_has_no_seams(ratio: float):
    marks = np.round((1.0 + np.arange(5) * 1.0) * SR).astype(int)
    grid = np.round(np.arange(5) * SR / ratio).astype(int)

    out = warp(tone(7.0), marks, grid, SR)

    # A click is a jump that the tone's own curvature cannot explain.
    roughness = np.abs(np.diff(out[0], 2))
    assert roughness.max() < 1.5 * np.abs(np.diff(tone(1.0)[0], 2)).max()
    level = (out[0, : len(out[0]) // 2400 * 2400].reshape(-1, 2400) ** 2).mean(axis=1)
    assert 10 * np.log10(level.min() / np.median(level)) > -3.0


def test_pitch_is_kept():
    y = np.stack([np.sin(2 * np.pi * 440 * np.arange(6 * SR) / SR)] * 2).astype(np.float32)

    out = warp(y, np.array([SR, 5 * SR]), np.array([0, round(4 * SR / 1.05)]), SR)

    spectrum = np.abs(np.fft.rfft(out[0] * np.hanning(out.shape[1])))
    assert np.argmax(spectrum) * SR / out.shape[1] == pytest.approx(440, abs=1.0)


def test_nothing_is_changed_where_nothing_is_stretched():
    y = tone(4.0)

    out = warp(y, np.array([SR, 2 * SR, 3 * SR]), np.array([0, SR, 2 * SR]), SR)

    assert np.abs(out - y[:, SR : 3 * SR]).max() < 1e-5


def test_source_that_ends_early_is_followed_by_silence():
    out = warp(tone(2.0), np.array([SR, 3 * SR]), np.array([0, 2 * SR]), SR)

    assert out.shape == (2, 2 * SR)
    assert np.abs(out[:, : SR // 2]).max() > 0.1
    assert np.abs(out[:, round(1.2 * SR) :]).max() == 0.0


@pytest.mark.parametrize("late_s", [-0.04, -0.017, 0.0, 0.009, 0.033])
def test_a_late_newcomer_is_found_out(late_s: float):
    beats_s = np.arange(0.25, 8.0, 0.5)
    other = click_track(beats_s[::2] + late_s, 8.0) + click_track(beats_s[1::2] + late_s, 8.0)

    assert shift_to_match(click_track(beats_s, 8.0), other, SR) == pytest.approx(late_s, abs=0.002)


def test_without_common_attacks_nothing_is_moved():
    rng = np.random.default_rng(1)
    noise = (0.1 * rng.standard_normal((2, 8 * SR))).astype(np.float32)

    assert shift_to_match(click_track(np.arange(0.25, 8.0, 0.5), 8.0), noise, SR) == 0.0
    assert shift_to_match(np.zeros((2, 8 * SR), np.float32), noise, SR) == 0.0
    assert shift_to_match(noise[:, :100], noise[:, :100], SR) == 0.0
