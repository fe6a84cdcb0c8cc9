"""From samples to the files that are sent: OGG/Opus for voice messages, MP3 for keeping.

libav lives here and in `source`. Files are written through an open file object, so that no name is parsed.
"""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from inference.config import VOICE_BIT_RATE, VOICE_SR
from inference.datatypes import EncodedVoice, Waveform
from inference.loudness import Levelled
from inference.tags import id3_tag

# From 8 on libopus searches the stereo angle of each band: two thirds more time, inaudible at this rate.
OPUS_COMPLEXITY = 6
MP3_BIT_RATE = 256_000
COVER_PIXELS = 640
_MAX_COVER_PIXELS = 50_000_000  # a picture that unfolds to more is no cover but an attack
_FRAME_SAMPLES = 48_000


def write_voice(piece: Levelled, path: Path | str, bit_rate: int = VOICE_BIT_RATE) -> EncodedVoice:
    """Write one Opus stream at 48 kHz in Ogg, and nothing else: a cover would turn a voice into a file.

    The last page's granule position leaves exactly the samples given once the pre-skip is taken off.
    """
    waveform = piece.waveform
    if waveform.sr != VOICE_SR:
        raise ValueError(f"Opus is fed {VOICE_SR} Hz here, got {waveform.sr}")
    options = {"application": "audio", "vbr": "on", "compression_level": str(OPUS_COMPLEXITY)}
    with Path(path).open("wb") as file:
        _encode(file, "ogg", "libopus", waveform, bit_rate, options)
    return EncodedVoice(str(path), waveform.duration_s, piece.lufs, piece.dbtp)


def write_mp3(
    waveform: Waveform,
    path: Path | str,
    *,
    title: str,
    performer: str,
    album: str = "",
    cover: bytes | None = None,
    bit_rate: int = MP3_BIT_RATE,
) -> None:
    """Write an MP3, its tags before the first frame. A `cover` that is no readable picture is left out."""
    with Path(path).open("wb") as file:
        file.write(id3_tag(title, performer, album, cover_jpeg(cover) if cover else None))
        _encode(file, "mp3", "libmp3lame", waveform, bit_rate, {}, {"id3v2_version": "0", "write_xing": "0"})


def cover_jpeg(picture: bytes, pixels: int = COVER_PIXELS) -> bytes | None:
    """The picture as a JPEG no larger than `pixels` a side, or None where it cannot be read."""
    from PIL import Image  # 6 MB that a worker which cuts voices does not need

    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG", "PNG", "GIF", "BMP", "WEBP")) as image:
            if image.width * image.height > _MAX_COVER_PIXELS:
                return None
            image.draft("RGB", (pixels, pixels))
            small = image.convert("RGB")
        small.thumbnail((pixels, pixels))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=87)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return out.getvalue()


def _encode(
    file: io.BufferedWriter,
    muxer: str,
    codec: str,
    waveform: Waveform,
    bit_rate: int,
    codec_options: dict[str, str],
    muxer_options: dict[str, str] | None = None,
) -> None:
    n_channels, n_samples = waveform.samples.shape
    layout = "mono" if n_channels == 1 else "stereo"
    with av.open(file, "w", format=muxer, options=muxer_options or {}) as container:
        stream = container.add_stream(codec, rate=waveform.sr, layout=layout, options=codec_options)
        if not isinstance(stream, av.AudioStream):
            raise TypeError(f"{codec} is no audio codec")
        stream.bit_rate = bit_rate
        for first in range(0, n_samples, _FRAME_SAMPLES):
            block = np.ascontiguousarray(waveform.samples[:, first : first + _FRAME_SAMPLES])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate = waveform.sr
            frame.time_base = Fraction(1, waveform.sr)
            frame.pts = first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
