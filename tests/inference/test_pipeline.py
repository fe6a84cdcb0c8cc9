"""The whole job on songs whose chorus is known."""

import base64
import io
import json
import os
import struct
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.signal import correlate, resample_poly

from inference.config import CEILING_DBTP, CLEAR_CONFIDENCE, TARGET_LUFS
from inference.datatypes import InterestCurve, TrackAnalysis, TrackFeatures, Window
from inference.decode import DecodeLimits, decode_span, downmix
from inference.errors import InputRejected, Rejection
from inference.loudness import measure_dbtp, measure_lufs, normalise
from inference.mixing.nouns import MixOptions
from inference.mixing.plan import plan_mix
from inference.mixing.render import render_mix
from inference.pipeline import analyse_track, cut_mp3, cut_voice, make_highlight, pick, process_model
from inference.source import read_cover
from inference.tags import id3_tag
from sandbox.song import Span
from tests.conftest import FloatArray, WriteAudio

Song = tuple[FloatArray, int, tuple[Span, ...]]
STAGES = {"decode", "features", "model", "rhythm", "key", "pick", "cut", "loudness", "encode", "total"}


class Certain:
    """A model that has read the answer: interest 1 in `span`, 0 elsewhere."""

    def __init__(self, span: tuple[float, float], clarity: float = 1.0) -> None:
        self.config = process_model().config
        self.version = "certain"
        self._span = span
        self._clarity = clarity

    def predict(self, features: TrackFeatures) -> InterestCurve:
        times_s = (np.arange(len(features.mel)) + 0.5) * features.hop_s
        inside = (times_s >= self._span[0]) & (times_s < self._span[1])
        return InterestCurve(inside.astype(np.float32), features.hop_s, self._clarity)


@pytest.mark.slow
def test_voice_is_cut_at_the_promised_place(song: Song, song_path: Path, tmp_path: Path) -> None:
    samples, sr, _ = song
    result = make_highlight(song_path, tmp_path / "voice.ogg", model=Certain((81.3, 111.3)))  # type: ignore[arg-type]
    window = result.picks.window
    # Bars last 2 s from 0 on: the start moves to one.
    assert window.start_s == pytest.approx(82.0, abs=0.06)
    assert window.length_s == pytest.approx(30.0)
    sent = decode_span(tmp_path / "voice.ogg", 0.0, 60.0)
    assert sent.duration_s == pytest.approx(30.0, abs=0.01)
    start = round(window.start_s * sr)
    original = downmix(samples[:, start - 4_800 : start + 10 * sr + 4_800])
    lag = int(np.argmax(correlate(original, downmix(sent.samples)[: 10 * sr], "valid"))) - 4_800
    assert abs(lag) <= 48, "cut off the promised place by more than a millisecond"
    assert measure_lufs(sent) == pytest.approx(TARGET_LUFS, abs=0.5)
    assert measure_dbtp(sent) <= CEILING_DBTP
    assert set(result.timings_s) == STAGES


@pytest.mark.slow
def test_shipped_model_finds_a_chorus_of_the_song(song: Song, song_path: Path) -> None:
    window = pick(analyse_track(song_path)).window
    heard = sum(max(0.0, min(window.end_s, c.end_s) - max(window.start_s, c.start_s)) for c in song[2])
    assert heard / window.length_s >= 0.5


def test_analysis_knows_the_song(song_path: Path) -> None:
    analysis = analyse_track(song_path)
    assert analysis.duration_s == pytest.approx(120.5, abs=0.01)
    assert analysis.rhythm.tempo_bpm == pytest.approx(120.0, abs=0.5)
    assert (analysis.title, analysis.performer) == ("Paper Lanterns", "The Sandbox Band")
    assert analysis.model_version == process_model().version
    stored = TrackAnalysis.from_dict(json.loads(json.dumps(analysis.to_dict())))
    for length_s in (15.0, 30.0, 60.0):
        again, first = pick(stored, length_s).window, pick(analysis, length_s).window
        assert again.start_s == pytest.approx(first.start_s, abs=0.01)


