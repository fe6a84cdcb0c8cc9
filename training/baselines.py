"""What a user could have instead of a network; each gives a start in seconds, or a curve.

Chroma is (n_frames, 24) at `hop_s`; only the loudest window needs more than chroma.
"""

import contextlib
import io
import warnings
from collections.abc import Sequence

import numpy as np

from training.metrics import WINDOW_S
from training.songs import FloatArray, Song, points

N_POSITIONS = 50
THUMBNAIL_HOP_S = 2.0
THUMBNAIL_S = (10.0, 40.0)
PYCHORUS_S = (30, 20, 15, 10)  # it finds nothing on many songs: ask for less until it does


def position_curve(songs: Sequence[Song]) -> FloatArray:
    """Mean interest by relative position over training songs: (N_POSITIONS,)."""
    grid = (np.arange(N_POSITIONS) + 0.5) / N_POSITIONS
    curves = [np.interp(grid, np.linspace(0, 1, len(s.interest)), s.interest) for s in songs]
    return np.mean(curves, axis=0).astype(np.float32)


def position_only(curve: FloatArray, n_points: int) -> FloatArray:
    """That curve stretched over a song."""
    at = (np.arange(n_points) + 0.5) / n_points * N_POSITIONS - 0.5
    return np.interp(at, np.arange(N_POSITIONS), curve).astype(np.float32)


def loudness_curve(song: Song) -> FloatArray | None:
    """Mean power of each point, None where the loudness is unknown."""
    if song.loudness_db is None:
        return None
    return points(np.asarray(10 ** (song.loudness_db / 10), np.float32))


def pychorus_start(song: Song) -> float | None:
    """pychorus 0.1 (V. Jayaram) on our treble chroma; None where it finds nothing at any length."""
    from pychorus.helpers import find_chorus

    chroma = np.ascontiguousarray(song.chroma[:, 12:].T).astype(np.float64)
    chroma = chroma / np.maximum(chroma.max(axis=0), 1e-9)
    for length_s in PYCHORUS_S:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = find_chorus(chroma, 22050, song.duration_s, length_s)
        if start is not None:
            return min(float(start), max(0.0, song.duration_s - WINDOW_S))
    return None


def thumbnail_start(song: Song) -> float:
    """Segment of 10-40 s with the best fitness (Müller, Jiang and Grosche, 2013; libfmp's implementation).

    At 2 s a frame, so that a song takes seconds; the window is centred on the segment.
    """
    import libfmp.c4

    step = round(THUMBNAIL_HOP_S / song.hop_s)
    n = len(song.chroma) // step
    x = song.chroma[: n * step].reshape(n, step, 24)[:, :, 12:].mean(1)
    x = np.concatenate(
        [x[max(0, k) : n + min(0, k)] if k == 0 else np.roll(x, -k, 0) for k in (0, 1, 2)], axis=1
    )
    x = x - x.mean(axis=0)
    x = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-6)
    similarity = np.maximum(x @ x.T, 0)
    threshold = np.quantile(similarity, 0.8)
    matrix = np.where(similarity > threshold, (similarity - threshold) / max(1e-6, 1 - threshold), -2.0)
    np.fill_diagonal(matrix, 1.0)
    best, found = -1.0, (0, n)
    for length in range(round(THUMBNAIL_S[0] / THUMBNAIL_HOP_S), round(THUMBNAIL_S[1] / THUMBNAIL_HOP_S) + 1):
        for start in range(n - length + 1):
            segment = np.ascontiguousarray(matrix[:, start : start + length])
            accumulated, score = libfmp.c4.compute_accumulated_score_matrix(segment)
            family = libfmp.c4.compute_optimal_path_family(accumulated)
            fitness = libfmp.c4.compute_fitness(family, score, n)[0]
            if fitness > best:
                best, found = fitness, (start, start + length)
    middle_s = (found[0] + found[1]) / 2 * step * song.hop_s
    return float(np.clip(middle_s - WINDOW_S / 2, 0, max(0.0, song.duration_s - WINDOW_S)))
