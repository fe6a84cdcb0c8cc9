"""Which beat begins the bar, and how many beats a bar has.

Evidence per beat: the bass strikes, the whole spectrum strikes, the harmony changes. A phase that is walked
through with rare slips (Viterbi) is chosen for bars of four and of three; four wins unless three is clearly
better.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Weights of a logistic regression on 44 rendered songs of POP909, rounded; all bands hardly help, since
# snares strike elsewhere, but they are all that a plain metronome has.
BASS_WEIGHT = 0.9
ONSET_WEIGHT = 0.15
BASS_NOTE_WEIGHT = 0.4
CHORD_WEIGHT = 0.15
SLIP_COST = 9.0  # of losing count once; in standard deviations of evidence
THREE_MARGIN = 0.1  # by how much three beats have to win, per beat: nine songs of ten have four


def find_downbeats(
    beats_s: Array, onsets: Array, onset_bass: Array, onset_hop_s: float, chroma: Array, hop_s: float
) -> tuple[npt.NDArray[np.int64], int]:
    """Indices into `beats_s` that begin a bar, and the beats per bar (3 or 4).

    `onsets`, `onset_bass` (n_onsets,); `chroma` (n_frames, 24). With fewer than eight beats the first
    counts as one.
    """
    n_beats = len(beats_s)
    if n_beats < 8:
        return np.arange(0, n_beats, 4), 4
    period_s = float(np.median(np.diff(beats_s)))
    bass_chroma, treble_chroma = chroma[:, :12], chroma[:, 12:]
    evidence = (
        BASS_WEIGHT * _standardise(_peak_near(onset_bass, beats_s, onset_hop_s))
        + ONSET_WEIGHT * _standardise(_peak_near(onsets, beats_s, onset_hop_s))
        + BASS_NOTE_WEIGHT * _note_change(beats_s, bass_chroma, hop_s, period_s)
        + BASS_NOTE_WEIGHT * _note_change(beats_s, bass_chroma, hop_s, 2 * period_s)
        + CHORD_WEIGHT * _note_change(beats_s, treble_chroma, hop_s, period_s)
    )
    phases4, score4 = _count_bars(evidence, 4)
    phases3, score3 = _count_bars(evidence, 3)
    if score3 > score4 + THREE_MARGIN:
        return np.flatnonzero(phases3 == 0), 3
    return np.flatnonzero(phases4 == 0), 4


def _standardise(values: Array) -> Array:
    """Zero mean, unit variance, outliers held at three deviations: one crash must not decide the bar."""
    spread = max(float(values.std()), 0.02)
    return np.asarray(np.clip((values - values.mean()) / spread, -3.0, 3.0))


def _peak_near(onsets: Array, beats_s: Array, hop_s: float) -> Array:
    """The strongest onset within two frames of each beat."""
    if len(onsets) == 0:
        return np.zeros(len(beats_s))
    frames = np.clip(
        np.round(beats_s / hop_s).astype(np.int64)[:, None] + np.arange(-2, 3), 0, len(onsets) - 1
    )
    return np.asarray(np.sqrt(onsets[frames].max(axis=1)))


def _note_change(beats_s: Array, chroma: Array, hop_s: float, span_s: float) -> Array:
    """Standardised cosine distance of the notes in `span_s` after each beat to those before it.

    `chroma` (n_frames, 12). It sees 0.37 s at once, so that over shorter spans a drum's pitch, smeared
    across the beat, looks like a change: those count for less.
    """
    if len(chroma) < 2:
        return np.zeros(len(beats_s))
    level = np.linalg.norm(chroma, axis=1, keepdims=True)
    shares = chroma / np.maximum(level, 1e-3 * level.max(initial=0.0) + 1e-12)
    total = np.concatenate((np.zeros((1, chroma.shape[1])), np.cumsum(shares, axis=0)))
    grid = np.arange(len(total)) * hop_s
    at_edges = [
        np.stack([np.interp(edges_s, grid, column) for column in total.T], axis=1)
        for edges_s in (beats_s - span_s, beats_s, beats_s + span_s)
    ]
    before, after = np.diff(at_edges, axis=0)
    norm = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    inside = (beats_s >= span_s) & (beats_s + span_s <= grid[-1]) & (norm > 1e-9)
    distance = np.where(inside, 1.0 - (before * after).sum(axis=1) / np.maximum(norm, 1e-9), 0.0)
    return float(np.clip((span_s - 0.3) / 0.2, 0.0, 1.0)) * _standardise(distance)


def _count_bars(evidence: Array, n: int) -> tuple[npt.NDArray[np.int64], float]:
    """Phase of each beat in bars of `n` (0 begins a bar), and the gain per beat over a random count."""
    emission = [1.0] + [-1.0 / (n - 1)] * (n - 1)
    # Plain numbers: for three or four of them an array's call costs more than its work.
    best = [float(evidence[0]) * weight for weight in emission]
    back: list[list[int]] = [[]]
    for strength in evidence[1:].tolist():
        leader = max(range(n), key=best.__getitem__)
        slipped = best[leader] - SLIP_COST
        # Phase p follows p - 1, or any other at a price.
        back.append([leader if slipped > best[p - 1] else (p - 1) % n for p in range(n)])
        best = [max(slipped, best[p - 1]) + strength * emission[p] for p in range(n)]
    path = np.empty(len(evidence), dtype=np.int64)
    path[-1] = max(range(n), key=best.__getitem__)
    for i in range(len(evidence) - 1, 0, -1):
        path[i - 1] = back[i][path[i]]
    # A bar of three has fewer weak beats: scale to the same variance under pure chance.
    return path, max(best) / len(evidence) / float(np.sqrt(np.mean(np.square(emission))))
