"""A trip through a lossy codec, in memory."""

import io
from fractions import Fraction

import av
import numpy as np

from training.songs import FloatArray


def through_mp3(y: FloatArray, sr: int, bit_rate: int) -> FloatArray:
    """Mono samples encoded as mp3 and decoded again: (n,) at `sr`, as long as before."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=sr, layout="mono")
        stream.bit_rate = bit_rate
        for first in range(0, len(y), 65_536):
            frame = av.AudioFrame.from_ndarray(
                np.clip(y[None, first : first + 65_536], -1, 1), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.time_base, frame.pts = sr, Fraction(1, sr), first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    out = np.concatenate(blocks).astype(np.float32)[: len(y)]
    return np.pad(out, (0, len(y) - len(out)))
