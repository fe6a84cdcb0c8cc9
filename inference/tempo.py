"""How fast a track pulses, moment by moment, and whether it pulses at all.

The local autocorrelation of the onset envelope (a tempogram; Grosche, Müller, Kurth, ICASSP 2010) is scored
by a comb over four beat lags; a Viterbi path through the scores follows drift and lets a tempo jump where
the music does. Tempi are in BPM, lags in onset frames; local scores are (n_windows, n_tempi), one window
every `WINDOW_S / 4`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

Array = npt.NDArray[np.float64]

TEMPI_BPM: Array = 50.0 * 1.01 ** np.arange(148.0)  # 50..216 in steps of 1 %
WINDOW_S = 16.0
N_COMB = 4  # beats that have to agree
PRIOR_BPM = 115.0  # where tapping prefers the octave (Moelants 2002: about 120); tuned on annotated songs
PRIOR_WIDTH_OCTAVES = 0.9
PRIOR_WEIGHT = 0.12
OFF_BEAT_WEIGHT = 0.25  # what repeats between the beats speaks for a faster pulse
STEP_COST = 0.04  # of a path's change by 1 %
JUMP_COST = 0.6  # of any change of tempo
MIN_RISE_DB = 0.15  # the strongest one per cent of onsets; the ripple of a drone stays under 0.06
STEADY_SCORE = 0.18  # noise and speech reach 0.12, rubato phrases 0.16; the songs of POP909 0.34 and more
STEADY_SHARE = 0.5  # of the windows with sound


@dataclass(frozen=True, slots=True, eq=False)
class TempoPath:
    """Tempo per window: `bpm`, `clarity` (autocorrelation at the beat, 0 where silent), `centres_s`."""

    bpm: Array
    clarity: Array
    centres_s: Array

    @property
    def steady_bpm(self) -> float | None:
        """The tempo that holds the most of the track; None where no steady pulse is."""
        sounding = self.clarity != 0.0
        if not sounding.any():
            return None
        steady = self.clarity > STEADY_SCORE
        if steady.sum() < STEADY_SHARE * sounding.sum():
            return None
        weights = np.where(steady, self.clarity, 0.0)
        order = np.argsort(self.bpm)
        cumulative = np.cumsum(weights[order])
        median = float(self.bpm[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
        near = np.abs(np.log(self.bpm / median)) < 0.04
        if weights[near].sum() < STEADY_SHARE * weights.sum():
            return None
        return float(np.average(self.bpm[near], weights=weights[near] + 1e-9))


def sharpen_onsets(onset_envelope: npt.ArrayLike, hop_s: float) -> Array:
    """Leave what stands above its surroundings, on a scale that a quiet passage shares with a loud one."""
    env = np.nan_to_num(np.asarray(onset_envelope, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    env = np.maximum(env, 0.0)
    if len(env) == 0 or np.percentile(env, 99) < MIN_RISE_DB:
        return np.zeros_like(env)
    env = np.maximum(env - _moving_mean(env, round(0.8 / hop_s)), 0.0)
    spread = np.sqrt(_moving_mean(env**2, round(8.0 / hop_s)))
    return np.asarray(env / np.maximum(spread, 0.05 * spread.max() + 1e-12))


def track_tempo(onsets: Array, hop_s: float) -> TempoPath:
    """Follow the tempo of sharpened `onsets` (n_frames,) at `hop_s`."""
    n_window = min(round(WINDOW_S / hop_s), len(onsets))
    step = max(n_window // 4, 1)
    starts = np.arange(0, len(onsets) - n_window + 1, step)
    centres_s = np.asarray((starts + n_window / 2) * hop_s, dtype=np.float64)
    # Peaks wider than a frame survive the sampling of lags between frames.
    correlation = _local_autocorrelation(gaussian_filter1d(onsets, 1.0), starts, n_window)
    scores, clarity = _comb_scores(correlation, hop_s)
    path = _best_path(scores)
    path_clarity = clarity[np.arange(len(path)), path]
    return TempoPath(_one_octave(TEMPI_BPM[path], path_clarity), path_clarity, centres_s)


def _moving_mean(y: Array, width: int) -> Array:
    """Mean over `width` frames around each, over fewer at the ends."""
    half = max(width // 2, 1)
    total = np.concatenate(([0.0], np.cumsum(y)))
    i = np.arange(len(y))
    lo, hi = np.maximum(i - half, 0), np.minimum(i + half + 1, len(y))
    return np.asarray((total[hi] - total[lo]) / (hi - lo))


def _local_autocorrelation(onsets: Array, starts: npt.NDArray[np.int64], n_window: int) -> Array:
    """Unbiased autocorrelation per window, 1 at lag 0: (n_windows, n_window // 2); zeros where silent."""
    n_fft = 1 << (2 * n_window - 1).bit_length()
    n_lags = max(n_window // 2, 2)
    out = np.zeros((len(starts), n_lags))
    for block in range(0, len(starts), 64):  # bounds the memory of a three-hour track
        rows = onsets[starts[block : block + 64, None] + np.arange(n_window)]
        rows = rows - rows.mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(rows, n_fft)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2, n_fft)[:, :n_lags]
        correlation *= n_window / (n_window - np.arange(n_lags))
        energy = correlation[:, :1]
        out[block : block + 64] = np.where(energy > 1e-9, correlation / np.maximum(energy, 1e-9), 0.0)
    return out


def _comb_scores(correlation: Array, hop_s: float) -> tuple[Array, Array]:
    """Score each tempo in each window; also its clarity: the mean autocorrelation at its beat lags."""
    lags = 60.0 / TEMPI_BPM / hop_s
    n_comb = max(min(N_COMB, int((correlation.shape[1] - 2) / lags.max())), 1)
    steps = range(1, n_comb + 1)
    on_beat = _mean_at(correlation, [k * lags for k in steps])
    between = _mean_at(correlation, [(k - 1 / 2) * lags for k in steps])
    for n in (3, 5):
        parts = [(k - i / n) * lags for k in steps for i in range(1, n)]
        np.maximum(between, _mean_at(correlation, parts), out=between)
    prior = -0.5 * (np.log2(TEMPI_BPM / PRIOR_BPM) / PRIOR_WIDTH_OCTAVES) ** 2
    return on_beat - OFF_BEAT_WEIGHT * between + PRIOR_WEIGHT * prior, on_beat


def _one_octave(bpm: Array, clarity: Array) -> Array:
    """The path with 70 and 140 read as one pulse: the octave of its clearest stretch."""
    centre = bpm[np.argmax(gaussian_filter1d(clarity, 4.0))]
    return np.asarray(bpm / 2.0 ** np.round(np.log2(bpm / centre)))


def _mean_at(correlation: Array, lags: list[Array]) -> Array:
    """Mean autocorrelation over several sets of lags, summed one by one to spare a long track's memory."""
    total = _at_lag(correlation, lags[0])
    for others in lags[1:]:
        total += _at_lag(correlation, others)
    return total / len(lags)


def _at_lag(correlation: Array, lags: Array) -> Array:
    """Autocorrelation at fractional `lags` (linear between frames): (n_windows, n_lags)."""
    lags = np.minimum(lags, correlation.shape[1] - 1.001)
    low = lags.astype(np.int64)
    part = lags - low
    return np.asarray(correlation[:, low] * (1 - part) + correlation[:, low + 1] * part)


def _best_path(scores: Array) -> npt.NDArray[np.int64]:
    """Viterbi over windows: the tempo index of each."""
    n_windows, n_tempi = scores.shape
    distance = np.abs(np.arange(n_tempi)[:, None] - np.arange(n_tempi)[None, :])
    cost = np.minimum(STEP_COST * distance, JUMP_COST)
    best = scores[0]
    back = np.zeros((n_windows, n_tempi), dtype=np.int64)
    for i in range(1, n_windows):
        reach = best[:, None] - cost
        back[i] = reach.argmax(axis=0)
        best = reach[back[i], np.arange(n_tempi)] + scores[i]
    path = np.empty(n_windows, dtype=np.int64)
    path[-1] = best.argmax()
    for i in range(n_windows - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path
