"""Level and spectrum through a fade."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import butter, sosfilt

from inference.mixing.crossfade import bass_swap, equal_power, join_related, mix_overlap

SR = 48_000


def noise(seed: int, seconds: float = 8.0) -> npt.NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal((2, round(seconds * SR)))).astype(np.float32)


def levels_db(y: npt.NDArray, block_s: float = 0.5) -> npt.NDArray:
    n = round(block_s * SR)
    blocks = y[:, : y.shape[1] // n * n].reshape(2, -1, n)
    return 10 * np.log10((blocks**2).mean(axis=(0, 2)))


@pytest.mark.parametrize("gains", [equal_power, bass_swap])
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_gains_have_exact_ends_and_constant_power(gains, n: int):
    fade_out, fade_in = gains(n)

    assert fade_out.shape == fade_in.shape == (n,)
    assert fade_out**2 + fade_in**2 == pytest.approx(np.ones(n), abs=1e-6)
    if n > 1:
        assert (fade_out[0], fade_in[0], fade_out[-1], fade_in[-1]) == (1.0, 0.0, 0.0, 1.0)


def test_bass_changes_hands_in_the_middle_half():
    bass_out, bass_in = bass_swap(1000)

    assert np.all(bass_out[:250] == 1.0)
    assert np.all(bass_in[:250] == 0.0)
    assert np.all(bass_out[750:] == 0.0)
    assert np.all(bass_in[750:] == 1.0)


@pytest.mark.parametrize("swap", [True, False])
def test_two_steady_noises_keep_their_level(swap: bool):
    level = levels_db(mix_overlap(noise(1), noise(2), SR, swap_bass=swap))

    assert np.abs(level + 20.0).max() < 0.5


@pytest.mark.parametrize("swap", [True, False])
def test_two_steady_basses_keep_their_level(swap: bool):
    sos = butter(4, 90, fs=SR, output="sos")
    a, b = (sosfilt(sos, noise(seed, 16.0), axis=1).astype(np.float32) for seed in (3, 4))

    level = levels_db(mix_overlap(a, b, SR, swap_bass=swap), 2.0)

    assert np.abs(level - levels_db(a, 16.0)).max() < 1.0  # 2 s of an 80 Hz band vary by themselves


def test_the_same_sound_on_both_sides_does_not_swell():
    y = noise(5)

    level = levels_db(mix_overlap(y, y, SR, swap_bass=True))

    assert np.abs(level + 20.0).max() < 0.5


def test_of_two_basses_only_one_is_heard_at_the_ends():
    t = np.arange(8 * SR) / SR
    low_a, low_b = (np.stack([np.sin(2 * np.pi * hz * t)] * 2).astype(np.float32) for hz in (50.0, 60.0))

    mixed = mix_overlap(low_a, low_b, SR, swap_bass=True)

    first = np.abs(np.fft.rfft(mixed[0, : 2 * SR] * np.hanning(2 * SR)))  # bins of half a hertz
    last = np.abs(np.fft.rfft(mixed[0, -2 * SR :] * np.hanning(2 * SR)))
    assert first[100] > 20 * first[120]
    assert last[120] > 20 * last[100]


def test_mids_are_left_alone_by_the_bass_swap():
    t = np.arange(8 * SR) / SR
    y = np.stack([np.sin(2 * np.pi * 1000 * t)] * 2).astype(np.float32)
    silence = np.zeros_like(y)

    swapped = mix_overlap(y, silence, SR, swap_bass=True)
    plain = mix_overlap(y, silence, SR, swap_bass=False)

    assert np.abs(swapped - plain).max() < 0.01


@pytest.mark.parametrize("n", [0, 1, 2, 100])
def test_scraps_of_sound_do_not_fail(n: int):
    y = np.ones((2, n), np.float32)

    assert mix_overlap(y, y, SR, swap_bass=True).shape == (2, n)
    assert np.all(np.isfinite(join_related(y, y)))


def test_inputs_are_not_written_into():
    a, b = noise(6, 1.0), noise(7, 1.0)
    before = a.copy(), b.copy()

    mix_overlap(a, b, SR, swap_bass=True)

    assert np.array_equal(a, before[0])
    assert np.array_equal(b, before[1])


def test_joining_two_versions_of_a_sound_keeps_its_level():
    t = np.arange(1200) / SR
    tone = np.sin(2 * np.pi * 1000 * t)[None].astype(np.float32)
    shifted = np.sin(2 * np.pi * 1000 * t + 1.0)[None].astype(np.float32)

    for other in (tone, shifted):
        joined = join_related(tone, other)
        power = np.convolve(joined[0] ** 2, np.full(48, 1 / 48), mode="valid")
        assert 10 * np.log10(power.min() / power.max()) > -1.0
