"""Whether the chroma that the product computes is the chroma that the networks learnt from.

Two proofs: the chroma of renders against the notes that were played, and the shape of its numbers beside the
shape of Billboard's.
"""

import zlib
from collections.abc import Sequence

import mido
import numpy as np

from training.arrange import DRUM_CHANNEL, TICKS_PER_S, arrange, random_style
from training.pop909 import Score
from training.songs import FloatArray, Song

MELODIC_FROM, BASS_BELOW = 40, 52  # MIDI notes that count for treble and for bass


def played_chroma(score: Score, take: int, n_frames: int, hop_s: float) -> FloatArray:
    """Velocity of the sounding notes by pitch class, A first: (n_frames, 24), bass then treble."""
    rng = np.random.default_rng([zlib.crc32(score.song_id.encode()), take])
    style = random_style(score, rng)
    out = np.zeros((n_frames, 24), np.float32)
    started: dict[tuple[int, int], tuple[float, int]] = {}
    tick = 0
    for message in mido.merge_tracks(arrange(score, style, rng).tracks):
        tick += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
            continue
        key = message.channel, message.note
        if message.type == "note_on" and message.velocity:
            started[key] = tick / TICKS_PER_S, message.velocity
        elif key in started:
            at_s, velocity = started.pop(key)
            frames = slice(int(at_s / hop_s), max(int(at_s / hop_s) + 1, int(tick / TICKS_PER_S / hop_s)))
            pitch_class = (message.note - 21) % 12
            if message.note < BASS_BELOW:
                out[frames, pitch_class] += velocity
            if message.note >= MELODIC_FROM:
                out[frames, 12 + pitch_class] += velocity
    return out


def agreement(a: FloatArray, b: FloatArray) -> float:
    """Mean cosine of two chroma, each with its mean over the song removed, over frames where both sound."""
    n = min(len(a), len(b))
    a, b = a[:n] - a[:n].mean(axis=0), b[:n] - b[:n].mean(axis=0)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1)[norms > 0] / norms[norms > 0]).mean())


def against_notes(scores: Sequence[Score], songs: Sequence[Song]) -> str:
    """One line: how well computed chroma follows the notes played, and notes of another song as a floor."""
    right, wrong = [], []
    by_id = {score.song_id: score for score in scores}
    played = []
    for song in songs:
        base, take, *_ = song.song_id.removeprefix("pop909-").split("-")
        notes = played_chroma(by_id[f"pop909-{base}"], int(take), len(song.chroma), song.hop_s)
        played.append(notes)
        right.append(agreement(song.chroma[:, 12:], notes[:, 12:]))
    for song, notes in zip(songs, [*played[1:], played[0]], strict=True):
        wrong.append(agreement(song.chroma[:, 12:], notes[:, 12:]))
    return (
        f"treble chroma of {len(right)} renders against the notes played: mean cosine {np.mean(right):.2f}"
        f" (notes of another song: {np.mean(wrong):.2f})"
    )


def shape(songs: Sequence[Song]) -> list[str]:
    """Statistics of chroma values as table cells: sums, quantiles, strongest classes, persistence."""
    chroma = np.concatenate([song.chroma for song in songs])
    cells = []
    for half in (chroma[:, :12], chroma[:, 12:]):
        total = half.sum(axis=1)
        sounding = half[total > 0.5]
        share = np.sort(sounding / sounding.sum(axis=1, keepdims=True), axis=1)[:, ::-1].mean(axis=0)
        unit = half / np.maximum(1e-6, np.linalg.norm(half, axis=1, keepdims=True))
        persistence = float((unit[5:] * unit[:-5]).sum(axis=1).mean())
        quantiles = np.quantile(half, [0.5, 0.9, 0.99])
        cells += [
            f"{np.median(total):.1f}",
            " / ".join(f"{q:.2f}" for q in quantiles),
            " / ".join(f"{s:.2f}" for s in share[:3]),
            f"{persistence:.2f}",
        ]
    return cells


def shapes(sources: dict[str, Sequence[Song]]) -> str:
    """Those statistics of several sources beside each other."""
    names = ["sum", "50 / 90 / 99 %", "strongest three", "likeness after 0.9 s"]
    header = [f"{half} {name}" for half in ("bass", "treble") for name in names]
    columns = {source: shape(songs) for source, songs in sources.items()}
    lines = ["| statistic | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row, name in enumerate(header):
        lines.append(f"| {name} | " + " | ".join(cells[row] for cells in columns.values()) + " |")
    return "\n".join(lines)
