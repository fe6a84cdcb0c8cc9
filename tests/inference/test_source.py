"""Opening by content, and the way back to a moment without decoding what lies before."""

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from inference.decode import DecodeLimits, decode_span, decode_track
from inference.errors import InputRejected, Rejection
from inference.ogg import FilePart, find_links
from inference.source import PacketIndex, Place, open_source
from sandbox.song import write_audio
from tests.conftest import FloatArray, WriteAudio

Sine = Callable[..., FloatArray]
NAMES = [
    "-y.flac",
    "concat:a|b.flac",
    "a\"b'c<d>&e`$(id).flac",
    "http:example.flac",
    "🎵 трек.flac",
    "a\nb.flac",
]


def chirp(length_s: float, sr: int, n_channels: int = 2) -> FloatArray:
    """A sound whose every moment is different: (n_channels, n_samples)."""
    t = np.arange(round(length_s * sr)) / sr
    y = 0.4 * np.sin(2 * np.pi * (200.0 * t + 40.0 * t**2))
    return np.stack([y, 0.7 * y])[:n_channels].astype(np.float32)


def duration_of(path: Path) -> float:
    return decode_track(path, 22_050, lambda _y, _track: None).duration_s


def rejection_of(path: Path) -> Rejection:
    with pytest.raises(InputRejected) as caught:
        duration_of(path)
    return caught.value.code


@pytest.mark.parametrize("name", NAMES)
def test_hostile_name_is_only_a_name(name: str, write: WriteAudio) -> None:
    path = write("plain.flac", chirp(3.0, 44_100), 44_100)
    hostile = path.with_name(name)
    path.rename(hostile)
    assert duration_of(hostile) == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize(
    ("suffix", "named"), [(".flac", ".mp3"), (".m4a", ".aac"), (".wav", ".ogg"), (".mp3", "")]
)
def test_content_decides_not_the_suffix(suffix: str, named: str, write: WriteAudio) -> None:
    path = write(f"track{suffix}", chirp(3.0, 44_100), 44_100)
    disguised = path.rename(path.with_name(f"other{named}"))
    assert duration_of(disguised) == pytest.approx(3.0, abs=0.06)


