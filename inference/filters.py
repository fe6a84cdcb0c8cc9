"""Matrices that gather the bins of a spectrum into bands: mel bands, and log-frequency bins for the chroma.

Matrices are (n_bands, n_bins), sparse: a band touches a handful of bins.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse

from inference.config import FeatureConfig
from inference.datatypes import FloatArray

BINS_PER_SEMITONE = 3
LOWEST_MIDI = 20  # G#0: one semitone of margin under the piano's A0
N_LOG_BINS = (7 * 12 + 1) * BINS_PER_SEMITONE + 1  # seven octaves, as in NNLS Chroma
OVERSAMPLING = 40

MEL_BREAK_HZ = 1000.0  # Slaney's scale: linear below, logarithmic above
HZ_PER_MEL = 200.0 / 3
LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Slaney's mel scale (Auditory Toolbox, 1998), librosa's default."""
    f = np.asarray(hz, np.float64)
    above = MEL_BREAK_HZ / HZ_PER_MEL + np.log(np.maximum(f, MEL_BREAK_HZ) / MEL_BREAK_HZ) / LOG_STEP
    return np.where(f < MEL_BREAK_HZ, f / HZ_PER_MEL, above)


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Inverse of `hz_to_mel`."""
    m = np.asarray(mel, np.float64)
    above = MEL_BREAK_HZ * np.exp(LOG_STEP * (m - MEL_BREAK_HZ / HZ_PER_MEL))
    return np.where(m < MEL_BREAK_HZ / HZ_PER_MEL, m * HZ_PER_MEL, above)


def mel_filters(config: FeatureConfig) -> tuple[scipy.sparse.csr_array, FloatArray]:
    """Triangles of equal area (`librosa.filters.mel`, norm "slaney"), and the centre of each band in Hz."""
    bins_hz = np.fft.rfftfreq(config.n_fft, 1 / config.sr)
    low, high = hz_to_mel([config.fmin, config.fmax])
    edges = mel_to_hz(np.linspace(low, high, config.n_mels + 2))
    rise = (bins_hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins_hz) / np.diff(edges)[1:, None]
    weights = np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return scipy.sparse.csr_array(weights.astype(np.float32)), edges[1:-1].astype(np.float32)


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
