"""Every method on every song that it never saw, in one table with bootstrap intervals."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from training.baselines import loudness_curve, position_curve, position_only, pychorus_start, thumbnail_start
from training.calibration import FloatMatrix, predict, reliability
from training.folds import Recipe
from training.graph import Fusion, InterestGraph, clarity_facts, graph_inputs
from training.metrics import Scores, interval, score, score_pick
from training.songs import POINT_FRAMES, FloatArray, Song, interest_of_spans, points
from training.train import sounding

COLUMNS = ("auc", "f1", "share", "of_best", "iou", "hit")
TITLES = ("AUC", "F1", "chorus share", "of best", "IoU", "hit")
CHROMA_VARIANT = "repetition expert alone"
VARIANTS = {
    "model (all experts)": Fusion(1, 1, 1),
    CHROMA_VARIANT: Fusion(1, 0, 0),
    "spectral expert alone": Fusion(0, 1, 0),
    "model without loudness": Fusion(1, 1, 0),
    "model without spectral expert": Fusion(1, 0, 1),
}


@dataclass(frozen=True)
class Row:
    """A method's scores on a set of songs."""

    method: str
    scores: list[Scores]

    def cells(self) -> list[str]:
        out = []
        for name in COLUMNS:
            mean, low, high = interval([getattr(s, name) for s in self.scores])
            out.append("-" if np.isnan(mean) else f"{mean:.3f} ({low:.3f}-{high:.3f})")
        return out


def reference_of(song: Song) -> tuple[FloatArray, list[tuple[float, float]]]:
    """Share of chorus in each point and the spans, both counted from the first sound."""
    frames = sounding(song)
    reference = points(interest_of_spans(song.spans, len(song.chroma), song.hop_s)[frames])
    offset_s = frames.start * song.hop_s
    spans = [(max(0.0, a - offset_s), b - offset_s) for a, b in song.spans if b > offset_s]
    return reference, spans


@dataclass(frozen=True, eq=False)
class Judged:
    """What the networks say of a song: `voices` (n_points, 3) of the experts, `facts` for the confidence."""

    voices: FloatArray
    facts: FloatArray

    def curve(self, fusion: Fusion) -> FloatArray:
        weights = np.array([fusion.repetition, fusion.spectral, fusion.loudness], np.float32)
        return np.asarray(1 / (1 + np.exp(-(self.voices @ weights))), np.float32)


def judge(graph: InterestGraph, song: Song) -> Judged:
    """All that is needed of the networks, in one go: the slow part of an evaluation."""
    inputs = graph_inputs(song)
    with torch.no_grad():
        voices, similar = graph.voices(*inputs)
        facts = clarity_facts(graph.interest_of(voices), inputs[1], similar)
    return Judged(voices.numpy(), facts.numpy())


def curve_of(graph: InterestGraph, song: Song) -> FloatArray:
    """The graph's curve from the song's first to its last sound."""
    return judge(graph, song).curve(graph.fusion)


def scored(song: Song, curve: FloatArray) -> Scores:
    reference, spans = reference_of(song)
    return score(curve, reference, spans, song.hop_s * POINT_FRAMES)


def scored_start(song: Song, start_s: float | None) -> Scores:
    """Scores of a start counted from the first sound; a method that finds nothing gets the start, 0."""
    reference, spans = reference_of(song)
    return score_pick(start_s or 0.0, None, reference, spans, song.hop_s * POINT_FRAMES)


def compare(songs: Sequence[Song], judged: dict[str, Judged], recipe: Recipe, slow_songs: int) -> list[Row]:
    """All variants and baselines on `songs`; `judged` by song id, each by networks that never saw its fold.

    The slow baselines run on the first `slow_songs` songs only.
    """
    trimmed = [trimmed_song(song) for song in songs]
    has_mel = all(song.mel is not None for song in songs)
    rows = []
    for name, used in VARIANTS.items():
        if not has_mel and name != CHROMA_VARIANT:
            continue
        fusion = Fusion(
            used.repetition * recipe.fusion.repetition,
            used.spectral * recipe.fusion.spectral,
            used.loudness * recipe.fusion.loudness,
        )
        rows.append(Row(name, [scored(song, judged[song.song_id].curve(fusion)) for song in trimmed]))
    rows.append(Row("position only", _by_position(trimmed, recipe.folds)))
    if has_mel:
        loud = [scored(song, curve) for song in trimmed if (curve := loudness_curve(song)) is not None]
        rows.append(Row("loudest window", loud))
    rows.append(Row("start at 30 s", [scored_start(song, 30.0) for song in trimmed]))
    rows.append(Row("start at 40 %", [scored_start(song, 0.4 * song.duration_s) for song in trimmed]))
    slow: dict[str, Callable[[Song], float | None]] = {"pychorus": pychorus_start, "libfmp": thumbnail_start}
    for name, start_of in slow.items():
        some = trimmed[:slow_songs]
        label = f"{name} ({len(some)} songs)"
        rows.append(Row(label, [scored_start(song, start_of(song)) for song in some]))
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """The table as it stands in README.md."""
    lines = ["| method | " + " | ".join(TITLES) + " |", "|---" * (len(TITLES) + 1) + "|"]
    lines += [f"| {row.method} | " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [{"method": row.method, "scores": [asdict(s) for s in row.scores]} for row in rows]


def calibration_table(beta: FloatMatrix, facts: FloatMatrix, hits: FloatMatrix) -> str:
    """Of picks with about this confidence, so many were hits."""
    lines = ["| confidence | hits | songs |", "|---|---|---|"]
    for confidence, share, n in reliability(predict(beta, facts).tolist(), hits.tolist()):
        lines.append(f"| {confidence:.2f} | {share:.2f} | {n} |")
    return "\n".join(lines)


def trimmed_song(song: Song) -> Song:
    """The song from its first to its last sound, so that every method counts time alike."""
    frames = sounding(song)
    offset_s = frames.start * song.hop_s
    return replace(
        song,
        chroma=song.chroma[frames],
        interest=song.interest[frames],
        mel=None if song.mel is None else song.mel[frames],
        loudness_db=None if song.loudness_db is None else song.loudness_db[frames],
        spans=tuple((max(0.0, a - offset_s), b - offset_s) for a, b in song.spans if b > offset_s),
    )


def _by_position(songs: Sequence[Song], folds: Sequence[int]) -> list[Scores]:
    curves = {fold: position_curve([s for s in songs if s.fold != fold]) for fold in folds}
    return [scored(s, position_only(curves[s.fold], -(-len(s.chroma) // POINT_FRAMES))) for s in songs]
