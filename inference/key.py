"""Musical key from chroma: the profile that fits best among 24 (Krumhansl 1990's method).

The profiles are Albrecht and Shanahan's (Music Perception 2013), which tell relative keys apart better than
the 1982 probe-tone ratings. Chroma columns start at A (bass 12, treble 12); `Key.tonic` counts from C.
"""

import numpy as np
import numpy.typing as npt

from inference.datatypes import Key

Array = npt.NDArray[np.float64]

MAJOR = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
MINOR = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])
A_TO_C = 3  # C is three semitones above A
BASS_WEIGHT = 0.5
MIN_CORRELATION = 0.45  # a flat or one-note chroma fits no key better than this
MIN_CONTRAST = 0.25  # deviation over mean: noise has up to 0.11, the songs of POP909 0.56 and more
MIN_NOTES = 3  # one note, or a fifth, is no key


def estimate_key(chroma: npt.ArrayLike) -> Key | None:
    """The key of `chroma` (n_frames, 24); None where nothing tonal sounds.

    `confidence` 0..1: how far the best key is ahead of the best that is no near relation of it.
    """
    frames = np.nan_to_num(np.asarray(chroma, dtype=np.float64))
    if frames.ndim != 2 or frames.shape[0] == 0 or frames.shape[1] != 24:
        return None
    pitch_classes = np.roll(_pitch_class_weights(frames), -A_TO_C)
    if np.count_nonzero(pitch_classes > 0.1 * pitch_classes.max(initial=0.0)) < MIN_NOTES:
        return None
    if pitch_classes.std() < MIN_CONTRAST * pitch_classes.mean():
        return None
    fit = _profile_fit(pitch_classes)
    best = int(fit.argmax())
    if fit[best] < MIN_CORRELATION:
        return None
    runner_up = float(np.delete(fit, best).max())
    confidence = float(np.clip((fit[best] - runner_up) / 0.15, 0.0, 1.0))
    return Key(tonic=best % 12, is_minor=best >= 12, confidence=confidence)


def _pitch_class_weights(frames: Array) -> Array:
    """How long each pitch class sounds, A first: frames count alike at any loudness, unless near silent."""
    folded = BASS_WEIGHT * frames[:, :12] + frames[:, 12:]
    level = np.linalg.norm(folded, axis=1)
    floor = 0.05 * np.percentile(level, 90)
    return np.asarray((folded / np.maximum(level, floor + 1e-12)[:, None]).sum(axis=0))


def _profile_fit(pitch_classes: Array) -> Array:
    """Correlation with the 24 profiles: twelve major from C, then twelve minor."""
    profiles = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    return np.array([_correlation(pitch_classes, profile) for profile in profiles])


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 1e-12 else 0.0
