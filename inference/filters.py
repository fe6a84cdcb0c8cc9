"""Matrices that gather the bins of a spectrum into bands: mel bands, and log-frequency bins for the chroma.

Matrices are (n_bands, n_bins), sparse: a band touches a handful of bins.
"""

import io
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse

from inference.config import FeatureConfig
from inference.datatypes import FloatArray
from inference.errors import EngineError

BINS_PER_SEMITONE = 3
LOWEST_MIDI = 20  # G#0: one semitone of margin under the piano's A0
N_LOG_BINS = (7 * 12 + 1) * BINS_PER_SEMITONE + 1  # seven octaves, as in NNLS Chroma
OVERSAMPLING = 40
_LIBROSA_TIMEOUT_S = 120.0  # it takes one second, or a minute on a machine that is busy with ten other things


@cache
def mel_filters(config: FeatureConfig) -> tuple[scipy.sparse.csr_array, FloatArray]:
    """librosa's mel filter bank (Slaney's scale and norm), and the centre of each band in Hz.

    Made by a process that ends (see `librosa_bank`) and kept in the user's cache, so that it is made once.
    Raises EngineError where it cannot be made.
    """
    numbers = [
        str(n) for n in (config.sr, config.n_fft, config.n_mels, float(config.fmin), float(config.fmax))
    ]
    kept = _cache_folder() / "-".join(["mel", version("librosa"), *numbers])
    bank = None
    with suppress(OSError, ValueError):
        bank = _read_bank(kept.read_bytes(), config)
    if bank is None:
        made = _run_librosa(numbers)
        bank = _read_bank(made, config)
        with suppress(OSError):  # a folder that cannot be written costs the next process a second
            _keep(made, kept)
    weights, centres = bank
    return scipy.sparse.csr_array(weights), centres


def _run_librosa(numbers: list[str]) -> bytes:
    script = Path(__file__).with_name("librosa_bank.py")
    try:
        # -P: the modules beside the script are not for the libraries to find.
        command = [sys.executable, "-P", str(script), *numbers]
        return subprocess.run(command, capture_output=True, check=True, timeout=_LIBROSA_TIMEOUT_S).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError) as exc:
        reason = (getattr(exc, "stderr", None) or b"").decode(errors="replace").strip()[-500:]
        raise EngineError(f"librosa's mel filter bank cannot be made: {exc} {reason}") from exc


def _read_bank(data: bytes, config: FeatureConfig) -> tuple[FloatArray, FloatArray]:
    """Raises ValueError for what is no such bank: a file cut short, or made by something else."""
    file = io.BytesIO(data)
    try:
        weights, centres = (np.lib.format.read_array(file, allow_pickle=False) for _ in range(2))
    except (EOFError, OSError) as exc:
        raise ValueError(f"no filter bank: {exc}") from exc
    is_whole = weights.shape == (config.n_mels, config.n_fft // 2 + 1) and centres.shape == (config.n_mels,)
    if not (is_whole and weights.dtype == centres.dtype == np.float32):
        raise ValueError(f"no filter bank: {weights.dtype} {weights.shape}, {centres.shape}")
    return weights, centres


def _keep(data: bytes, path: Path) -> None:
    """Write all or nothing: another worker may be reading, or writing the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)


def _cache_folder() -> Path:
    """Where the user's programs keep what they can make again (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_CACHE_HOME")  # noqa: TID251 - the system's own word, no setting of ours
    try:
        root = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        root = Path(tempfile.gettempdir())
    return root / "audio-highlight"


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
