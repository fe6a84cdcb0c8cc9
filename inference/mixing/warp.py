"""Stretching a track bar by bar onto a grid, and lining up what is on it.

Signalsmith Stretch takes a piece at one ratio; a tempo that glides is a ratio for each bar. Pieces meet in a
short fade just before the bar line, where the next beat's attack is still to come.
"""

import numpy as np
import numpy.typing as npt
import python_stretch
from scipy.ndimage import gaussian_filter1d

from inference.datatypes import FloatArray
from inference.mixing.crossfade import join_related

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

JOIN_S = 0.025
CONTEXT_S = 0.2  # of source on both sides of a piece, so that the stretcher has settled
SEED = 20  # the stretcher randomises phases; the same mix is the same file
ONSET_HOP_S = 0.004
MAX_SHIFT_S = 0.05  # beats are found to about 20 ms; a sixteenth at 180 BPM is 83 ms
MIN_AGREEMENT = 0.15  # correlation of the onsets, lined up, over its median at other shifts
MIN_GAIN = 0.08  # over that as they are: beats are mostly right already, and music syncopates


def warp(y: FloatArray, marks: Ints, grid: Ints, sr: int) -> FloatArray:
    """Source samples `marks` moved to output samples `grid` (from 0, ascending): (n_channels, grid[-1]).

    `y` may reach beyond the marks on both sides; where it does, the pieces have context there.
    """
    n_join = round(JOIN_S * sr)
    out = np.zeros((y.shape[0], int(grid[-1])), np.float32)
    for i in range(len(grid) - 1):
        start, end = int(grid[i]), int(grid[i + 1])
        lead = min(n_join, start)
        piece = _stretch_piece(y, int(marks[i]), int(marks[i + 1]), end - start, lead, sr)
        if lead:
            piece[:, :lead] = join_related(out[:, start - lead : start], piece[:, :lead])
        out[:, start - lead : end] = piece
    return out


def onsets(y: FloatArray, sr: int) -> Array:
    """Rise of the log spectrum every `ONSET_HOP_S`: finer in time than the analysis' envelope."""
    n_fft, hop = 1024, round(ONSET_HOP_S * sr)
    mono = np.pad(y.mean(axis=0), (n_fft // 2, n_fft // 2))
    frames = np.lib.stride_tricks.sliding_window_view(mono, n_fft)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(n_fft).astype(np.float32), axis=1)) ** 2
    # Bands of about a third of an octave: single bins of noise would drown the attacks.
    edges = np.unique(np.geomspace(1, power.shape[1], 28).astype(int))[:-1]
    bands = np.add.reduceat(power, edges, axis=1)
    level = np.log10(np.maximum(bands, 1e-6 * bands.max(initial=0.0) + 1e-12))
    rise = np.maximum(np.diff(level, axis=0, prepend=level[:1]), 0.0).sum(axis=1)
    return np.asarray(gaussian_filter1d(rise, 1.5))


def shift_to_match(leaving: FloatArray, entering: FloatArray, sr: int) -> float:
    """By how many seconds the entering sound's attacks are late against the leaving one's; or 0."""
    a, b = onsets(leaving, sr), onsets(entering, sr)
    reach = round(MAX_SHIFT_S / ONSET_HOP_S)
    if len(a) <= 8 * reach or not a.any() or not b.any():
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    wide = 3 * reach  # the mean over more than a shift shows what agreement chance gives
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    inner = slice(wide, len(a) - wide)
    agreement = np.array([float(a[inner] @ np.roll(b, -k)[inner]) for k in range(-wide, wide + 1)]) / norm
    near = agreement[wide - reach : wide + reach + 1]
    best = int(near.argmax())
    if best in (0, 2 * reach) or near[best] - near[reach] < MIN_GAIN:
        return 0.0
    if near[best] - float(np.median(agreement)) < MIN_AGREEMENT:
        return 0.0
    left, peak, right = near[best - 1 : best + 2]
    part = 0.5 * (left - right) / (left - 2 * peak + right)
    return float((best - reach + part) * ONSET_HOP_S)


def _stretch_piece(y: FloatArray, start: int, end: int, n_out: int, lead: int, sr: int) -> FloatArray:
    """Source [start, end) as `n_out` samples, with `lead` more before them: (n_channels, lead + n_out)."""
    ratio = (end - start) / n_out
    n_context = round(CONTEXT_S * sr) + lead
    before = min(start, round(n_context * ratio))
    source = y[:, start - before : end + round(CONTEXT_S * sr)]
    if abs(ratio - 1.0) < 1e-5:
        stretched, first = source, before
    else:
        stretcher = python_stretch.Signalsmith.Stretch(SEED)
        stretcher.preset(y.shape[0], sr)
        stretcher.setTimeFactor(ratio)
        stretched = np.asarray(stretcher.process(np.ascontiguousarray(source)), dtype=np.float32)
        first = round(before / ratio)
    piece = np.zeros((y.shape[0], lead + n_out), np.float32)
    got = stretched[:, max(first - lead, 0) : first + n_out]
    missing = max(lead - first, 0)
    piece[:, missing : missing + got.shape[1]] = got
    return piece
