"""A mix ends on audible sound: where that is."""

import numpy as np
import pytest

from inference.mixing.silence import n_audible

SR = 48_000


def tone(length_s: float, level: float) -> np.ndarray:
    y = level * np.sin(2 * np.pi * 330 * np.arange(round(length_s * SR)) / SR)
    return np.stack([y, y]).astype(np.float32)


@pytest.mark.parametrize("tail", [0.0, 0.0005])
def test_a_silent_or_inaudible_tail_does_not_count(tail: float) -> None:
    y = np.concatenate([tone(2.0, 0.3), tone(1.5, tail)], axis=1)
    assert n_audible(y, SR) == pytest.approx(2.0 * SR, abs=0.02 * SR)


def test_sound_to_the_end_is_kept_whole() -> None:
    assert n_audible(tone(1.0, 0.3), SR) == SR


def test_a_quiet_ending_still_counts() -> None:
    y = np.concatenate([tone(1.0, 0.3), tone(1.0, 0.02)], axis=1)
    assert n_audible(y, SR) == 2 * SR


@pytest.mark.parametrize("n_samples", [0, 1, 7 * SR // 10])
def test_silence_and_nothing_have_no_sound(n_samples: int) -> None:
    assert n_audible(np.zeros((2, n_samples), dtype=np.float32), SR) <= 1
