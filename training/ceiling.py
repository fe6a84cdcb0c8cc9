"""How well structure alone can name a chorus: what a network without ears for words could reach at best.

Billboard: a classifier that is told people's own boundaries and section letters, but not the sections' names.
POP909: one labeller's chorus scored against the other's.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

from training.billboard import Segment, is_chorus, load_segments
from training.evaluate import Row, scored
from training.metrics import score
from training.pop909 import chorus_masks
from training.songs import N_FOLDS, FloatArray, Song, interest_of_spans, points
from training.train import sounding

EARLY_LETTERS = 3  # the first few to appear are told apart
BEAT_S = 0.5  # POP909's labels are compared on a grid of beats, at 120 BPM
Spans = list[tuple[float, float]]


def told_the_structure(data: Path, songs: Sequence[Song]) -> Row:
    """Billboard songs by the chance that each letter is the chorus, learnt from other artists' songs."""
    segments = load_segments(data)
    letters = [_letters(segments[song.song_id]) for song in songs]
    facts = [_facts(spans, song.duration_s) for spans, song in zip(letters, songs, strict=True)]
    named = [
        [_is_chorus(segments[song.song_id], letter) for letter in spans]
        for spans, song in zip(letters, songs, strict=True)
    ]
    scores = []
    for fold in range(N_FOLDS):
        others = [i for i, song in enumerate(songs) if song.fold != fold]
        model = GradientBoostingClassifier(
            n_estimators=150, max_depth=3, subsample=0.7, learning_rate=0.05, random_state=0
        )
        model.fit(np.concatenate([facts[i] for i in others]), np.concatenate([named[i] for i in others]))
        for i in sorted(set(range(len(songs))) - set(others)):
            chances = model.predict_proba(facts[i])[:, 1]
            curve = _curve(songs[i], list(letters[i].values()), chances.tolist())
            scores.append(scored(songs[i], curve))
    return Row("Billboard, told boundaries and letters", scores)


def other_labeller(data: Path) -> Row:
    """POP909 songs in which both labellers' chorus can be inferred: the second's against the first's."""
    scores = []
    for reference, curve in chorus_masks(data):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], reference, [0]])))
        spans = [(float(a) * BEAT_S, float(b) * BEAT_S) for a, b in edges.reshape(-1, 2)]
        scores.append(score(curve, reference, spans, BEAT_S))
    return Row(f"POP909, the other labeller ({len(scores)} songs)", scores)


def _letters(segments: Sequence[Segment]) -> dict[str, Spans]:
    """Spans of each section letter, variants (A') with their letter; in order of appearance."""
    out: dict[str, Spans] = {}
    for start_s, end_s, _, letter in segments:
        if letter:
            out.setdefault(letter.rstrip("'"), []).append((start_s, end_s))
    return out


def _is_chorus(segments: Sequence[Segment], letter: str) -> bool:
    own = [(b - a, is_chorus(name)) for a, b, name, of in segments if of and of.rstrip("'") == letter]
    return sum(length for length, chorus in own if chorus) > 0.5 * sum(length for length, _ in own)


def _facts(letters: dict[str, Spans], duration_s: float) -> FloatArray:
    """What structure tells of each letter: how often, how long, when; and where it leads: (n_letters, n)."""
    total = {letter: sum(b - a for a, b in spans) for letter, spans in letters.items()}
    most_often = max(len(spans) for spans in letters.values())
    rows = []
    for rank, (letter, spans) in enumerate(letters.items()):
        starts = [a / duration_s for a, _ in spans]
        late_s = sum(max(0.0, b - max(a, duration_s * 2 / 3)) for a, b in spans)
        rows.append(
            [
                len(spans),
                len(spans) == most_often,
                total[letter] / duration_s,
                total[letter] == max(total.values()),
                total[letter] / len(spans),
                starts[0],
                starts[-1],
                starts[-1] == max(s[-1][0] for s in letters.values()) / duration_s,
                late_s / duration_s,
                float(np.std(np.diff(starts))) if len(starts) > 2 else 0.0,
                rank / len(letters),
                *(rank == k for k in range(EARLY_LETTERS)),
            ]
        )
    return np.array(rows, np.float32)


def _curve(song: Song, letters: Sequence[Spans], chances: Sequence[float]) -> FloatArray:
    frames = np.zeros(len(song.chroma), np.float32)
    for spans, chance in zip(letters, chances, strict=True):
        frames = np.maximum(frames, interest_of_spans(spans, len(frames), song.hop_s, chance))
    return points(frames[sounding(song)])
