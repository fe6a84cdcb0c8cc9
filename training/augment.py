"""Random variations of a song's features, as in the highlight literature: what must not change the answer.

Works on features rather than audio: a rotation of chroma is a pitch shift, resampling in time a stretch.
"""

import numpy as np

from training.songs import POINT_FRAMES, FloatArray

MAX_STRETCH = 0.25  # tempo from 1 / 1.25 to 1.25
MAX_CROP = 0.2  # of the track at either end
CHROMA_GAIN = 0.15  # per class, natural log: another recording's timbre
CHROMA_NOISE = 0.25
MASK_S = (1.0, 5.0)
MAX_BAND_SHIFT = 6
BAND_LIMIT_PROBABILITY = 0.15


def varied(
    arrays: dict[str, FloatArray], interest: FloatArray, hop_s: float, rng: np.random.Generator
) -> tuple[dict[str, FloatArray], FloatArray]:
    """A random variation of features (each time first) and of the interest that belongs to them."""
    names = list(arrays)
    columns = [arrays[name].reshape(len(interest), -1) for name in names]
    widths = np.cumsum([c.shape[1] for c in columns])[:-1]
    frames, interest = stretched(np.concatenate(columns, axis=1), interest, rng)
    frames, interest = cropped(frames, interest, rng)
    out = dict(zip(names, np.split(frames, widths, axis=1), strict=True))
    if "mel" in out:
        out["mel"] = masked_bands(shifted_bands(masked(out["mel"], hop_s, rng), rng), rng)
        out["loudness_db"] = out["loudness_db"][:, 0]
    out["chroma"] = masked(coloured(transposed(out["chroma"], int(rng.integers(12))), rng), hop_s, rng)
    return out, interest


def stretched(
    frames: FloatArray, interest: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Played faster or slower, pitch kept."""
    factor = float(np.exp(rng.uniform(-1, 1) * np.log(1 + MAX_STRETCH)))
    n = len(frames)
    position = np.minimum(np.arange(int(n * factor)) / factor, n - 1)
    before = position.astype(int)
    after = np.minimum(before + 1, n - 1)
    part = (position - before)[:, None].astype(np.float32)
    return frames[before] * (1 - part) + frames[after] * part, interest[before]


def cropped(
    frames: FloatArray, interest: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Beginning or end cut off, and the grid of points moved by a few frames."""
    n = len(frames)
    first, last = 0, n
    if rng.random() < 0.5:
        first = int(rng.uniform(0, MAX_CROP) * n) if rng.random() < 0.6 else 0
        last = n - int(rng.uniform(0, MAX_CROP) * n) if rng.random() < 0.6 else n
    first += int(rng.integers(POINT_FRAMES))
    return frames[first:last], interest[first:last]


def transposed(chroma: FloatArray, semitones: int) -> FloatArray:
    """Every class up by `semitones`; which octave the bass falls into is ignored."""
    return np.concatenate(
        [np.roll(chroma[:, :12], semitones, 1), np.roll(chroma[:, 12:], semitones, 1)], axis=1
    )


def coloured(chroma: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Another balance of classes, and noise that grows with the level: equalisers, codecs."""
    if rng.random() < 0.5:
        chroma = chroma * np.exp(rng.normal(0, CHROMA_GAIN, chroma.shape[1])).astype(np.float32)
    if rng.random() < 0.5:
        noise = rng.normal(0, CHROMA_NOISE, chroma.shape).astype(np.float32)
        chroma = np.maximum(0, chroma + noise * np.sqrt(chroma + np.float32(0.05)))
    return chroma


def shifted_bands(mel: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Moved along frequency by a few bands, the edge repeated: another pitch, formant or speed."""
    by = int(rng.integers(-MAX_BAND_SHIFT, MAX_BAND_SHIFT + 1))
    bands = np.clip(np.arange(mel.shape[1]) - by, 0, mel.shape[1] - 1)
    return mel[:, bands]


def masked_bands(mel: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Up to three groups of 1-5 bands replaced by their mean over time; sometimes all highs are gone."""
    mel = mel.copy()
    for _ in range(int(rng.integers(4))):
        n = int(rng.integers(1, 6))
        first = int(rng.integers(mel.shape[1] - n))
        mel[:, first : first + n] = mel[:, first : first + n].mean(axis=0)
    if rng.random() < BAND_LIMIT_PROBABILITY:
        edge = int(rng.integers(mel.shape[1] // 2, mel.shape[1]))
        mel[:, edge:] = mel[:, edge:].mean(axis=0)
    return mel


def masked(frames: FloatArray, hop_s: float, rng: np.random.Generator) -> FloatArray:
    """Up to two stretches of 1-5 s replaced by the mean."""
    frames = frames.copy()
    for _ in range(int(rng.integers(3))):
        n = min(round(rng.uniform(*MASK_S) / hop_s), len(frames) - 1)
        start = int(rng.integers(len(frames) - n))
        frames[start : start + n] = frames.mean(axis=0)
    return frames
