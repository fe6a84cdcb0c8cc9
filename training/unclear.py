"""Sound without a highlight: noise, drones, ambient pads, speech, clicks. It teaches the model to say so.

Made by arithmetic; speech is cut from Debian's recorded telephone prompts where they are installed
(`apt-get install asterisk-core-sounds-en-gsm`).
"""

import random
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from inference.config import FeatureConfig
from inference.features import extract_features
from training.songs import FloatArray, Song

SR = FeatureConfig().sr
SPEECH_FOLDER = Path("/usr/share/asterisk/sounds")
MIN_PROMPTS = 50
LENGTHS_S = (45.0, 240.0)


def noise(n: int, rng: np.random.Generator) -> FloatArray:
    """Rain, wind, sea, a fan: filtered noise that swells slowly."""
    y = rng.standard_normal(n)
    if rng.random() < 0.7:
        y = lfilter([1], [1, -float(rng.uniform(0.5, 0.999))], y)
    if rng.random() < 0.5:
        low = float(rng.uniform(60, 2000))
        y = sosfilt(butter(2, (low, low * float(rng.uniform(1.5, 4))), "bandpass", fs=SR, output="sos"), y)
    return _levelled(y * _swell(n, rng, depth=float(rng.uniform(0, 0.9))))


def drone(n: int, rng: np.random.Generator) -> FloatArray:
    """A few held, beating tones."""
    t = np.arange(n) / SR
    y = np.zeros(n)
    root = float(rng.uniform(40, 220))
    for ratio in rng.choice([1, 1.5, 2, 3, 4 / 3, 1.25, 1.2], size=int(rng.integers(1, 5)), replace=False):
        for harmonic in range(1, 7):
            detune = 1 + float(rng.normal(0, 0.002))
            y += (
                np.sin(2 * np.pi * root * ratio * harmonic * detune * t) / harmonic**1.3 * _swell(n, rng, 0.5)
            )
    return _levelled(y + float(rng.uniform(0, 0.3)) * rng.standard_normal(n))


def ambient(n: int, rng: np.random.Generator) -> FloatArray:
    """Slow overlapping tones of one scale in no order: a texture that never returns."""
    y = np.zeros(n)
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16]) + int(rng.integers(40, 60))
    at = 0.0
    while at < n / SR:
        length = float(rng.uniform(3, 12))
        t = np.arange(round(length * SR)) / SR
        f0 = 440 * 2 ** ((float(rng.choice(scale)) - 69) / 12)
        tone = sum(np.sin(2 * np.pi * f0 * h * t + rng.uniform(0, 6)) / h**2 for h in (1, 2, 3, 4))
        tone *= np.sin(np.pi * t / length) ** 2
        first = round(at * SR)
        part = tone[: n - first]
        y[first : first + len(part)] += part
        at += float(rng.exponential(2.0)) + 0.3
    return _levelled(y + 0.02 * rng.standard_normal(n))


def babble(n: int, rng: np.random.Generator) -> FloatArray:
    """Gliding voiced syllables through formants, with pauses: speech to the ear of a chroma."""
    y = np.zeros(n)
    at, pitch = 0.2, float(rng.uniform(90, 220))
    while at < n / SR - 1:
        length = float(rng.uniform(0.08, 0.35))
        t = np.arange(round(length * SR)) / SR
        f0 = pitch * (1 + float(rng.normal(0, 0.15))) * (1 + float(rng.normal(0, 0.3)) * t)
        pulses = np.sign(np.sin(2 * np.pi * np.cumsum(f0) / SR)) * np.sin(np.pi * t / length)
        if rng.random() < 0.25:
            pulses = rng.standard_normal(len(t)) * np.sin(np.pi * t / length)
        for formant in (rng.uniform(300, 900), rng.uniform(900, 2500)):
            band = butter(1, (formant * 0.9, formant * 1.1), "bandpass", fs=SR, output="sos")
            first = round(at * SR)
            y[first : first + len(t)] += sosfilt(band, pulses)
        at += length + (float(rng.exponential(0.5)) + 0.3 if rng.random() < 0.15 else 0.02)
    return _levelled(y)