def test_doubtful_track_gets_its_loudest_part_and_low_confidence(song_path: Path) -> None:
    # The model points at the quiet bridge, and does not believe it.
    analysis = analyse_track(song_path, model=Certain((72.0, 80.0), clarity=0.05))  # type: ignore[arg-type]
    picks = pick(analysis)
    assert picks.confidence < CLEAR_CONFIDENCE
    assert not picks.is_clear
    assert picks.window.start_s == pytest.approx(81.0, abs=1.5)


def test_noise_has_no_clear_highlight(write: WriteAudio) -> None:
    noise = np.random.default_rng(0).standard_normal((1, 90 * 22_050)).astype(np.float32) * 0.1
    picks = pick(analyse_track(write("noise.wav", noise, 22_050)))
    assert not picks.is_clear
    assert picks.window.length_s == pytest.approx(30.0)


def test_talk_has_no_clear_highlight(shared_cases: Path) -> None:
    assert not pick(analyse_track(shared_cases / "f10_8khz_mono_40s.mp3")).is_clear


@pytest.mark.parametrize(
    ("length_s", "limits", "code"),
    [
        (1.0, DecodeLimits(), Rejection.TOO_SHORT),
        (9.0, DecodeLimits(max_s=8.0), Rejection.TOO_LONG),
    ],
)
def test_limits_are_of_decoded_time(
    length_s: float, limits: DecodeLimits, code: Rejection, write: WriteAudio, tmp_path: Path
) -> None:
    path = write(
        "a.mp3", np.random.default_rng(0).standard_normal((1, round(length_s * 44_100))) * 0.1, 44_100
    )
    with pytest.raises(InputRejected) as caught:
        make_highlight(path, tmp_path / "voice.ogg", limits=limits)
    assert caught.value.code is code
    assert not (tmp_path / "voice.ogg").exists()


@pytest.mark.parametrize(
    ("amplitude", "is_silent"), [(0.0, True), (1e-5, True), (1e-4, False)], ids=["zeros", "-100 dB", "-80 dB"]
)
def test_silence_is_said(amplitude: float, is_silent: bool, write: WriteAudio, sine: object) -> None:
    y = amplitude * np.sin(2 * np.pi * 440 * np.arange(5 * 44_100) / 44_100)
    path = write("a.wav", y, 44_100, codec="pcm_f32le")
    if not is_silent:
        assert analyse_track(path).rhythm.tempo_bpm is None
        return
    with pytest.raises(InputRejected) as caught:
        analyse_track(path)
    assert caught.value.code is Rejection.SILENT


def test_damaged_floats_are_heard_as_silence(write: WriteAudio, tmp_path: Path) -> None:
    y = 0.1 * np.sin(2 * np.pi * 440 * np.arange(4 * 44_100) / 44_100)
    y[1000], y[2000], y[3000] = np.nan, np.inf, 1e30
    path = write("a.wav", y, 44_100, codec="pcm_f32le")
    result = make_highlight(path, tmp_path / "voice.ogg")
    assert np.isfinite(result.analysis.curve.values).all()
    assert np.isfinite(decode_span(path, 0.0, 4.0).samples).all()
    assert result.voice is not None
    assert measure_dbtp(decode_span(tmp_path / "voice.ogg", 0.0, 4.0)) <= 0.0


def test_one_sample_that_is_no_number_changes_nothing_else(write: WriteAudio) -> None:
    y = tune(8.0)
    broken = y.copy()
    broken[0, 100_000] = np.nan
    curves = [
        analyse_track(write(name, sound, 44_100, codec="pcm_f32le")).curve.values
        for name, sound in (("whole.wav", y), ("broken.wav", broken))
    ]
    assert curves[0].any()
    np.testing.assert_allclose(curves[1], curves[0], atol=0.1)


@pytest.mark.parametrize("length_s", [1.6, 5.0, 29.9, 30.0, 30.1])
def test_window_of_a_track_about_its_length_lies_inside(length_s: float, write: WriteAudio) -> None:
    analysis = analyse_track(write("a.wav", tune(length_s), 44_100))
    window = pick(analysis).window
    assert window.length_s == pytest.approx(min(30.0, length_s), abs=0.001)
    assert 0.0 <= window.start_s <= max(0.0, length_s - 30.0) + 0.001


