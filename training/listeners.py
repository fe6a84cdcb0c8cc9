"""Labels from listeners: thumbs and corrected windows, exported by the bot as JSON lines (see README.md).

Several listeners may judge one track; their votes become one interest value per frame, as other labels have.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.config import FeatureConfig
from training.billboard import merged
from training.songs import FloatArray, Song, interest_of_spans

SCHEMA = 1
PRIOR_INTEREST = 0.3  # of a moment that nobody judged: about the share of chorus in pop
PRIOR_VOTES = 1.0
CORRECTION_VOTES = 2.0  # who moves a window says more than who presses a thumb


class LabelError(ValueError):
    """A line of a label file cannot be used; the message names file and line."""


@dataclass(frozen=True)
class ListenerLabel:
    """One listener's verdict on one window. `rating`: 1 liked, -1 disliked, 0 only corrected.

    `corrected`: the span they moved the window to. `features`: file with the track's features, None when they
    were not kept: such a label serves to calibrate, not to train.
    """

    track_id: str
    title: str
    performer: str
    duration_s: float
    model_version: str
    window: tuple[float, float]
    confidence: float | None
    rating: int
    corrected: tuple[float, float] | None
    features: Path | None


def read_labels(path: Path) -> list[ListenerLabel]:
    """All labels of a JSON lines file. Raises LabelError, naming the line, on the first that is wrong."""
    labels = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                labels.append(_label(json.loads(line), path.parent))
            except (KeyError, TypeError, ValueError) as exc:
                raise LabelError(f"{path}:{number}: {exc}") from exc
    return labels


def load_listeners(path: Path) -> list[Song]:
    """Songs with features and at least one liked or corrected window, as the other loaders give them."""
    by_track: dict[str, list[ListenerLabel]] = defaultdict(list)
    for label in read_labels(path):
        by_track[label.track_id].append(label)
    songs = []
    for track_id, labels in sorted(by_track.items()):
        features = next((label.features for label in labels if label.features), None)
        spans = merged([span for label in labels if (span := wanted_span(label))])
        if features is None or not spans:
            continue
        with np.load(features) as archive:
            mel, chroma, loudness_db = (
                archive[k].astype(np.float32) for k in ("mel", "chroma", "loudness_db")
            )
        songs.append(
            Song(
                song_id=f"listeners-{track_id}",
                source="listeners",
                title=labels[0].title,
                artist=labels[0].performer or track_id,
                hop_s=FeatureConfig().hop_s,
                chroma=chroma,
                interest=interest_of_votes(labels, len(chroma), FeatureConfig().hop_s),
                spans=tuple(spans),
                mel=mel,
                loudness_db=loudness_db,
            )
        )
    return songs


def wanted_span(label: ListenerLabel) -> tuple[float, float] | None:
    """What this listener would have liked to hear, as far as they told."""
    if label.corrected is not None:
        return label.corrected
    return label.window if label.rating > 0 else None


def interest_of_votes(labels: Sequence[ListenerLabel], n_frames: int, hop_s: float) -> FloatArray:
    """Share of votes for each frame (n_frames,), drawn to `PRIOR_INTEREST` where few have voted."""
    votes = np.full(n_frames, PRIOR_VOTES, np.float32)
    votes_for = np.full(n_frames, PRIOR_VOTES * PRIOR_INTEREST, np.float32)
    for label in labels:
        judged = interest_of_spans([label.window], n_frames, hop_s)
        if label.rating:
            votes += judged
            votes_for += judged * (label.rating > 0)
        if label.corrected is not None:
            corrected = interest_of_spans([label.corrected], n_frames, hop_s) * np.float32(CORRECTION_VOTES)
            votes += corrected
            votes_for += corrected
    return votes_for / votes


def _label(row: dict[str, Any], folder: Path) -> ListenerLabel:
    if row["schema"] != SCHEMA:
        raise ValueError(f"schema {row['schema']!r} is not {SCHEMA}")
    duration_s = float(row["duration_s"])
    rating = int(row["rating"])
    if rating not in (-1, 0, 1):
        raise ValueError(f"rating {rating} is not -1, 0 or 1")
    corrected = row.get("corrected")
    if rating == 0 and corrected is None:
        raise ValueError("neither a rating nor a correction")
    confidence = row.get("confidence")
    features = row.get("features")
    return ListenerLabel(
        track_id=str(row["track_id"]),
        title=str(row.get("title") or ""),
        performer=str(row.get("performer") or ""),
        duration_s=duration_s,
        model_version=str(row["model_version"]),
        window=_span(row["window"], duration_s),
        confidence=None if confidence is None else float(confidence),
        rating=rating,
        corrected=None if corrected is None else _span(corrected, duration_s),
        features=folder / str(features) if features else None,
    )


def _span(value: dict[str, float], duration_s: float) -> tuple[float, float]:
    start_s, end_s = float(value["start_s"]), float(value["end_s"])
    if not 0 <= start_s < end_s <= duration_s + 1:
        raise ValueError(f"span {start_s}..{end_s} is not inside the track of {duration_s} s")
    return start_s, end_s
