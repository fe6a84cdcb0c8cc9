"""librosa's mel filter bank, for whoever can afford librosa in memory.

librosa brings a compiler along (numba, llvmlite): 65 MB that each worker would carry for one matrix. So this
file is also a script, run in a process that ends: `python librosa_bank.py SR N_FFT N_MELS FMIN FMAX` writes
the weights and the bands' centres to its standard output, as two arrays in NumPy's format. It imports nothing
of this package, and no worker imports it.
"""

import os
import sys
import tempfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def mel_bank(sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> tuple[Array, Array]:
    """Weights (n_mels, n_fft // 2 + 1) on Slaney's scale with his norm, and the centre of each band in Hz."""
    import librosa

    weights = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    edges = librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax)
    return weights.astype(np.float32), edges[1:-1].astype(np.float32)


def main(arguments: Sequence[str]) -> None:
    sr, n_fft, n_mels, fmin, fmax = arguments
    with tempfile.TemporaryDirectory(prefix="audio-highlight-") as folder:
        # Nothing here is worth compiling, and numba does not load where it finds no folder for its kernels.
        os.environ.update(NUMBA_DISABLE_JIT="1", NUMBA_CACHE_DIR=folder)  # noqa: TID251 - before it loads
        for array in mel_bank(int(sr), int(n_fft), int(n_mels), float(fmin), float(fmax)):
            np.save(sys.stdout.buffer, array)


if __name__ == "__main__":
    main(sys.argv[1:])
