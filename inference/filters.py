"""Matrices that gather the bins of a spectrum into bands: mel bands, and log-frequency bins for the chroma.

Matrices are (n_bands, n_bins), sparse: a band touches a handful of bins.
"""

from functools import cache

import librosa
import numpy as np
import scipy.sparse

from inference.config import FeatureConfig
from inference.datatypes import FloatArray

BINS_PER_SEMITONE = 3
LOWEST_MIDI = 20  # G#0: one semitone of margin under the piano's A0
N_LOG_BINS = (7 * 12 + 1) * BINS_PER_SEMITONE + 1  # seven octaves, as in NNLS Chroma
OVERSAMPLING = 40


@cache
def mel_filters(config: FeatureConfig) -> tuple[scipy.sparse.csr_array, FloatArray]:
    """librosa's mel filter bank (Slaney's scale and norm), and the centre of each band in Hz."""
    weights = librosa.filters.mel(
        sr=config.sr, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.fmin, fmax=config.fmax
    )
    edges = librosa.mel_frequencies(config.n_mels + 2, fmin=config.fmin, fmax=config.fmax)
    return scipy.sparse.csr_array(weights.astype(np.float32)), edges[1:-1].astype(np.float32)


@cache  # half as long to make as all features of a four-minute track
def log_frequency_filters(sr: int, n_fft: int) -> scipy.sparse.csr_array:
    """From spectral bins to `N_LOG_BINS` bins, three a semitone from `LOWEST_MIDI` up.

    Raised-cosine kernels in frequency and in log-frequency, as in NNLS Chroma (Mauch and Dixon, ISMIR 2010);
    the low notes, closer together than the bins, are interpolated.
    """
    bin_hz = sr / n_fft
    steps = np.arange(-OVERSAMPLING + 1, OVERSAMPLING) / OVERSAMPLING  # within +-1 bin
    hz = (np.arange(n_fft // 2 + 1)[:, None] + steps) * bin_hz
    in_bin = 0.5 + 0.5 * np.cos(np.pi * steps)
    audible = np.maximum(hz, 1.0)
    position = (69 - LOWEST_MIDI + 12 * np.log2(audible / 440.0)) * BINS_PER_SEMITONE
    # Each doubling of the frequency has as many log bins on twice as many spectral bins.
    density = in_bin / audible
    out = scipy.sparse.lil_array((N_LOG_BINS, len(hz)))
    lowest = np.floor(position).astype(int)
    for offset in (0, 1):
        band = lowest + offset
        weight = (0.5 + 0.5 * np.cos(np.pi * (position - band))) * density
        for j in np.flatnonzero(((band >= 0) & (band < N_LOG_BINS)).any(axis=1)):
            inside = (band[j] >= 0) & (band[j] < N_LOG_BINS)
            for b in np.unique(band[j][inside]):
                out[b, j] += weight[j][band[j] == b].sum()
    return scipy.sparse.csr_array(out.astype(np.float32))