def test_playlist_that_names_other_files_is_refused(tmp_path: Path, write: WriteAudio) -> None:
    secret = write("secret.wav", chirp(3.0, 44_100), 44_100)
    for name, text in {
        "list.txt": f"ffconcat version 1.0\nfile {secret.name}\n",
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{secret}\n#EXT-X-ENDLIST\n",
        "cue.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    }.items():
        (tmp_path / name).write_text(text)
        assert rejection_of(tmp_path / name) == Rejection.NOT_AUDIO


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    assert rejection_of(tmp_path / "empty.mp3") == Rejection.EMPTY


def test_missing_file_is_an_error_of_the_file_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        duration_of(tmp_path / "none.mp3")


def test_container_cut_before_its_index_is_damaged(write: WriteAudio) -> None:
    path = write("track.m4a", chirp(5.0, 44_100), 44_100)
    path.write_bytes(path.read_bytes()[:20_000])
    assert rejection_of(path) == Rejection.DAMAGED


def test_container_with_an_index_and_no_data_is_damaged(write: WriteAudio) -> None:
    path = write("track.m4a", chirp(5.0, 44_100), 44_100)
    content = bytearray(path.read_bytes())
    place = content.index(b"mdat")
    size = int.from_bytes(content[place - 4 : place], "big")
    content[place + 4 : place - 4 + size] = bytes(size - 8)
    path.write_bytes(content)
    assert rejection_of(path) == Rejection.DAMAGED


def test_wav_without_samples_is_empty(write: WriteAudio) -> None:
    path = write("track.wav", chirp(2.0, 44_100), 44_100)
    header = bytearray(path.read_bytes())
    start = header.index(b"data")
    header[start + 4 : start + 8] = bytes(4)
    path.write_bytes(header[: start + 8])
    assert rejection_of(path) == Rejection.EMPTY


def test_film_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    assert rejection_of(path) == Rejection.NO_AUDIO_STREAM


def test_wav_size_fields_that_lie(write: WriteAudio) -> None:
    path = write("track.wav", chirp(3.0, 44_100), 44_100)
    content = bytearray(path.read_bytes())
    start = content.index(b"data")
    for claimed in (b"\xff\xff\xff\xff", (10 * len(content)).to_bytes(4, "little")):
        content[start + 4 : start + 8] = claimed
        path.write_bytes(content)
        assert duration_of(path) == pytest.approx(3.0, abs=0.01)


def test_garbage_around_the_frames_of_an_mp3(write: WriteAudio) -> None:
    path = write("track.mp3", chirp(5.0, 44_100), 44_100)
    rng = np.random.default_rng(1)
    junk = rng.integers(0, 250, 3000, dtype=np.uint8).tobytes()
    path.write_bytes(junk + path.read_bytes() + junk)
    assert duration_of(path) == pytest.approx(5.0, abs=0.1)


def test_flipped_bytes_cost_only_their_packets(write: WriteAudio) -> None:
    path = write("track.mp3", chirp(20.0, 44_100), 44_100)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(2)
    for place in rng.integers(2000, len(content), 60):
        content[place] ^= 0xFF
    path.write_bytes(content)
    assert duration_of(path) == pytest.approx(20.0, abs=1.5)


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.flac", "a.wav", "a.opus"])
def test_span_by_the_index_is_the_span_by_decoding_all(name: str, write: WriteAudio) -> None:
    path = write(name, chirp(12.0, 48_000), 48_000)
    index = decode_track(path, 22_050, lambda _y, _track: None).index
    assert index.resume_before(8.123) is not None
    fast = decode_span(path, 8.123, 10.5, index)
    slow = decode_span(path, 8.123, 10.5)
    assert fast.samples.shape == slow.samples.shape == (2, round(2.377 * 48_000))
    # AAC fills noise bands at random; everything else comes out the same.
    np.testing.assert_allclose(fast.samples, slow.samples, atol=0.02 if name.endswith("m4a") else 1e-5)


def test_index_of_another_file_does_not_spoil_the_span(write: WriteAudio) -> None:
    path = write("a.mp3", chirp(6.0, 48_000), 48_000)
    wrong = PacketIndex([0, 900, 1000, 1100], [0.0, 1.0, 2.0, 3.0], [None] * 4)
    right = decode_span(path, 3.5, 5.0)
    np.testing.assert_allclose(decode_span(path, 3.5, 5.0, wrong).samples, right.samples, atol=1e-5)


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.flac", "a.wav", "a.opus"])
@pytest.mark.parametrize("place", [Place(10**9, 48_000), Place(0, -1), Place(5000, 2**62), None])
def test_a_place_that_no_seek_leads_to_is_found_by_counting(
    name: str, place: Place | None, write: WriteAudio
) -> None:
    path = write(name, chirp(6.0, 48_000), 48_000)
    index = decode_track(path, 22_050, lambda _y, _track: None).index
    sought = decode_span(path, 4.2, 5.5, index)
    index.places = [place] * len(index.places)
    np.testing.assert_array_equal(decode_span(path, 4.2, 5.5, index).samples, sought.samples)


def test_chained_ogg_is_one_track(tmp_path: Path, write: WriteAudio, sine: Sine) -> None:
    first = write("a.opus", np.stack([sine(300, 4.0, 48_000)] * 2), 48_000)
    second = write("b.opus", sine(500, 5.0, 48_000), 48_000)
    chain = tmp_path / "chain.opus"
    chain.write_bytes(first.read_bytes() + second.read_bytes())
    with chain.open("rb") as file:
        assert [link.start for link in find_links(file)] == [0, first.stat().st_size]
    track = decode_track(chain, 22_050, lambda _y, _track: None)
    assert track.duration_s == pytest.approx(9.0, abs=0.01)
    y = decode_span(chain, 7.0, 8.0, track.index).samples[0]
    assert np.argmax(np.abs(np.fft.rfft(y))) == pytest.approx(500, abs=2)


def test_change_of_rate_inside_a_stream(tmp_path: Path, write: WriteAudio, sine: Sine) -> None:
    first = write("a.mp3", np.stack([sine(300, 4.0, 44_100)] * 2), 44_100)
    second = write("b.mp3", sine(500, 5.0, 32_000), 32_000)
    both = tmp_path / "both.mp3"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    heard: list[FloatArray] = []
    track = decode_track(both, 22_050, lambda y, _track: heard.append(y))
    assert track.duration_s == pytest.approx(9.0, abs=0.15)
    assert sum(map(len, heard)) / 22_050 == pytest.approx(track.duration_s, abs=0.01)
    border = decode_span(both, 3.0, 6.0, track.index)
    for part, pitch in ((border.samples[0, 9_600:38_400], 300), (border.samples[0, -48_000:], 500)):
        peak_hz = np.argmax(np.abs(np.fft.rfft(part))) * 48_000 / len(part)
        assert peak_hz == pytest.approx(pitch, abs=4), "the pitch moved"


def test_header_that_points_beyond_any_file(write: WriteAudio) -> None:
    path = write("a.wav", chirp(3.0, 44_100), 44_100)
    with path.open("rb") as file:
        part = FilePart(file, find_links(file)[0])
        part.seek(2**63 - 1)
        assert part.read(100) == b""
        part.seek(-5)
        assert part.read(4) == b"RIFF"


def test_tags_and_cover(write: WriteAudio) -> None:
    path = write("a.mp3", chirp(3.0, 44_100), 44_100, tags={"title": "Тест", "artist": "Кто-то"})
    with open_source(path) as source:
        assert source.tags["title"] == "Тест"
        assert source.cover is None


@pytest.mark.parametrize(
    "claimed_s", [20 * 3600, 18 * 86_400, 1, 0], ids=["20 hours", "18 days", "1 s", "unknown"]
)
def test_a_headers_length_is_believed_by_nobody(claimed_s: int, write: WriteAudio) -> None:
    path = write("a.flac", chirp(3.0, 44_100), 44_100)
    content = bytearray(path.read_bytes())
    # STREAMINFO's 36 bits of total samples; an encoder that cannot go back leaves 0.
    total = claimed_s * 44_100
    content[21] = (content[21] & 0xF0) | (total >> 32)
    content[22:26] = (total & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(content)
    with open_source(path) as source:
        assert (source.hinted_duration_s or 0) == pytest.approx(claimed_s, rel=0.01)
    assert duration_of(path) == pytest.approx(3.0, abs=0.01)


def test_voice_message_without_its_last_page(write: WriteAudio) -> None:
    path = write("voice.ogg", chirp(6.0, 48_000, 1), 48_000)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"OggS")])
    assert duration_of(path) == pytest.approx(5.5, abs=0.6)


