"""The mix as a tagged MP3 that is small enough to be sent, written block by block."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from inference.datatypes import FloatArray
from inference.tags import id3_tag

MAX_BYTES = 49_000_000  # Telegram lets a bot send 50 MB; tags and a margin are taken off
BIT_RATES = (256_000, 224_000, 192_000, 160_000, 128_000, 112_000, 96_000, 80_000, 64_000)
MIX_SR = 48_000
FRAME_SAMPLES = 1152


def bit_rate_for(duration_s: float, max_bytes: int = MAX_BYTES) -> int:
    """The best rate with which `duration_s` stay under `max_bytes`. Raises ValueError when none does."""
    for bit_rate in BIT_RATES:
        if duration_s * bit_rate / 8 <= max_bytes:
            return bit_rate
    longest_s = max_bytes * 8 / BIT_RATES[-1]
    raise ValueError(f"{duration_s:.0f} s do not fit into {max_bytes} bytes; {longest_s:.0f} s do")


class MixWriter:
    """A constant bit rate MP3, stereo at `MIX_SR`; seeking by time is exact in it, as the tracklist needs."""

    def __init__(
        self, path: Path | str, bit_rate: int, title: str, performer: str, album: str, cover: bytes | None
    ) -> None:
        self.bit_rate = bit_rate
        self._path = Path(path)
        self._file = self._path.open("wb")
        self._file.write(id3_tag(title, performer, album, cover))
        options = {"id3v2_version": "0", "write_xing": "0"}
        self._container = av.open(self._file, "w", format="mp3", options=options)
        stream = self._container.add_stream("libmp3lame", rate=MIX_SR, layout="stereo")
        if not isinstance(stream, av.AudioStream):
            raise TypeError("libmp3lame is no audio codec")
        stream.bit_rate = bit_rate
        self._stream = stream
        self._waiting: FloatArray = np.zeros((2, 0), np.float32)
        self.n_samples = 0

    def __enter__(self) -> "MixWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._encode(self._waiting)
                self._container.mux(self._stream.encode(None))
            self._container.close()
        finally:
            self._file.close()
            if kind is not None:
                self._path.unlink(missing_ok=True)  # half a mix is of no use to anybody

    def write(self, block: FloatArray) -> None:
        """Take (2, n_samples) of any length."""
        waiting = np.concatenate((self._waiting, block), axis=1)
        n_whole = waiting.shape[1] // FRAME_SAMPLES * FRAME_SAMPLES
        self._encode(waiting[:, :n_whole])
        self._waiting = waiting[:, n_whole:].copy()

    def _encode(self, samples: FloatArray) -> None:
        step = 40 * FRAME_SAMPLES  # about a second
        for first in range(0, samples.shape[1], step):
            block = np.ascontiguousarray(np.clip(samples[:, first : first + step], -1.0, 1.0))
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate = MIX_SR
            frame.time_base = Fraction(1, MIX_SR)
            frame.pts = self.n_samples
            self.n_samples += block.shape[1]
            self._container.mux(self._stream.encode(frame))
