"""Beat times by dynamic programming (Ellis, Beat Tracking by Dynamic Programming, JNMR 2007).

The same recursion as `librosa.beat.beat_track` (a test compares the two), written in blocks of half a beat:
no predecessor of a block lies inside it, so NumPy takes a block at once. librosa's own compiles with numba
on import, which costs every worker process four seconds and 100 MB. Frames are onset frames.
"""

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import savgol_filter

Array = npt.NDArray[np.float64]

TIGHTNESS = 100.0  # librosa's: how dearly a beat away from the tempo is paid
SMOOTHED_BEATS = 9
BASS_PULL = 0.5  # a kick between hats as loud as it is the beat
# A pulse is doubled where what sounds half-way between its beats is nearly as strong as the beats: four on
# the floor, bare clicks. The share asked for grows with the tempo; tuned on POP909, clicks and drum loops.
DOUBLING_SHARE = 0.78  # at DOUBLING_PERIOD_S
DOUBLING_SHARE_PER_OCTAVE = 0.1  # above that tempo
DOUBLING_SHARE_PER_OCTAVE_BELOW = 0.35  # nobody taps at 53
DOUBLING_PERIOD_S = 0.8  # 75 BPM
SLOW_PERIOD_S = 1.25  # 48 BPM
FASTEST_DOUBLED_S = 0.58  # 103 BPM


def track_beats(onsets: Array, frames_per_beat: Array) -> npt.NDArray[np.int64]:
    """Beat frames, ascending, for `onsets` (n_frames,) and the beat's length at each frame (n_frames,)."""
    if not onsets.any():
        return np.zeros(0, dtype=np.int64)
    score = _local_score(onsets / onsets.std(), frames_per_beat)
    backlink, total = _link(score, frames_per_beat)
    beats = [_last_beat(total)]
    while backlink[beats[-1]] >= 0:
        beats.append(int(backlink[beats[-1]]))
    return _trim(np.array(beats[::-1], dtype=np.int64), score)


def track_beats_in_octave(
    onsets: Array, onset_bass: Array, frames_per_beat: Array, hop_s: float
) -> tuple[npt.NDArray[np.int64], float]:
    """Beats at the octave of the tempo that listeners tap, and its factor (a power of two) to the given one.

    From the slow end: 48 to 95 BPM, doubled while the half-way points are as strong as the beats.
    """
    period_s = float(np.median(frames_per_beat)) * hop_s
    factor = 2.0 ** np.ceil(np.log2(period_s / SLOW_PERIOD_S))  # the slowest with a period up to 1.25 s
    while True:
        beats = track_beats(onsets + BASS_PULL * onset_bass, frames_per_beat / factor)
        octaves = float(np.log2(DOUBLING_PERIOD_S * factor / period_s))
        slope = DOUBLING_SHARE_PER_OCTAVE if octaves > 0 else DOUBLING_SHARE_PER_OCTAVE_BELOW
        share_asked = DOUBLING_SHARE + slope * octaves
        if period_s / factor < FASTEST_DOUBLED_S or _offbeat_share(beats, onsets, onset_bass) < share_asked:
            return beats, float(factor)
        factor *= 2.0


def _offbeat_share(beats: npt.NDArray[np.int64], onsets: Array, onset_bass: Array) -> float:
    """Onset strength half-way between the beats as a share of that on them: all bands or bass, the larger."""
    if len(beats) < 2:
        return 0.0
    halfway = (beats[1:] + beats[:-1]) // 2
    shares = [
        _mean_peak(envelope, halfway) / max(_mean_peak(envelope, beats), 1e-9)
        for envelope in (onsets, onset_bass)
    ]
    return max(min(share, 1.0 / max(share, 1e-9)) for share in shares)


def _mean_peak(onsets: Array, frames: npt.NDArray[np.int64]) -> float:
    around = np.clip(frames[:, None] + np.arange(-2, 3), 0, len(onsets) - 1)
    return float(onsets[around].max(axis=1).mean())


def refine_beats(beats: npt.NDArray[np.int64], onsets: Array, hop_s: float) -> Array:
    """Beat times in seconds, finer than a frame: each onset's peak, then a straight line through nine."""
    if len(beats) == 0:
        return np.zeros(0)
    inner = np.clip(beats, 1, len(onsets) - 2)
    around = onsets[inner[:, None] + np.arange(-1, 2)]
    curvature = around[:, 0] - 2 * around[:, 1] + around[:, 2]
    is_peak = (curvature < 0) & (around[:, 1] >= around[:, 0]) & (around[:, 1] >= around[:, 2])
    shift = np.where(is_peak, 0.5 * (around[:, 0] - around[:, 2]) / np.where(is_peak, curvature, 1.0), 0.0)
    times = (inner + np.clip(shift, -0.5, 0.5)) * hop_s
    if len(times) < SMOOTHED_BEATS:
        return np.asarray(times)
    return np.maximum.accumulate(np.maximum(savgol_filter(times, SMOOTHED_BEATS, 1), 0.0))


def _local_score(onsets: Array, frames_per_beat: Array) -> Array:
    """Onsets smoothed by a Gaussian of 1/32 beat, as Ellis does."""
    sigma = float(np.median(frames_per_beat)) / 32.0
    half = max(int(4 * sigma), 1)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    return np.convolve(onsets, kernel, mode="same")


def _link(score: Array, frames_per_beat: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Best predecessor of each frame (-1: none) and the score of the best chain that ends there."""
    n_frames = len(score)
    total = score.copy()
    backlink = np.full(n_frames, -1, dtype=np.int64)
    started = int(np.argmax(score >= 0.01 * score.max()))
    farthest = max(round(2 * float(frames_per_beat.max())), 2)
    # Before the first frame there is nothing to follow.
    padded = np.concatenate((np.full(farthest, -np.inf), total))
    total = padded[farthest:]
    period, start = 0.0, 0
    while start < n_frames:
        if period != float(frames_per_beat[start]):
            period = float(frames_per_beat[start])
            near, far = max(round(period / 2), 1), max(round(2 * period), 2)
            cost = TIGHTNESS * np.log(np.arange(near, far + 1) / period) ** 2
            # Row i is what lies `near` to `far` frames before frame i - (farthest - far), the nearest first.
            before = sliding_window_view(padded, far - near + 1)[:, ::-1]
        end = min(start + near, n_frames)
        frames = np.arange(start, end)
        reach = before[start + farthest - far : end + farthest - far] - cost
        best = reach.argmax(axis=1)
        value = reach[frames - start, best]
        linked = np.isfinite(value)
        total[start:end] += np.where(linked, value, 0.0)
        backlink[start:end] = np.where(linked & (frames >= started), frames - near - best, -1)
        start = end
    return backlink, total


def _last_beat(total: Array) -> int:
    """The last frame whose chain is a local maximum and at least half of the median of those."""
    inner = total[1:-1]
    peaks = np.flatnonzero((inner > total[:-2]) & (inner >= total[2:])) + 1
    if len(peaks) == 0:
        return int(total.argmax())
    good = peaks[total[peaks] * 2 > np.median(total[peaks])]
    return int(good[-1])


def _trim(beats: npt.NDArray[np.int64], score: Array) -> npt.NDArray[np.int64]:
    """Leave out weak beats at both ends: under half the RMS of the beats' own scores."""
    smooth = np.convolve(score[beats], np.hanning(5), mode="same")
    strong = np.flatnonzero(smooth > 0.5 * np.sqrt(np.mean(smooth**2)))
    return beats[strong[0] : strong[-1] + 1] if len(strong) else beats
