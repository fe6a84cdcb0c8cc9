"""The last link: a limiter and a loudness meter that see the mix as a stream of blocks.

Blocks are (2, n_samples) float32 of any length; what comes out has the same samples in total, a little later.
"""

import math

import numpy as np
import pyloudnorm
import soxr
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import lfilter

from inference.datatypes import FloatArray

REACH_S = 0.01  # how far ahead of a peak the gain begins to fall
CONTEXT_S = 0.05  # more than reach, smoothing and the resampler's ringing together
OVERSAMPLING = 4  # ITU-R BS.1770-4, annex 2
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0


class Limiter:
    """Look-ahead limiter on true peaks. `dbtp`: the true peak of what has come out."""

    def __init__(self, sr: int, ceiling_dbtp: float) -> None:
        self._sr = sr
        # A tenth of a decibel below: smoothing the gain moves the peaks between the samples a little.
        self._ceiling = np.float32(10 ** ((ceiling_dbtp - 0.1) / 20))
        self._n_context = round(CONTEXT_S * sr)
        self._buffer: FloatArray = np.zeros((2, self._n_context), np.float32)
        self._peak = 0.0

    @property
    def dbtp(self) -> float:
        return 20 * math.log10(self._peak) if self._peak > 0 else -math.inf

    def push(self, block: FloatArray) -> FloatArray:
        self._buffer = np.concatenate((self._buffer, block), axis=1)
        return self._release(self._buffer.shape[1] - 2 * self._n_context)

    def finish(self) -> FloatArray:
        """What was held back."""
        self._buffer = np.pad(self._buffer, ((0, 0), (0, self._n_context)))
        return self._release(self._buffer.shape[1] - 2 * self._n_context)

    def _release(self, n_ready: int) -> FloatArray:
        """The next `n_ready` samples, limited; they lie behind the context on the left."""
        if n_ready <= 0:
            return np.zeros((2, 0), np.float32)
        inside = slice(self._n_context, self._n_context + n_ready)
        out = self._buffer[:, inside]
        if np.abs(self._buffer).max() > 0.5 * self._ceiling:  # true peaks are hardly ever 6 dB above samples
            peaks = self._true_peaks()
            gain = self._gain(peaks)[inside]
            out = out * gain
            self._peak = max(self._peak, float((peaks[inside] * gain).max()))
        else:
            self._peak = max(self._peak, float(np.abs(out).max()))
        self._buffer = self._buffer[:, n_ready:].copy()
        return out

    def _true_peaks(self) -> FloatArray:
        """Largest interpolated magnitude around each sample of the buffer, over both channels."""
        n_samples = self._buffer.shape[1]
        fine = soxr.resample(self._buffer.T, self._sr, self._sr * OVERSAMPLING, quality="MQ")
        envelope = np.zeros(n_samples * OVERSAMPLING, np.float32)
        envelope[: len(fine)] = np.abs(fine[: len(envelope)]).max(axis=1)
        between = envelope.reshape(-1, OVERSAMPLING).max(axis=1)
        return np.asarray(np.maximum(between, np.abs(self._buffer).max(axis=0)))

    def _gain(self, peaks: FloatArray) -> FloatArray:
        needed = np.minimum(np.float32(1.0), self._ceiling / np.maximum(peaks, np.float32(1e-9)))
        reach = max(1, round(REACH_S * self._sr))
        held = minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
        # Two running means make a triangle no wider than the hold: the gain is never above the needed one.
        smooth = uniform_filter1d(uniform_filter1d(held, reach, mode="nearest"), reach, mode="nearest")
        return np.asarray(np.minimum(smooth, needed))


class LoudnessMeter:
    """Integrated loudness (ITU-R BS.1770-4) of a stream: 400 ms blocks every 100 ms, two gates."""

    def __init__(self, sr: int) -> None:
        self._filters = [
            pyloudnorm.IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, sr, "high_shelf"),
            pyloudnorm.IIRfilter(0.0, 0.5, 38.0, sr, "high_pass"),
        ]
        self._states = [np.zeros((2, 2)) for _ in self._filters]
        self._n_step = round(0.1 * sr)
        self._rest = np.zeros((2, 0))
        self._powers: list[float] = []

    def push(self, block: FloatArray) -> None:
        y = block.astype(np.float64)
        for i, iir in enumerate(self._filters):
            y, self._states[i] = lfilter(iir.b, iir.a, y, axis=1, zi=self._states[i])
        y = np.concatenate((self._rest, y), axis=1)
        n_steps = y.shape[1] // self._n_step
        steps = y[:, : n_steps * self._n_step].reshape(2, n_steps, self._n_step)
        self._powers += (steps**2).mean(axis=2).sum(axis=0).tolist()
        self._rest = y[:, n_steps * self._n_step :]

    @property
    def lufs(self) -> float:
        """Of all blocks so far; `-inf` where everything lies under the gate."""
        powers = np.array(self._powers)
        if len(powers) < 4:
            return -math.inf
        blocks = np.convolve(powers, np.full(4, 0.25), mode="valid")
        loud = blocks[_lufs(blocks) > ABSOLUTE_GATE_LUFS]
        if len(loud) == 0:
            return -math.inf
        gate = float(_lufs(loud.mean())) + RELATIVE_GATE_LU
        return float(_lufs(loud[_lufs(loud) > gate].mean()))


def _lufs(power: np.ndarray) -> np.ndarray:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-20)))
