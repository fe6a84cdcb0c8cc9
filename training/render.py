"""POP909 scores -> audio by FluidSynth -> the product's own features, cached.

Soundfonts and renderer come from Debian (`apt-get install fluidsynth fluid-soundfont-gm timgm6mb-soundfont`).
"""

import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import butter, sosfilt

from inference.config import FeatureConfig
from inference.features import extract_features
from training.arrange import Style, arrange, random_style
from training.codec import through_mp3
from training.pop909 import Score
from training.songs import FloatArray, Song, interest_of_spans

SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/soundfonts"))
SOUNDFONTS = ("FluidR3_GM.sf2", "TimGM6mb.sf2")
PHONE_HZ = (300.0, 3400.0)
MP3_BIT_RATE = 64_000
RENDER_TIMEOUT_S = 120


def soundfonts() -> list[Path]:
    """Those that are installed. Raises RuntimeError, saying what to install, when something is missing."""
    found = [folder / name for name in SOUNDFONTS for folder in SOUNDFONT_FOLDERS if (folder / name).exists()]
    if not found or shutil.which("fluidsynth") is None:
        raise RuntimeError(
            "FluidSynth is needed: apt-get install fluidsynth fluid-soundfont-gm timgm6mb-soundfont"
        )
    return found


def rendered(score: Score, take: int, cache: Path) -> Song:
    """Take number `take` of a score: random arrangement, soundfont and damage, the same on every run."""
    path = cache / f"{score.song_id}-{take}.npz"
    rng = np.random.default_rng([zlib.crc32(score.song_id.encode()), take])
    style = random_style(score, rng)
    if not path.exists():
        features = extract_features(_audio(score, style, rng))
        part = path.with_suffix(".part.npz")
        np.savez(
            part,
            mel=features.mel.astype(np.float16),
            chroma=features.chroma.astype(np.float16),
            loudness_db=features.loudness_db.astype(np.float16),
        )
        part.rename(path)
    with np.load(path) as archive:
        mel, chroma, loudness_db = (archive[k].astype(np.float32) for k in ("mel", "chroma", "loudness_db"))
    hop_s = FeatureConfig().hop_s
    spans = tuple(chorus_spans(score))
    return Song(
        song_id=f"{score.song_id}-{take}-{style.kind}-{style.emphasis}",
        source="pop909",
        title=score.title,
        artist=score.artist,
        hop_s=hop_s,
        chroma=chroma,
        interest=interest_of_spans(spans, len(chroma), hop_s),
        spans=spans,
        mel=mel,
        loudness_db=loudness_db,
    )


def chorus_spans(score: Score) -> list[tuple[float, float]]:
    """Chorus phrases in seconds, neighbours joined."""
    beats = np.arange(len(score.beat_times_s))
    out: list[tuple[float, float]] = []
    for phrase in score.phrases:
        if phrase.letter != score.chorus:
            continue
        start_s, end_s = (float(np.interp(b, beats, score.beat_times_s)) for b in (phrase.start, phrase.end))
        if out and start_s - out[-1][1] < 0.1:
            out[-1] = (out[-1][0], end_s)
        else:
            out.append((start_s, end_s))
    return out


def _audio(score: Score, style: Style, rng: np.random.Generator) -> FloatArray:
    """Mono samples at the features' rate, sometimes driven, tilted, band-limited or coded."""
    sr = FeatureConfig().sr
    soundfont = rng.choice([str(path) for path in soundfonts()])
    effects = ["-R", str(int(rng.integers(2))), "-C", str(int(rng.integers(2)))]
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "song.mid", Path(folder) / "song.wav"
        arrange(score, style, rng).save(midi)
        command = ["fluidsynth", "-ni", "-q", *effects, "-r", str(sr), "-g", "0.5", "-O", "s16", "-T", "wav"]
        subprocess.run(
            [*command, "-F", str(wav), soundfont, str(midi)],
            check=True,
            timeout=RENDER_TIMEOUT_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, samples = wavfile.read(wav)
    y = samples.astype(np.float32).mean(axis=1) / 32768
    return damaged(y, sr, rng)


def damaged(y: FloatArray, sr: int, rng: np.random.Generator) -> FloatArray:
    """What happens to recordings: mastering, tone controls, noise, phones, small mp3 files. (n,) at `sr`."""
    y = y / max(1e-6, float(np.abs(y).max()))
    if rng.random() < 0.5:  # mastering that flattens the level
        drive = float(rng.uniform(1, 6))
        y = np.tanh(drive * y) / np.tanh(drive)
    if rng.random() < 0.5:
        low = sosfilt(butter(1, 800, fs=sr, output="sos"), y)
        y = y + float(rng.uniform(-0.6, 1.0)) * low
    if rng.random() < 0.2:
        y = y + rng.standard_normal(len(y)) * 10 ** rng.uniform(-3.5, -2)
    damage = rng.random()
    if damage < 0.06:
        y = sosfilt(butter(4, PHONE_HZ, "bandpass", fs=sr, output="sos"), y)
    elif damage < 0.14:
        y = through_mp3(np.asarray(y, np.float32), sr, MP3_BIT_RATE)
    gain = 10 ** (float(rng.uniform(-12, 0)) / 20)
    return np.asarray(gain * y, np.float32)
