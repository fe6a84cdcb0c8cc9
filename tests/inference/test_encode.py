"""The files that are sent, read back."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from inference.datatypes import Waveform
from inference.encode import COVER_PIXELS, cover_jpeg, write_mp3, write_voice
from inference.loudness import Levelled
from inference.source import read_cover
from tests.conftest import FloatArray

SR = 48_000
Sine = Callable[..., FloatArray]


def piece_of(y: FloatArray, n_channels: int = 2) -> Levelled:
    return Levelled(Waveform(np.stack([y] * n_channels), SR), 0.0, -14.0, -1.0)


def granules(path: Path) -> tuple[int, int]:
    """(samples after the pre-skip, number of logical streams) from the Ogg pages."""
    content = path.read_bytes()
    last = content.rindex(b"OggS")
    (granule,) = struct.unpack_from("<q", content, last + 6)
    (pre_skip,) = struct.unpack_from("<H", content, content.index(b"OpusHead") + 10)
    pages = [i for i in range(len(content)) if content.startswith(b"OggS", i)]
    serials = {content[i + 14 : i + 18] for i in pages}
    return granule - pre_skip, len(serials)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("length_s", [1.0, 5.0, 5.0137])
def test_voice_lasts_to_the_sample(length_s: float, n_channels: int, tmp_path: Path, sine: Sine) -> None:
    path = tmp_path / "voice.ogg"
    voice = write_voice(piece_of(sine(440, length_s, SR), n_channels), path)
    assert granules(path) == (round(length_s * SR), 1)
    assert voice.duration_s == pytest.approx(length_s, abs=1e-4)
    with av.open(str(path)) as container:
        [stream] = container.streams
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("opus", SR)
        assert stream.codec_context.channels == n_channels


def test_thirty_seconds_stay_under_a_megabyte(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal(30 * SR).astype(np.float32) * 0.2
    write_voice(piece_of(noise), tmp_path / "voice.ogg")
    assert (tmp_path / "voice.ogg").stat().st_size < 700_000


def test_other_rates_are_refused(tmp_path: Path) -> None:
    wrong = Levelled(Waveform(np.zeros((1, 100), np.float32), 44_100), 0.0, -14.0, -1.0)
    with pytest.raises(ValueError, match="48000"):
        write_voice(wrong, tmp_path / "voice.ogg")


def picture(width: int, height: int, mode: str = "RGB", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), 120).save(out, kind)
    return out.getvalue()


def test_mp3_carries_its_tags_and_cover(tmp_path: Path, sine: Sine) -> None:
    path = tmp_path / "piece.mp3"
    wave = piece_of(sine(440, 3.0, SR)).waveform
    write_mp3(wave, path, title="Чайка <b>&", performer="Ёлка", album="Highlights", cover=picture(900, 300))
    with av.open(str(path)) as container:
        tags = container.metadata
        assert (tags["title"], tags["artist"], tags["album"]) == ("Чайка <b>&", "Ёлка", "Highlights")
        assert container.streams.audio[0].codec_context.name.startswith("mp3")
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(3 * SR, abs=3000)
    cover = read_cover(path)
    assert cover is not None
    assert Image.open(io.BytesIO(cover)).size == (COVER_PIXELS, 213)


def test_mp3_without_a_cover(tmp_path: Path, sine: Sine) -> None:
    path = tmp_path / "piece.mp3"
    write_mp3(piece_of(sine(440, 1.0, SR)).waveform, path, title="T", performer="", cover=b"no picture")
    assert read_cover(path) is None


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "1", "CMYK"])
def test_cover_of_any_colour_mode(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    jpeg = cover_jpeg(picture(50, 50, mode, kind))
    assert jpeg is not None
    assert Image.open(io.BytesIO(jpeg)).mode == "RGB"


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + bytes(50)])
def test_broken_cover_is_left_out(content: bytes) -> None:
    assert cover_jpeg(content) is None


def test_picture_that_unfolds_to_gigabytes_is_left_out() -> None:
    bomb = picture(9000, 9000, "1")
    assert len(bomb) < 50_000
    assert cover_jpeg(bomb) is None