def test_sides_that_cancel_each_other_out_are_not_served_as_silence(
    write: WriteAudio, tmp_path: Path
) -> None:
    y = tune(5.0)[:1]
    result = make_highlight(write("a.wav", np.concatenate([y, -y]), 44_100), tmp_path / "voice.ogg")
    assert result.analysis.curve.values.any()
    sent = decode_span(tmp_path / "voice.ogg", 0.0, 5.0)
    assert sent.samples.shape[0] == 1
    assert measure_lufs(sent) == pytest.approx(TARGET_LUFS, abs=1.0)


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg"])
def test_a_cover_is_not_carried_into_the_voice(name: str, write: WriteAudio, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (300, 300), "teal").save(picture, "JPEG")
    if name == "a.mp3":
        path = write(name, tune(3.0), 44_100)
        path.write_bytes(id3_tag("T", "P", cover_jpeg=picture.getvalue()) + path.read_bytes())
    else:
        block = struct.pack(">II10sI16xI", 3, 10, b"image/jpeg", 0, len(picture.getvalue()))
        tags = {"METADATA_BLOCK_PICTURE": base64.b64encode(block + picture.getvalue()).decode()}
        path = write(name, resample_poly(tune(3.0), 160, 147, axis=1), 48_000, tags=tags)
    assert read_cover(path) == picture.getvalue()
    cut_voice(path, Window(0.5, 2.5), tmp_path / "voice.ogg")
    with av.open(str(tmp_path / "voice.ogg")) as container:
        assert [(stream.type, stream.codec_context.name) for stream in container.streams] == [
            ("audio", "opus")
        ]
    assert b"METADATA_BLOCK_PICTURE" not in (tmp_path / "voice.ogg").read_bytes().upper()


