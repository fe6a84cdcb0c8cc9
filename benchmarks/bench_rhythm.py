"""How well tempo, beats, bars and key are found, against the annotations of POP909 (Wang et al., ISMIR 2020).

    python -m benchmarks.bench_rhythm POP909.tar.gz [--songs 24] [--soundfont FILE]

Each song is rendered twice with FluidSynth: as it is (piano), and with drums on the annotated beat grid.
Scores are mir_eval's: beat and downbeat F-measure (70 ms), tempo within 4 % (acc1) and also at 1/3, 1/2, 2,
3 times (acc2), the weighted key score. Reports the median time of the analysis too.
"""

import argparse
import json
import subprocess
import tarfile
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

import mir_eval
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from inference.config import FeatureConfig
from inference.datatypes import TrackFeatures
from inference.features import extract_features
from inference.key import estimate_key
from inference.rhythm import track_rhythm

Array = npt.NDArray[np.float64]

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
LABEL_TONICS = {
    "C": 0,
    "Db": 1,
    "D": 2,
    "Eb": 3,
    "E": 4,
    "F": 5,
    "Gb": 6,
    "G": 7,
    "Ab": 8,
    "A": 9,
    "Bb": 10,
    "B": 11,
}


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    beats_s: Array
    downbeats_s: Array
    beats_per_bar: int
    key: str | None  # as mir_eval writes it; None where the song modulates


def read_annotation(folder: Path) -> Annotation:
    """Column 1 marks bars of the simple metre (two or three beats), column 2 of the compound one (four or
    six).
    """
    rows = np.loadtxt(folder / "beat_midi.txt")
    simple, compound = np.flatnonzero(rows[:, 1]), np.flatnonzero(rows[:, 2])
    in_three = int(np.median(np.diff(simple))) == 3
    keys = [line.split()[2] for line in (folder / "key_audio.txt").read_text().splitlines() if line.strip()]
    key = None
    if len(keys) == 1:
        tonic, mode = keys[0].split(":")
        key = f"{tonic} {'minor' if mode == 'min' else 'major'}"
    bars = simple if in_three else compound
    return Annotation(rows[:, 0], rows[bars, 0], 3 if in_three else 4, key)


