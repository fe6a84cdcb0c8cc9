"""Where a stretch of sound ends, by pydub's silence detection."""

import warnings

import numpy as np

from inference.datatypes import FloatArray

with warnings.catch_warnings():
    # pydub misses an ffmpeg binary to open files with (here it gets samples), and an older Python.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment
    from pydub.silence import detect_leading_silence

THRESHOLD_DBFS = -50.0  # RMS: what a listener on a phone takes for the end
STEP_MS = 10


def n_audible(y: FloatArray, sr: int) -> int:
    """Samples of `y` (n_channels, n_samples) up to the end of its last sound; 0 where there is none."""
    if y.shape[1] == 0:
        return 0
    pcm = (np.clip(y, -1.0, 1.0) * np.iinfo(np.int16).max).astype("<i2")
    segment = AudioSegment(pcm.T.tobytes(), sample_width=2, frame_rate=sr, channels=y.shape[0])
    silent_ms = int(detect_leading_silence(segment.reverse(), THRESHOLD_DBFS, STEP_MS))
    n_samples: int = y.shape[1]
    return max(0, n_samples - silent_ms * sr // 1000)