def clicks(n: int, rng: np.random.Generator) -> FloatArray:
    """A metronome, or a hum, and little else."""
    t = np.arange(n) / SR
    period = 60 / float(rng.uniform(50, 180))
    y = np.exp(-200 * (t % period)) * np.sin(2 * np.pi * float(rng.uniform(600, 2000)) * t)
    if rng.random() < 0.4:
        y = 0.3 * y + sum(np.sin(2 * np.pi * 50 * h * t) / h for h in range(1, 9))
    return _levelled(y + 0.005 * rng.standard_normal(n))


def wandering(n: int, rng: np.random.Generator) -> FloatArray:
    """Notes at random, all twelve, never the same twice: tuning up, improvising, testing a piano."""
    y = np.zeros(n)
    at = 0.0
    while at < n / SR - 1:
        t = np.arange(round(1.2 * SR)) / SR
        f0 = 440 * 2 ** ((int(rng.integers(45, 84)) - 69) / 12)
        tone = sum(np.sin(2 * np.pi * f0 * h * t) / h for h in range(1, 6)) * np.exp(-3 * t)
        first = round(at * SR)
        part = tone[: n - first] * float(rng.uniform(0.2, 1))
        y[first : first + len(part)] += part
        at += float(rng.exponential(0.4)) + 0.05
    return _levelled(y)


MAKERS: dict[str, Callable[[int, np.random.Generator], FloatArray]] = {
    "noise": noise,
    "drone": drone,
    "ambient": ambient,
    "babble": babble,
    "clicks": clicks,
    "wandering": wandering,
}


def load_unclear(cache: Path, takes: int) -> list[Song]:
    """`takes` sounds of each kind, and as many talks where recordings are there; features are cached."""
    songs = [_cached(cache, f"{kind}-{take}", kind) for kind in MAKERS for take in range(takes)]
    if len(_prompts()) >= MIN_PROMPTS:
        songs += [_cached(cache, f"speech-{take}", "speech") for take in range(takes)]
    return songs


def _cached(cache: Path, name: str, kind: str) -> Song:
    path = cache / f"unclear-{name}.npz"
    if not path.exists():
        seed = sum(ord(c) * 31**k for k, c in enumerate(name)) % 2**31
        rng = np.random.default_rng(seed)
        n = round(float(rng.uniform(*LENGTHS_S)) * SR)
        y = _speech(n, seed) if kind == "speech" else MAKERS[kind](n, rng)
        features = extract_features(y)
        np.savez(path, mel=features.mel, chroma=features.chroma, loudness_db=features.loudness_db)
    with np.load(path) as archive:
        mel, chroma, loudness_db = (archive[k].astype(np.float32) for k in ("mel", "chroma", "loudness_db"))
    return Song(
        song_id=f"unclear-{name}",
        source="unclear",
        title=name,
        artist=f"unclear-{name}",
        hop_s=FeatureConfig().hop_s,
        chroma=chroma,
        interest=np.zeros(len(chroma), np.float32),
        spans=(),
        mel=mel,
        loudness_db=loudness_db,
    )


def _prompts() -> list[Path]:
    return sorted(SPEECH_FOLDER.rglob("*.gsm"))


def _speech(n: int, seed: int) -> FloatArray:
    """Recorded prompts one after the other."""
    order = random.Random(seed).sample(_prompts(), len(_prompts()))
    parts: list[FloatArray] = []
    total = 0
    for path in order:
        if total >= n:
            break
        resampler = av.AudioResampler("fltp", "mono", SR)
        with av.open(str(path), format="gsm") as container:
            blocks = [
                r.to_ndarray()[0] for frame in container.decode(audio=0) for r in resampler.resample(frame)
            ]
        if blocks:
            parts += [*blocks, np.zeros(SR // 4, np.float32)]
            total += sum(map(len, blocks)) + SR // 4
    return _levelled(np.concatenate(parts)[:n])


def _swell(n: int, rng: np.random.Generator, depth: float) -> FloatArray:
    t = np.arange(n) / SR
    rate = float(rng.uniform(0.01, 0.3))
    return np.asarray(
        1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * rate * t + float(rng.uniform(0, 6)))), np.float32
    )


def _levelled(y: FloatArray) -> FloatArray:
    return np.asarray(0.5 * y / max(1e-9, float(np.abs(y).max())), np.float32)