def render(midi: Path, soundfont: Path, sr: int, limit_s: float) -> npt.NDArray[np.float32]:
    """Mono samples of a MIDI file."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as out:
        command = ["fluidsynth", "-ni", "-g", "0.6", "-r", str(sr), "-F", out.name, str(soundfont), str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        with wave.open(out.name) as reader:
            frames = reader.readframes(min(reader.getnframes(), round(limit_s * sr)))
    return np.frombuffer(frames, np.int16).reshape(-1, 2).mean(axis=1).astype(np.float32) / 32768.0


def add_drums(y: npt.NDArray[np.float32], sr: int, truth: Annotation, rng: np.random.Generator) -> Array:
    """Kick on the odd beats of the bar, snare on the even, hats on the eighths."""
    t = np.arange(round(0.25 * sr)) / sr
    kick = 0.5 * np.sin(2 * np.pi * (50 * t + 6 * (1 - np.exp(-t * 40)))) * np.exp(-t * 14)
    snare = 0.2 * rng.standard_normal(len(t)) * np.exp(-t * 25)
    hat = 0.08 * np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-t * 70)
    out = y.astype(np.float64)
    first = int(np.searchsorted(truth.beats_s, truth.downbeats_s[0]))

    def strike(sound: Array, at_s: float) -> None:
        start = round(at_s * sr)
        if 0 <= start < len(out) - len(sound):
            out[start : start + len(sound)] += sound

    for i, beat in enumerate(truth.beats_s):
        phase = (i - first) % truth.beats_per_bar
        strike(kick if phase == 0 or (phase == 2 and truth.beats_per_bar == 4) else snare, beat)
        strike(hat, beat)
        if i + 1 < len(truth.beats_s):
            strike(hat, (beat + truth.beats_s[i + 1]) / 2)
    return out


def score(features: TrackFeatures, truth: Annotation) -> dict[str, float]:
    """Every measure of one rendering."""
    started = time.process_time()
    rhythm = track_rhythm(
        features.onset_envelope, features.onset_bass, features.onset_hop_s, features.chroma, features.hop_s
    )
    rhythm_s = time.process_time() - started
    key = estimate_key(features.chroma)
    inside = truth.beats_s[truth.beats_s < features.duration_s]
    bars = truth.downbeats_s[truth.downbeats_s < features.duration_s]
    tempo = 60.0 / float(np.median(np.diff(inside)))
    ratio = (rhythm.tempo_bpm or 0.0) / tempo
    beats, downbeats = np.array(rhythm.beats_s), np.array(rhythm.downbeats_s)
    trim = mir_eval.beat.trim_beats
    out = {
        "acc1": float(abs(ratio - 1) < 0.04),
        "acc2": float(any(abs(ratio / m - 1) < 0.04 for m in (1 / 3, 1 / 2, 1, 2, 3))),
        "beat_f": float(mir_eval.beat.f_measure(trim(inside), trim(beats))),
        "downbeat_f": float(mir_eval.beat.f_measure(trim(bars), trim(downbeats))),
        "metre": float(rhythm.beats_per_bar == truth.beats_per_bar),
        "offset_ms": _offset_ms(inside, beats),
        "rhythm_s": rhythm_s,
    }
    if truth.key is not None:
        found = key.name if key else "X"
        out["key_weighted"] = float(mir_eval.key.evaluate(truth.key, found)["Weighted Score"])
        out["key_exact"] = float(_same_key(found, truth.key))
    return out


def _same_key(found: str, label: str) -> bool:
    tonic, mode = label.split()
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    return found == f"{names[LABEL_TONICS[tonic]]} {mode}"


def _offset_ms(truth: Array, beats: Array) -> float:
    """Median signed distance of the found beats to the nearest annotated one; late is positive."""
    if len(beats) == 0:
        return float("nan")
    distance = beats[:, None] - truth[None, :]
    nearest = distance[np.arange(len(beats)), np.abs(distance).argmin(axis=1)]
    return float(np.median(nearest)) * 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--songs", type=int, default=24)
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT)
    parser.add_argument("--seconds", type=float, default=180.0, help="of each song")
    parser.add_argument("--cache", type=Path, help="keep the features here")
    args = parser.parse_args()
    sr = FeatureConfig().sr
    rows: dict[str, list[dict[str, float]]] = {"piano": [], "drums": []}
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(args.archive) as tar:
        tar.extractall(scratch, filter="data")
        folders = sorted(path for path in (Path(scratch) / "POP909").iterdir() if path.is_dir())
        for folder in tqdm(folders[:: max(len(folders) // args.songs, 1)][: args.songs], disable=None):
            truth = read_annotation(folder)
            kept = args.cache / f"{folder.name}.npz" if args.cache else None
            pair = _load(kept) if kept and kept.exists() else None
            if pair is None:
                y = render(folder / f"{folder.name}.mid", args.soundfont, sr, args.seconds)
                drummed = add_drums(y, sr, truth, np.random.default_rng(int(folder.name)))
                pair = {"piano": extract_features(y), "drums": extract_features(drummed)}
                if kept:
                    _save(kept, pair)
            for name, features in pair.items():
                rows[name].append(score(features, truth) | {"song": float(folder.name)})
    for name, scores in rows.items():
        fields = [field for field in scores[0] if field != "song"]
        means = {f: round(float(np.nanmean([s.get(f, np.nan) for s in scores])), 3) for f in fields}
        print(json.dumps({"render": name, "songs": len(scores), **means}))


def _save(path: Path, pair: dict[str, TrackFeatures]) -> None:
    fields = ("onset_envelope", "onset_bass", "chroma")
    arrays = {f"{name}_{field}": getattr(pair[name], field) for name in pair for field in fields}
    path.parent.mkdir(parents=True, exist_ok=True)
    some = pair["piano"]
    np.savez(path, meta=[some.hop_s, some.onset_hop_s, some.duration_s], **arrays)


def _load(path: Path) -> dict[str, TrackFeatures]:
    with np.load(path) as saved:
        hop_s, onset_hop_s, duration_s = saved["meta"].tolist()
        empty = np.zeros((0, 0), np.float32)
        return {
            name: TrackFeatures(
                mel=empty,
                chroma=saved[f"{name}_chroma"],
                loudness_db=empty,
                hop_s=hop_s,
                onset_envelope=saved[f"{name}_onset_envelope"],
                onset_bass=saved[f"{name}_onset_bass"],
                onset_hop_s=onset_hop_s,
                duration_s=duration_s,
            )
            for name in ("piano", "drums")
        }


if __name__ == "__main__":
    main()