def test_no_program_is_started_to_decode_or_encode(
    write: WriteAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ffmpeg that hangs, or fills a pipe that nobody reads, cannot hold up what never calls it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("ffmpeg", "ffprobe", "avconv", "avprobe", "sox", "lame"):
        (programs / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/called\nexec sleep 600\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    path = write("a.m4a", tune(6.0), 44_100)
    analysis = make_highlight(path, tmp_path / "voice.ogg", 3.0).analysis
    cut_mp3(path, Window(1.0, 4.0), tmp_path / "keep.mp3", "T", "P")
    plan = plan_mix([analysis, analysis], MixOptions(length_s=3.0))
    render_mix(plan, [str(path)] * 2, tmp_path / "mix.mp3", title="T", performer="P")
    assert not (tmp_path / "called").exists()


def tune(length_s: float, sr: int = 44_100) -> FloatArray:
    """Chords over a beat: (2, n_samples)."""
    t = np.arange(round(length_s * sr)) / sr
    chord = sum(np.sin(2 * np.pi * f * (1 + 0.5 * (t % 8 > 4)) * t) for f in (220.0, 277.2, 329.6))
    y = 0.1 * chord + 0.4 * np.exp(-12.0 * (t % 0.5)) * np.sin(2 * np.pi * 60.0 * t)
    return np.stack([y, 0.9 * y]).astype(np.float32)


def test_full_disk_is_an_error_of_the_system(song_path: Path) -> None:
    for cut in (cut_voice, lambda *args: cut_mp3(*args, title="T", performer="P")):
        with pytest.raises(OSError, match="No space left"):
            cut(song_path, Window(1.0, 6.0), "/dev/full")


@pytest.mark.parametrize("sr", [8_000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_own_channels_at_the_voices_rate(sr: int, n_channels: int, write: WriteAudio, tmp_path: Path) -> None:
    t = np.arange(4 * sr) / sr
    path = write("a.wav", np.stack([np.sin(2 * np.pi * f * t) for f in (440, 660)[:n_channels]]) * 0.3, sr)
    cut_voice(path, Window(1.0, 3.0), tmp_path / "v.ogg")
    piece = decode_span(tmp_path / "v.ogg", 0.5, 1.5)
    assert piece.samples.shape == (n_channels, 48_000)
    for channel, frequency_hz in zip(piece.samples, (440, 660), strict=False):
        assert np.argmax(np.abs(np.fft.rfft(channel))) == pytest.approx(frequency_hz, abs=1)


def test_many_channels_become_a_pair_without_clipping(tmp_path: Path) -> None:
    t = np.arange(3 * 48_000) / 48_000
    channels = np.stack([np.sin(2 * np.pi * (200 + 100 * k) * t) for k in range(6)]) * 0.9
    path = tmp_path / "six.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="5.1")
        block = (channels.T.reshape(1, -1) * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="5.1")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    piece = decode_span(path, 0.0, 3.0)
    assert piece.samples.shape[0] == 2
    # Six full channels add up to more than full scale; the level of what is sent is set after that.
    assert measure_dbtp(normalise(piece).waveform) <= CEILING_DBTP
    left = np.abs(np.fft.rfft(piece.samples[0]))
    assert left[3 * 200] > 10 * left[3 * 300], "the right front is not on the left"
    assert left[3 * 400] > 100, "the centre is heard"


@pytest.mark.parametrize(
    ("codec", "tolerance"),
    [
        ("pcm_u8", 0.02),
        ("pcm_s24le", 1e-4),
        ("pcm_s32le", 1e-4),
        ("pcm_f32le", 1e-4),
        ("pcm_f64le", 1e-4),
        ("pcm_mulaw", 0.03),
        ("pcm_alaw", 0.03),
        ("adpcm_ms", 0.15),
    ],
)
def test_every_depth_sounds_like_sixteen_bits(codec: str, tolerance: float, write: WriteAudio) -> None:
    usual = decode_span(write("a.wav", tune(3.0), 44_100), 0.5, 2.5)
    other = decode_span(write("b.wav", tune(3.0), 44_100, codec=codec), 0.5, 2.5)
    np.testing.assert_allclose(other.samples, usual.samples, atol=tolerance)


@pytest.mark.parametrize("n_channels", [9, 32, 64])
def test_a_mixing_desks_channels_are_heard_on_both_sides(n_channels: int, tmp_path: Path) -> None:
    """Places of so many channels have no names: odd ones go left, even ones right, none is lost."""
    pitches = 200 + 50 * np.arange(n_channels)
    piece = decode_span(write_bare_wav(tmp_path / "desk.wav", pitches, 3.0), 0.0, 3.0)
    assert piece.samples.shape == (2, 3 * 48_000)
    left, right = (np.abs(np.fft.rfft(side)) for side in piece.samples)
    for n, pitch in enumerate(pitches):
        near, far = (left, right) if n % 2 == 0 else (right, left)
        assert near[3 * pitch] > 100 * far[3 * pitch]


def test_more_channels_than_any_filter_takes_are_damage(tmp_path: Path) -> None:
    path = write_bare_wav(tmp_path / "many.wav", 200 + np.arange(100), 2.0)
    with pytest.raises(InputRejected) as caught:
        make_highlight(path, tmp_path / "voice.ogg")
    assert caught.value.code is Rejection.DAMAGED


def write_bare_wav(path: Path, pitches: npt.NDArray[np.int_], length_s: float, sr: int = 44_100) -> Path:
    """A tone in each channel, written as an extensible WAV that gives the channels no places."""
    t = np.arange(round(length_s * sr)) / sr
    content = (np.sin(2 * np.pi * np.outer(t, pitches)) * 9_000).astype("<i2").tobytes()
    n = len(pitches)
    about = struct.pack("<HHIIHHHHI", 0xFFFE, n, sr, 2 * n * sr, 2 * n, 16, 22, 16, 0)
    about += bytes.fromhex("0100000000001000800000aa00389b71")  # PCM
    chunks = b"WAVEfmt " + struct.pack("<I", len(about)) + about + b"data" + struct.pack("<I", len(content))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + len(content)) + chunks + content)
    return path


def test_mp3_for_keeping_has_the_tracks_cover(tmp_path: Path, gold_audio: Path, shared_cases: Path) -> None:
    piece = cut_mp3(shared_cases / "f01_song.mp3", Window(40.0, 45.0), tmp_path / "keep.mp3", "T", "P")
    assert piece.duration_s == pytest.approx(5.0)
    assert read_cover(tmp_path / "keep.mp3") is not None