@pytest.mark.parametrize("rates", [(32_000, 192_000), (192_000, 32_000)], ids=["guess long", "guess short"])
def test_bit_rate_that_changes_without_a_header_that_says_so(
    rates: tuple[int, int], write: WriteAudio
) -> None:
    """VBR without Xing: whoever reckons from the first frames is wrong, or loses the end of the song."""
    parts = [write(f"{rate}.mp3", chirp(8.0, 44_100), 44_100, bit_rate=rate).read_bytes() for rate in rates]
    path = write("a.mp3", chirp(8.0, 44_100), 44_100)
    path.write_bytes(b"".join(part[first_frame_after_xing(part) :] for part in parts))
    with open_source(path) as source:
        assert abs((source.hinted_duration_s or 0) - 16.0) > 4.0
    assert duration_of(path) == pytest.approx(16.0, abs=0.15)


def first_frame_after_xing(content: bytes) -> int:
    """LAME's first frame holds no sound but the whole file's length."""
    xing = min(place for mark in (b"Xing", b"Info") if (place := content.find(mark)) >= 0)
    return content.index(b"\xff\xfb", xing)


def silent_flac(length_s: float, *, total: int | None = None, sr: int = 44_100) -> bytes:
    """The smallest FLAC of silence: frames of 65535 samples, 16 bytes each.

    `total`: the number of samples that the header claims.
    """
    n_frames = round(length_s * sr / 65_535)
    claimed = n_frames * 65_535 if total is None else total
    about = struct.pack(">HH6x", 65_535, 65_535) + (sr << 44 | 15 << 36 | claimed).to_bytes(8, "big")
    frames = []
    for number in range(n_frames):
        digits = [0x80 | number >> shift & 0x3F for shift in (12, 6, 0)]
        head = bytes([0xFF, 0xF8, 0x70, 0x08, 0xE0 | digits[0] & 0x0F, *digits[1:]]) + b"\xff\xfe"
        frame = head + bytes([crc(head, 0x07, 8)]) + bytes(3)  # one constant subframe: 0
        frames.append(frame + crc(frame, 0x8005, 16).to_bytes(2, "big"))
    return b"fLaC\x80\0\0\x22" + about + bytes(16) + b"".join(frames)


def crc(content: bytes, polynomial: int, n_bits: int) -> int:
    value = 0
    for byte in content:
        value ^= byte << (n_bits - 8)
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> (n_bits - 1) else 0)
            value &= (1 << n_bits) - 1
    return value


@pytest.mark.parametrize("total", [None, 0], ids=["told", "unknown"])
def test_ten_hours_in_a_third_of_a_megabyte_are_refused_without_decoding_them(
    total: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.flac"
    path.write_bytes(silent_flac(36_000.0, total=total))
    assert path.stat().st_size < 400_000
    heard: list[int] = []
    with pytest.raises(InputRejected) as caught:
        decode_track(path, 22_050, lambda y, _track: heard.append(len(y)))
    assert caught.value.code == Rejection.TOO_LONG
    assert heard == []


def test_sound_of_large_frames_does_not_pile_up(tmp_path: Path) -> None:
    """A frame of FLAC or TTA may hold more than a block: what comes out keeps pace with what goes in."""
    path = tmp_path / "large.flac"
    path.write_bytes(silent_flac(60.0))
    index = PacketIndex()
    with open_source(path) as source:
        behind_s = [index.times_s[-1] - block.start_s for block in source.blocks(index=index)]
    assert max(behind_s) < 3.0


def test_hours_of_silence_in_a_few_kilobytes_stop_early(tmp_path: Path) -> None:
    path = tmp_path / "bomb.flac"
    silence = np.zeros((1, 48_000), np.float32)
    write_audio(path, np.tile(silence, (1, 600)), 48_000)
    with pytest.raises(InputRejected) as caught:
        decode_track(path, 22_050, lambda _y, _track: None, DecodeLimits(max_s=60.0))
    assert caught.value.code == Rejection.TOO_LONG
