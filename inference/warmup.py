"""Everything that is slow the first time, done before the first user arrives.

Libraries load parts of themselves, compile kernels and fill caches on first use: seconds that belong to the
start of a worker. A short made-up tune through every stage touches them all.
"""

import tempfile
from pathlib import Path

import numpy as np

from inference.datatypes import FloatArray, Waveform
from inference.encode import write_voice
from inference.loudness import Levelled
from inference.pipeline import make_highlight, process_model

_SR = 48_000
_SECONDS = 12.0


def warm_up() -> None:
    """Load the model and run one tune through the whole job. Raises ModelContractError."""
    process_model()
    with tempfile.TemporaryDirectory(prefix="audio-highlight-") as folder:
        tune = Path(folder) / "tune.ogg"
        write_voice(Levelled(Waveform(_tune(), _SR), 0.0, -14.0, -1.0), tune)
        make_highlight(tune, Path(folder) / "voice.ogg")


def _tune() -> FloatArray:
    """Chords with a beat: (2, n_samples)."""
    t = np.arange(round(_SECONDS * _SR)) / _SR
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6))
    beat = np.exp(-12.0 * (t % 0.5)) * np.sin(2 * np.pi * 60.0 * t)
    y = (0.1 * chord * (1 + (t > _SECONDS / 2)) + 0.5 * beat).astype(np.float32)
    return np.stack([y, 0.9 * y])
