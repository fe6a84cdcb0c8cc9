"""Gains of a fade between two tracks. Arrays are (n_channels, n_samples) float32; nothing is written into.

Equal power: cos and sin of the same angle, so that two unrelated sounds keep their level all the way. What is
related (two takes of one loop) would swell by up to 3 dB: their correlation along the fade is taken out.
"""

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from inference.datatypes import FloatArray

Array = npt.NDArray[np.float64]

BASS_HZ = 100.0
CORRELATION_BLOCK_S = 0.25
CHANCE_CORRELATION = 0.2  # what unrelated music reaches over a block or two


def equal_power(n_samples: int) -> tuple[FloatArray, FloatArray]:
    """Gains out and in, from exactly 1 and 0 to exactly 0 and 1: each (n_samples,)."""
    if n_samples < 2:
        return np.ones(n_samples, np.float32), np.zeros(n_samples, np.float32)
    fade_in = np.sin(np.linspace(0.0, np.pi / 2, n_samples))
    return fade_in[::-1].astype(np.float32), fade_in.astype(np.float32)


def bass_swap(n_samples: int) -> tuple[FloatArray, FloatArray]:
    """Gains of the bass, out and in: it changes hands during the middle half of the fade."""
    quarter = n_samples // 4
    bass_out, bass_in = equal_power(n_samples - 2 * quarter)
    return (
        np.concatenate((np.ones(quarter, np.float32), bass_out, np.zeros(quarter, np.float32))),
        np.concatenate((np.zeros(quarter, np.float32), bass_in, np.ones(quarter, np.float32))),
    )


def mix_overlap(leaving: FloatArray, entering: FloatArray, sr: int, *, swap_bass: bool) -> FloatArray:
    """The two sounds of a fade as one; both (n_channels, n_samples) of the same shape.

    With `swap_bass` a low shelf at `BASS_HZ` is traded in the middle half, and two bass lines never add up.
    """
    n_samples = leaving.shape[1]
    fade_out, fade_in = equal_power(n_samples)
    mixed = leaving * fade_out + entering * fade_in
    if swap_bass and n_samples > 0.5 * sr:
        bass_out, bass_in = bass_swap(n_samples)
        mixed += _bass(leaving, sr) * (bass_out - fade_out) + _bass(entering, sr) * (bass_in - fade_in)
    out: FloatArray = mixed * _unswell(leaving, entering, fade_out, fade_in, sr)
    return out


def join_related(before: FloatArray, after: FloatArray) -> FloatArray:
    """A short fade between two versions of one sound, constant in power however alike they are."""
    n_samples = before.shape[1]
    share = np.sin(np.linspace(0.0, np.pi / 2, max(n_samples, 1)))[:n_samples] ** 2
    norm = np.sqrt(float(np.vdot(before, before)) * float(np.vdot(after, after)))
    alike = float(np.clip(np.vdot(before, after) / norm, 0.0, 1.0)) if norm > 0 else 1.0
    level = np.sqrt((1 - share) ** 2 + share**2 + 2 * alike * share * (1 - share))
    return np.asarray(before * ((1 - share) / level) + after * (share / level), dtype=np.float32)


def _bass(y: FloatArray, sr: int) -> FloatArray:
    """What lies under `BASS_HZ`, without delay: y minus it is the rest."""
    sos = butter(2, BASS_HZ, "lowpass", fs=sr, output="sos")
    return np.asarray(sosfiltfilt(sos, y, axis=1, padlen=min(y.shape[1] - 1, sr // 10)), dtype=np.float32)


def _unswell(a: FloatArray, b: FloatArray, a_gain: FloatArray, b_gain: FloatArray, sr: int) -> FloatArray:
    """The gain (n_samples,) that keeps the power of two related sounds what it is for unrelated ones."""
    n_samples = a.shape[1]
    block = round(CORRELATION_BLOCK_S * sr)
    edges = np.arange(0, n_samples, block)
    if len(edges) < 2:
        return np.ones(n_samples, np.float32)
    both, aa, bb = (_smooth(np.add.reduceat((x * y).sum(axis=0), edges)) for x, y in ((a, b), (a, a), (b, b)))
    scale = np.sqrt(aa * bb)
    related = np.clip(both / np.maximum(scale, 1e-12), -0.5, 1.0)
    related = (
        np.sign(related) * np.maximum(np.abs(related) - CHANCE_CORRELATION, 0) / (1 - CHANCE_CORRELATION)
    )
    middles = np.minimum(edges + block / 2, n_samples - 1)
    at = np.arange(n_samples)
    a_power = a_gain**2 * np.interp(at, middles, aa)
    b_power = b_gain**2 * np.interp(at, middles, bb)
    wanted = a_power + b_power
    extra = 2 * np.sqrt(a_power * b_power) * np.interp(at, middles, related)
    return np.sqrt(wanted / np.maximum(wanted + extra, 1e-12) + 1e-12 * (wanted <= 0)).astype(np.float32)


def _smooth(blocks: Array) -> Array:
    return np.convolve(np.pad(blocks.astype(np.float64), 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
