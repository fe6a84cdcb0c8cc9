"""Limiter and loudness meter as streams."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from inference.datatypes import Waveform
from inference.loudness import measure_dbtp, measure_lufs
from inference.mixing.master import Limiter, LoudnessMeter

SR = 48_000


def bursts(seconds: float = 4.0, peak: float = 2.0) -> npt.NDArray[np.float32]:
    """Music-like: quiet and far too loud in turn, with peaks between the samples."""
    t = np.arange(round(seconds * SR)) / SR
    swell = 0.1 + peak * (np.sin(2 * np.pi * 1.3 * t) > 0.6)
    y = swell * np.sin(2 * np.pi * SR / 4 * t + np.pi / 4) * np.sin(2 * np.pi * 3 * t)
    return np.stack([y, 0.5 * y]).astype(np.float32)


def limited(y: npt.NDArray[np.float32], block: int, ceiling_dbtp: float = -1.0) -> npt.NDArray[np.float32]:
    limiter = Limiter(SR, ceiling_dbtp)
    parts = [limiter.push(y[:, i : i + block]) for i in range(0, y.shape[1], block)]
    return np.concatenate([*parts, limiter.finish()], axis=1)


@pytest.mark.parametrize("ceiling_dbtp", [-1.0, -2.2])
def test_true_peak_stays_under_the_ceiling(ceiling_dbtp: float):
    out = limited(bursts(), SR, ceiling_dbtp)

    assert measure_dbtp(Waveform(bursts(), SR)) > 3.0
    assert measure_dbtp(Waveform(out, SR)) <= ceiling_dbtp
    assert measure_dbtp(Waveform(out, SR)) > ceiling_dbtp - 1.0


@pytest.mark.parametrize("block", [997, 4800, 48_000])
def test_result_does_not_depend_on_the_blocks(block: int):
    y = bursts()

    assert np.abs(limited(y, block) - limited(y, y.shape[1])).max() < 1e-3


def test_quiet_sound_passes_untouched():
    y = 0.2 * bursts()

    out = limited(y, 5000)

    assert out.shape == y.shape
    assert np.array_equal(out, y)


def test_one_peak_makes_no_hole_around_it():
    y = 0.3 * np.ones((2, SR), np.float32)
    y[:, SR // 2] = 4.0

    out = limited(y, 10_000)

    gain = out[0] / y[0]
    assert np.abs(np.diff(gain[: SR // 2])).max() < 0.02  # falls over the look-ahead, without a step
    assert gain[: SR // 2 - SR // 20] == pytest.approx(1.0)
    assert gain[SR // 2 + SR // 20 :] == pytest.approx(1.0)


def test_nothing_in_nothing_out():
    limiter = Limiter(SR, -1.0)

    assert limiter.push(np.zeros((2, 0), np.float32)).shape == (2, 0)
    assert limiter.finish().shape == (2, 0)
    assert limiter.dbtp == -math.inf


def test_meter_agrees_with_the_whole_file_measurement():
    rng = np.random.default_rng(0)
    level = np.repeat([0.02, 0.3, 0.001, 0.15], 3 * SR)
    y = (level * rng.standard_normal((2, len(level)))).astype(np.float32)
    meter = LoudnessMeter(SR)

    for i in range(0, y.shape[1], 7001):
        meter.push(y[:, i : i + 7001])

    assert meter.lufs == pytest.approx(measure_lufs(Waveform(y, SR)), abs=0.1)


def test_meter_of_silence():
    meter = LoudnessMeter(SR)
    assert meter.lufs == -math.inf
    meter.push(np.zeros((2, SR), np.float32))
    assert meter.lufs == -math.inf
