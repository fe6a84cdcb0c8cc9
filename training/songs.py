"""A labelled song as the trainer sees it, whatever its labels came from, and how songs are split.

Arrays are time first at the features' hop; targets are per point of the network's output, in [0, 1].
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
N_FOLDS = 5
POINT_FRAMES = 4  # feature frames a point of the curve: 0.743 s


@dataclass(frozen=True, eq=False)
class Song:
    """`chroma` (n_frames, 24); `mel` (n_frames, n_mels) and `loudness_db` (n_frames,), None if unknown.

    `interest` (n_frames,): how much people want this moment, in [0, 1]. `spans`: the acceptable stretches in
    seconds (choruses). `artist` decides the fold, so that one artist's songs are never on both sides.
    """

    song_id: str
    source: str
    title: str
    artist: str
    hop_s: float
    chroma: FloatArray
    interest: FloatArray
    spans: tuple[tuple[float, float], ...]
    mel: FloatArray | None = None
    loudness_db: FloatArray | None = None

    @property
    def fold(self) -> int:
        return fold_of(self.artist)

    @property
    def duration_s(self) -> float:
        return len(self.chroma) * self.hop_s


def plain(text: str) -> str:
    """Lower case letters and digits of any script, without accents and guests: for comparing names."""
    text = re.split(r"\b(?:feat|featuring|with|and|&|f/)\b", text.lower())[0]
    text = unicodedata.normalize("NFKD", text)
    return re.sub(r"^the ", "", "".join(c for c in text if c.isalnum() or c == " ")).replace(" ", "")


def fold_of(artist: str) -> int:
    """0 .. N_FOLDS - 1, the same on every machine."""
    return int(hashlib.sha256(plain(artist).encode()).hexdigest(), 16) % N_FOLDS


def interest_of_spans(
    spans: Sequence[tuple[float, float]], n_frames: int, hop_s: float, value: float = 1.0
) -> FloatArray:
    """Share of each frame that lies inside a span, times `value`: (n_frames,)."""
    edges = np.arange(n_frames + 1) * hop_s
    out = np.zeros(n_frames, np.float32)
    for start_s, end_s in spans:
        inside = np.minimum(edges[1:], end_s) - np.maximum(edges[:-1], start_s)
        out += np.maximum(0, inside / hop_s).astype(np.float32)
    return np.minimum(out, 1) * np.float32(value)


def points(frames: FloatArray) -> FloatArray:
    """Mean over each `POINT_FRAMES` feature frames, the last group may be shorter; time stays first."""
    edges = np.arange(0, len(frames), POINT_FRAMES)
    counts = np.diff(np.append(edges, len(frames))).astype(np.float32)
    total = np.add.reduceat(frames, edges, axis=0)
    return (total / counts.reshape((-1,) + (1,) * (frames.ndim - 1))).astype(np.float32)
