"""Whether a sound is music at all: speech and noise have moments, but no highlight.

Music has a pulse, or tones that stand out and stay. Measured on labelled songs, recorded and synthesised
speech, and made noise: without a pulse, songs keep their chroma from one half second to the next (similarity
.78 and more), speech does not (.41 to .54), and noise has no tone above the others (share .17; the rest .24
and more).
"""

import numpy as np

from inference.datatypes import Rhythm, TrackFeatures

_AUDIBLE_DB = 40.0  # frames further below the loudest say nothing
_STEP_S = 0.55  # longer than a syllable, shorter than a bar
_NO_TONE, _TONE = 0.19, 0.24
_SPEECH, _SONG = 0.55, 0.70


def musicality(features: TrackFeatures, rhythm: Rhythm) -> float:
    """0..1: 1 for anything with a steady pulse or with tones that stay, 0 for noise and talk."""
    if rhythm.tempo_bpm is not None:
        return 1.0
    treble = features.chroma[:, 12:].astype(np.float64)
    n_frames = min(len(treble), len(features.loudness_db))
    level_db = features.loudness_db[:n_frames]
    treble = treble[:n_frames]
    audible = level_db > level_db.max(initial=-np.inf) - _AUDIBLE_DB
    step = max(1, round(_STEP_S / features.hop_s))
    if n_frames <= step or not treble[audible].any():
        return 0.0
    share = treble.max(axis=1) / np.maximum(treble.sum(axis=1), 1e-9)
    unit = treble / np.maximum(np.linalg.norm(treble, axis=1, keepdims=True), 1e-9)
    stays = np.einsum("ij,ij->i", unit[:-step], unit[step:])
    has_tone = _ramp(float(np.median(share[audible])), _NO_TONE, _TONE)
    keeps_tone = _ramp(float(np.median(stays)), _SPEECH, _SONG)
    return has_tone * keeps_tone


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))
