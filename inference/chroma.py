"""Chroma as the NNLS Chroma and Chordino plug-ins define it (Mauch and Dixon, ISMIR 2010), made to stream.

The network learnt repetition from Billboard's annotated chroma, which those plug-ins computed, so the product
must see the same: magnitude spectrum -> three bins a semitone -> tuned -> local mean and deviation removed ->
notes by non-negative least squares over harmonic tones -> 12 bass and 12 treble classes, A first.
The local standardisation makes the result independent of gain.
"""

from functools import cache

import numpy as np
import scipy.fft
import scipy.ndimage
from scipy.signal import get_window

from inference.config import FeatureConfig
from inference.datatypes import FloatArray
from inference.filters import BINS_PER_SEMITONE, N_LOG_BINS, log_frequency_filters

N_NOTES = 84  # MIDI 21 (A0) to 104
N_HARMONICS = 20
HARMONIC_DECAY = 0.7  # amplitude of each harmonic relative to the one before
WHITENING_BINS = 37  # an octave around each bin
FRAMES_PER_POOL = 2
FRAMES_PER_TUNING = 1024  # the tuning is estimated over stretches of three minutes
NNLS_STEPS = 30
SILENCE = 1e-6  # largest magnitude, full-scale sine = 1: -120 dB


class Chroma:
    """Collects pooled chroma frames from blocks of samples."""

    def __init__(self, config: FeatureConfig) -> None:
        self._n_fft = config.chroma_n_fft
        self._pool_samples = config.hop_length * config.pool
        self._window = get_window("hann", self._n_fft).astype(np.float32)
        self._window *= np.float32(2) / self._window.sum()
        filters = log_frequency_filters(config.sr, self._n_fft)
        self._n_bins = int(filters.indices.max()) + 1
        self._filters = filters[:, : self._n_bins]
        self._dictionary = note_dictionary()
        self._gram = self._dictionary.T @ self._dictionary
        self._fold = fold_matrix()
        self._waiting: list[FloatArray] = []
        self._n_waiting = 0
        self._phase = 0j
        self._chroma: list[FloatArray] = []

    def push(self, block: FloatArray, margin: int, n_pools: int) -> None:
        """Take `n_pools` pooled frames; `block` starts `margin` samples before the first."""
        hop = self._pool_samples // FRAMES_PER_POOL
        first = margin + hop // 2 - self._n_fft // 2
        frames = np.lib.stride_tricks.sliding_window_view(block[first:], self._n_fft)
        frames = frames[::hop][: n_pools * FRAMES_PER_POOL]
        spectrum = scipy.fft.rfft(frames * self._window, axis=1)[:, : self._n_bins]
        magnitude = np.abs(spectrum)
        log_spectrum = (self._filters @ magnitude.T).T
        log_spectrum[magnitude.max(axis=1) < SILENCE] = 0
        self._waiting.append(log_spectrum)
        self._n_waiting += n_pools
        if self._n_waiting >= FRAMES_PER_TUNING:
            self._flush()

    def finish(self) -> FloatArray:
        """All frames so far: (n_frames, 24) float32."""
        if self._waiting:
            self._flush()
        return np.concatenate(self._chroma)

    def _flush(self) -> None:
        spectra = np.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        self._phase += tuning_phase(spectra)
        notes = transcribe(whiten(retune(spectra, self._phase)), self._dictionary, self._gram)
        chroma = notes @ self._fold
        self._chroma.append(chroma.reshape(-1, FRAMES_PER_POOL, 24).mean(axis=1).astype(np.float32))


@cache
def note_dictionary() -> FloatArray:
    """Log-spectra of harmonic tones: (N_LOG_BINS, N_NOTES)."""
    bins = np.arange(N_LOG_BINS)[:, None]
    notes = (np.arange(N_NOTES) + 1)[None, :] * BINS_PER_SEMITONE
    out = np.zeros((N_LOG_BINS, N_NOTES))
    for harmonic in range(1, N_HARMONICS + 1):
        offset = bins - notes - 12 * BINS_PER_SEMITONE * np.log2(harmonic)
        pulse = 0.5 + 0.5 * np.cos(np.pi * np.clip(offset / 2, -1, 1))
        out += HARMONIC_DECAY ** (harmonic - 1) * pulse
    return out.astype(np.float32)


@cache
def fold_matrix() -> FloatArray:
    """From notes to 12 bass and 12 treble classes, A first: (N_NOTES, 24), two overlapping profiles."""
    i = np.arange(N_NOTES)
    treble = np.where(i < 83, 0.5 - 0.5 * np.cos(2 * np.pi * (i + 1) / 84), 0.0)
    # Rises as sin^2 over 19 semitones and falls likewise over 18: nothing above MIDI 57.
    bass = np.where(
        i <= 18, np.sin(np.pi / 2 * (i + 0.5) / 18.5) ** 2, np.cos(np.pi / 2 * (i - 18) / 19) ** 2
    )
    bass[i > 36] = 0
    out = np.zeros((N_NOTES, 24), np.float32)
    out[i, i % 12] = bass
    out[i, 12 + i % 12] = treble
    return out


def tuning_phase(spectra: FloatArray) -> complex:
    """Where in the semitone the energy sits, as a complex number: angle 0 is A = 440 Hz, 2 pi a semitone."""
    mean = spectra.sum(axis=0, dtype=np.float64)
    turns = np.exp(2j * np.pi * np.arange(N_LOG_BINS) / BINS_PER_SEMITONE)
    return complex((mean * turns).sum())


def retune(spectra: FloatArray, phase: complex) -> FloatArray:
    """Shift the log-frequency axis so that equal temperament falls on every third bin."""
    shift = float(np.angle(phase)) / (2 * np.pi) * BINS_PER_SEMITONE if phase else 0.0
    whole = int(np.floor(shift))
    part = np.float32(shift - whole)
    padded = np.pad(spectra, ((0, 0), (2, 3)), mode="edge")
    at = 2 + whole
    return padded[:, at : at + N_LOG_BINS] * (1 - part) + padded[:, at + 1 : at + 1 + N_LOG_BINS] * part


def whiten(spectra: FloatArray) -> FloatArray:
    """What stands out of its surroundings, in local standard deviations; negative parts are cut to 0."""
    smooth = smoothing_matrix()
    above = spectra - spectra @ smooth
    deviation = np.sqrt((above * above) @ smooth)
    return np.asarray(np.maximum(above, 0) / np.maximum(deviation, np.float32(1e-9)), dtype=np.float32)


@cache
def smoothing_matrix() -> FloatArray:
    """Weighted mean over `WHITENING_BINS`, as a matrix: several times faster than filtering each frame."""
    kernel = get_window("hamming", WHITENING_BINS, fftbins=False)
    smooth = scipy.ndimage.convolve1d(np.eye(N_LOG_BINS), kernel / kernel.sum(), axis=0, mode="nearest")
    return np.ascontiguousarray(smooth.T, dtype=np.float32)


def transcribe(spectra: FloatArray, dictionary: FloatArray, gram: FloatArray) -> FloatArray:
    """Note activations (n_frames, N_NOTES) >= 0 whose tones add up to `spectra`.

    Multiplicative updates (Lee and Seung, 2001) on all frames at once approach the least-squares solution.
    """
    target = spectra @ dictionary
    notes = np.maximum(target / np.diag(gram), 0)
    for _ in range(NNLS_STEPS):
        notes *= target / np.maximum(notes @ gram, np.float32(1e-6))
    return notes
