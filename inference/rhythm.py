"""Tempo, beats and bars of a track, from its onset envelopes and chroma.

Steady pulse or nothing: silence, noise, speech, drones and free time give `tempo_bpm=None`, never a number.
Cost is linear in the track's length.
"""

import numpy as np
import numpy.typing as npt

from inference.beats import refine_beats, track_beats_in_octave
from inference.datatypes import Rhythm
from inference.downbeats import find_downbeats
from inference.tempo import sharpen_onsets, track_tempo

MIN_PULSE_S = 5.0  # two bars at 96 BPM: less cannot show that a pulse is steady
MIN_BEATS = 8
# The envelope's peak comes this much after the attack: one frame of the extractor's delay is not undone by
# the window's half width. Measured on clicks, the same at every tempo.
ONSET_LATENESS_S = 0.024

NO_PULSE = Rhythm(tempo_bpm=None)


def track_rhythm(
    onset_envelope: npt.ArrayLike,
    onset_bass: npt.ArrayLike,
    onset_hop_s: float,
    chroma: npt.ArrayLike,
    hop_s: float,
) -> Rhythm:
    """Beats, bars and tempo, as far as there are any.

    `onset_envelope`, `onset_bass`: (n_onsets,) spectral flux at `onset_hop_s`; `chroma`: (n_frames, 24) at
    `hop_s`.
    The tempo is the one that most of the track holds, from the beats themselves.
    """
    onsets = sharpen_onsets(onset_envelope, onset_hop_s)
    bass = np.zeros_like(onsets)
    bass_onsets = sharpen_onsets(onset_bass, onset_hop_s)[: len(bass)]
    bass[: len(bass_onsets)] = bass_onsets
    if len(onsets) * onset_hop_s < MIN_PULSE_S or not onsets.any():
        return NO_PULSE
    path = track_tempo(onsets, onset_hop_s)
    steady_bpm = path.steady_bpm
    if steady_bpm is None:
        return NO_PULSE
    frames = np.arange(len(onsets)) * onset_hop_s
    frames_per_beat = 60.0 / np.interp(frames, path.centres_s, path.bpm) / onset_hop_s
    beats, octave = track_beats_in_octave(onsets, bass, frames_per_beat, onset_hop_s)
    beats_s = refine_beats(beats, onsets, onset_hop_s)
    if len(beats_s) < MIN_BEATS:
        return NO_PULSE
    clean_chroma = np.maximum(np.nan_to_num(np.asarray(chroma, dtype=np.float64)), 0.0)
    downbeats, beats_per_bar = find_downbeats(beats_s, onsets, bass, onset_hop_s, clean_chroma, hop_s)
    attacks_s = np.maximum(beats_s - ONSET_LATENESS_S, 0.0)
    return Rhythm(
        tempo_bpm=_tempo_from_beats(beats_s, steady_bpm * octave),
        beats_s=tuple(attacks_s.tolist()),
        downbeats_s=tuple(attacks_s[downbeats].tolist()),
        beats_per_bar=beats_per_bar,
    )


def _tempo_from_beats(beats_s: npt.NDArray[np.float64], steady_bpm: float) -> float:
    """Mean tempo of the beats that keep within 4 % of the steady one; finer than the tempogram's 1 %."""
    span = min(8, len(beats_s) - 1)
    intervals = (beats_s[span:] - beats_s[:-span]) / span
    near = np.abs(np.log(intervals * steady_bpm / 60.0)) < 0.04
    if near.sum() < 4:
        return steady_bpm
    return float(60.0 / np.mean(intervals[near]))
