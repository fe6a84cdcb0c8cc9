"""Levels of signals whose loudness and true peak are known."""

import math
from collections.abc import Callable

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.config import CEILING_DBTP, TARGET_LUFS
from inference.datatypes import Waveform
from inference.loudness import (
    MAX_BOOST_DB,
    fade_edges,
    loudness_profile,
    measure_dbtp,
    measure_lufs,
    normalise,
    track_lufs,
)
from inference.pipeline import analyse_track
from tests.conftest import FloatArray

SR = 48_000
Sine = Callable[..., FloatArray]


def pair(y: FloatArray) -> Waveform:
    return Waveform(np.stack([y, y]).astype(np.float32), SR)


def drums(level: float, rng: np.random.Generator) -> Waveform:
    """Peaks far above the mean: a click every half second over a quiet tone."""
    t = np.arange(10 * SR) / SR
    y = 0.05 * np.sin(2 * np.pi * 330 * t) + np.exp(-200 * (t % 0.5)) * rng.standard_normal(len(t)) * 0.5
    return pair((level * y / np.abs(y).max()).astype(np.float32))


def test_full_scale_sine_reads_as_the_standard_says(sine: Sine) -> None:
    # BS.1770: 997 Hz at 0 dBFS in one channel is -3.01 LUFS.
    mono = Waveform(sine(997.0, 5.0, SR, 1.0)[np.newaxis], SR)
    assert measure_lufs(mono) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("sr", [8_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("length_s", [0.5, 3.77])
def test_loudness_is_the_one_of_pyloudnorm(sr: int, n_channels: int, length_s: float) -> None:
    rng = np.random.default_rng(sr)
    n = round(length_s * sr)
    samples = (rng.standard_normal((n_channels, n)) * rng.choice([0.001, 0.3], n)).astype(np.float32)
    expected = pyloudnorm.Meter(sr).integrated_loudness(samples.T.astype(np.float64))
    assert measure_lufs(Waveform(samples, sr)) == pytest.approx(expected, abs=0.01)


def test_true_peak_lies_between_the_samples() -> None:
    # A quarter of the rate, sampled beside its peaks: samples reach 0.707, the wave 1.
    y = np.sin(np.pi / 2 * np.arange(SR) + np.pi / 4).astype(np.float32)
    y *= np.hanning(SR).astype(np.float32)
    assert 20 * math.log10(np.abs(y).max()) == pytest.approx(-3.01, abs=0.02)
    assert measure_dbtp(pair(y)) == pytest.approx(0.0, abs=0.1)


def test_silence_has_no_loudness_and_stays_silent() -> None:
    silence = pair(np.zeros(SR, np.float32))
    assert measure_lufs(silence) == -math.inf
    assert measure_dbtp(silence) == -math.inf
    assert not normalise(silence).waveform.samples.any()


def test_near_silence_is_not_blown_up(sine: Sine) -> None:
    piece = normalise(pair(sine(300.0, 5.0, SR, 1e-4)))
    assert piece.gain_db <= MAX_BOOST_DB
    assert float(np.abs(piece.waveform.samples).max()) < 1e-3


def test_loud_float_is_turned_down(sine: Sine) -> None:
    piece = normalise(pair(sine(300.0, 5.0, SR, 4.0)))  # +12 dB over full scale
    assert measure_lufs(piece.waveform) == pytest.approx(TARGET_LUFS, abs=0.1)
    assert measure_dbtp(piece.waveform) <= CEILING_DBTP


def test_quiet_and_loud_come_out_alike(sine: Sine) -> None:
    levels = [measure_lufs(normalise(pair(sine(300.0, 5.0, SR, a))).waveform) for a in (0.1, 0.3, 1.0)]
    assert levels == pytest.approx([TARGET_LUFS] * 3, abs=0.1)


@pytest.mark.parametrize("length_s", [1 / SR, 0.01, 0.1, 0.39, 0.4, 0.41])
def test_piece_shorter_than_a_gating_block(length_s: float, sine: Sine) -> None:
    piece = normalise(pair(sine(997.0, length_s, SR)))
    assert piece.waveform.samples.shape[1] == round(length_s * SR)
    assert np.isfinite(piece.waveform.samples).all()


@pytest.mark.parametrize("level", [0.05, 0.3, 1.0, 3.0])
def test_peaks_stay_under_the_ceiling(level: float) -> None:
    piece = normalise(drums(level, np.random.default_rng(0)))
    assert measure_dbtp(piece.waveform) <= CEILING_DBTP + 0.05
    assert piece.lufs == pytest.approx(measure_lufs(piece.waveform), abs=0.1)
    assert piece.dbtp >= measure_dbtp(piece.waveform) - 0.1


@given(level_db=st.floats(-50.0, 12.0), seed=st.integers(0, 10))
@settings(max_examples=12, deadline=None)
def test_result_is_bounded_at_every_level(level_db: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(SR * 2) * rng.choice([0.1, 1.0], SR * 2)
    wave = pair((noise / np.abs(noise).max() * 10 ** (level_db / 20)).astype(np.float32))
    piece = normalise(wave)
    assert measure_dbtp(piece.waveform) <= CEILING_DBTP + 0.05
    assert measure_lufs(piece.waveform) <= TARGET_LUFS + 0.3
    assert piece.waveform.samples.shape == wave.samples.shape


def test_input_is_left_alone(sine: Sine) -> None:
    wave = pair(sine(300.0, 1.0, SR))
    before = wave.samples.copy()
    normalise(wave)
    fade_edges(wave)
    np.testing.assert_array_equal(wave.samples, before)


def test_fades_begin_and_end_at_zero_and_leave_the_middle() -> None:
    wave = pair(np.ones(SR, np.float32))
    y = fade_edges(wave, 0.1, 0.2).samples[0]
    assert y[0] == 0.0
    assert y[-1] == pytest.approx(0.0, abs=1e-7)
    assert (y[round(0.1 * SR) : round(0.8 * SR)] == 1.0).all()
    assert (np.diff(y[: round(0.1 * SR)]) >= 0).all()


@pytest.mark.parametrize("n", [0, 1, 2, 5, 100])
def test_fade_is_never_longer_than_half_the_piece(n: int) -> None:
    y = fade_edges(pair(np.ones(n, np.float32)), 1.0, 1.0).samples
    assert y.shape == (2, n)
    assert np.isfinite(y).all()


def test_whole_track_is_measured_from_its_features(write: Callable[..., object], sine: Sine) -> None:
    rng = np.random.default_rng(3)
    y = 0.05 * rng.standard_normal(20 * SR).astype(np.float32) + 0.2 * sine(220.0, 20.0, SR, 1.0)
    path = write("a.flac", np.stack([y, y]), SR)
    analysis = analyse_track(path)  # type: ignore[arg-type]
    assert analysis.loudness_lufs == pytest.approx(measure_lufs(pair(y)), abs=1.0)


def test_silent_features_have_no_loudness() -> None:
    silent = np.full((10, 4), -100.0, np.float32)
    assert track_lufs(silent, silent[:, 0], np.array([100.0, 300.0, 1000.0, 3000.0], np.float32)) is None


def test_profile_is_bounded_and_shows_the_loud_part() -> None:
    levels = np.full(5000, -60.0, np.float32)
    levels[3000:4000] = -10.0
    profile = loudness_profile(levels, 500)
    assert profile.shape == (500,)
    assert profile[350] == 1.0
    assert profile[100] == 0.0
