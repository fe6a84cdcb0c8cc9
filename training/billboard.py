"""McGill Billboard 2.0: 890 real recordings as chroma, with sections named by trained musicians.

Burgoyne, Wild and Fujinaga, ISMIR 2011. A folder `billboard/` with `labels.json` (id -> title, artist, hop_s,
segments [start_s, end_s, function, letter]) and `chroma_*.npz` (id -> (n_frames, 24) float16, A first).
"""

import json
from pathlib import Path

import numpy as np

from training.songs import FloatArray, Song, interest_of_spans, plain

CHORUS = ("chorus", "refrain")
# People start to lean in before the chorus does; a fade-out over the chorus is still the chorus, only weaker.
PRE_CHORUS_INTEREST = 0.25
OUTRO_CHORUS_INTEREST = 0.5
Segment = tuple[float, float, str | None, str | None]  # start and end in seconds, function, letter
SHARES = (0.05, 0.75)  # a chorus everywhere, or a stray one, says nothing about where to cut


def is_chorus(function: str | None) -> bool:
    return bool(function) and str(function).startswith(CHORUS)


def load_segments(data: Path) -> dict[str, list[Segment]]:
    """Song id -> its labelled segments, songs without a chorus and repeated ones included."""
    labels = json.loads((data / "billboard" / "labels.json").read_text(encoding="utf-8"))
    return {
        f"billboard-{song_id}": [
            (float(a), float(b), name, letter) for a, b, name, letter in entry["segments"]
        ]
        for song_id, entry in labels.items()
    }


def load_billboard(data: Path) -> list[Song]:
    """Songs with a chorus, each once: later chart entries of one title and artist are left out."""
    folder = data / "billboard"
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    chroma: dict[str, FloatArray] = {}
    for path in sorted(folder.glob("chroma_*.npz")):
        with np.load(path) as archive:
            chroma.update({song_id: archive[song_id].astype(np.float32) for song_id in archive.files})
    all_segments = load_segments(data)
    songs, seen = [], set()
    for song_id, entry in sorted(labels.items()):
        name = plain(entry["title"]), plain(entry["artist"])
        frames = chroma[song_id]
        hop_s, n_frames = float(entry["hop_s"]), len(frames)
        segments = all_segments[f"billboard-{song_id}"]
        spans = merged([(a, b) for a, b, function, _ in segments if is_chorus(function)])
        share = sum(b - a for a, b in spans) / (n_frames * hop_s)
        if name in seen or not SHARES[0] <= share <= SHARES[1]:
            continue
        seen.add(name)
        songs.append(
            Song(
                song_id=f"billboard-{song_id}",
                source="billboard",
                title=entry["title"],
                artist=entry["artist"],
                hop_s=hop_s,
                chroma=frames,
                interest=_interest(segments, n_frames, hop_s),
                spans=tuple(spans),
            )
        )
    return songs


def merged(spans: list[tuple[float, float]], gap_s: float = 0.5) -> list[tuple[float, float]]:
    """Neighbouring spans joined where less than `gap_s` lies between them."""
    out: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if out and start_s - out[-1][1] < gap_s:
            out[-1] = (out[-1][0], max(end_s, out[-1][1]))
        else:
            out.append((start_s, end_s))
    return out


def _interest(segments: list[Segment], n_frames: int, hop_s: float) -> FloatArray:
    letters = {letter for _, _, function, letter in segments if is_chorus(function) and letter}
    out = np.zeros(n_frames, np.float32)
    for start_s, end_s, function, letter in segments:
        name = function or ""
        if is_chorus(name):
            value = 1.0
        elif name.startswith(("pre-chorus", "prechorus", "pre chorus")):
            value = PRE_CHORUS_INTEREST
        elif name in ("outro", "fadeout", "coda") and letter in letters:
            value = OUTRO_CHORUS_INTEREST
        else:
            continue
        out = np.maximum(out, interest_of_spans([(start_s, end_s)], n_frames, hop_s, value))
    return out
