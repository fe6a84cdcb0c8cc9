"""The stages in order, with their timings; no maths of its own.

What the worker pool runs is here: functions that take paths and plain values and give back small results.
A track's audio never leaves the process that decoded it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from inference.config import CLEAR_CONFIDENCE, DEFAULT_LENGTH_S, FeatureConfig
from inference.datatypes import (
    EncodedVoice,
    FloatArray,
    Highlight,
    InterestCurve,
    Picks,
    TrackAnalysis,
    TrackFeatures,
    Window,
)
from inference.decode import DecodedTrack, DecodeLimits, decode_span, decode_track
from inference.encode import write_mp3, write_voice
from inference.features import FeatureExtractor
from inference.filters import mel_filters
from inference.key import estimate_key
from inference.loudness import Levelled, fade_edges, loudness_profile, normalise, track_lufs
from inference.memory import give_memory_back
from inference.model import InterestModel
from inference.musicality import musicality
from inference.progress import Stage, report
from inference.rhythm import track_rhythm
from inference.source import PacketIndex, read_cover
from inference.tags import title_and_performer
from inference.window import curve_by_loudness, pick_windows

LONG_TRACK_S = 900.0  # from here on what a stage leaves behind is worth the milliseconds of giving it back


class Stopwatch:
    """Stages by name, in seconds of `clock`."""

    clock: Callable[[], float] = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self.timings_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = self.clock()
        try:
            yield
        finally:
            self.timings_s[name] = self.timings_s.get(name, 0.0) + self.clock() - start


@cache
def process_model(weights: Path | None = None, threads: int = 1) -> InterestModel:
    """The model of this process, loaded once."""
    return InterestModel.load(weights, threads)


def make_highlight(
    path: Path | str,
    out_path: Path | str | None = None,
    length_s: float = DEFAULT_LENGTH_S,
    limits: DecodeLimits | None = None,
    model: InterestModel | None = None,
) -> Highlight:
    """A track's highlight: analysed, picked, and written to `out_path` as a voice message.

    Raises InputRejected where the track cannot have one, OSError where a file cannot be read or written.
    """
    watch = Stopwatch()
    with watch.stage("total"):
        analysis, track = _listen(path, model or process_model(), limits or DecodeLimits(), watch)
        with watch.stage("pick"):
            picks = pick(analysis, length_s)
        voice = None
        if out_path is not None:
            voice = _cut_voice(path, picks.window, out_path, track.index, watch)
    return Highlight(analysis, picks, voice, watch.timings_s)


def analyse_track(
    path: Path | str, limits: DecodeLimits | None = None, model: InterestModel | None = None
) -> TrackAnalysis:
    """Everything that is kept of a track. Raises InputRejected."""
    return _listen(path, model or process_model(), limits or DecodeLimits(), Stopwatch())[0]


def pick(analysis: TrackAnalysis, length_s: float = DEFAULT_LENGTH_S) -> Picks:
    """The windows of an analysed track, for any length, without its audio."""
    return pick_windows(analysis.curve, analysis.duration_s, length_s, analysis.rhythm, analysis.confidence)


def cut_voice(path: Path | str, window: Window, out_path: Path | str) -> EncodedVoice:
    """Write one window of a track as a voice message, levelled and faded."""
    return _cut_voice(path, window, out_path, None, Stopwatch())


def cut_mp3(
    path: Path | str, window: Window, out_path: Path | str, title: str, performer: str, album: str = ""
) -> EncodedVoice:
    """Write one window as a tagged MP3 with the track's own cover, levelled and faded."""
    piece = _level(path, window, None, Stopwatch())
    write_mp3(piece.waveform, out_path, title=title, performer=performer, album=album, cover=read_cover(path))
    return EncodedVoice(str(out_path), piece.waveform.duration_s, piece.lufs, piece.dbtp)


def _listen(
    path: Path | str, model: InterestModel, limits: DecodeLimits, watch: Stopwatch
) -> tuple[TrackAnalysis, DecodedTrack]:
    """One pass over the sound, then what the features tell."""
    features, track = _hear(path, model.config, limits, watch)
    is_long = track.duration_s > LONG_TRACK_S
    with watch.stage("rhythm"):
        rhythm = track_rhythm(
            features.onset_envelope,
            features.onset_bass,
            features.onset_hop_s,
            features.chroma,
            features.hop_s,
        )
    if is_long:
        give_memory_back()
    with watch.stage("model"):
        curve = model.predict(features)
        # What is no music has no highlight, however lively the curve.
        confidence = curve.clarity * musicality(features, rhythm)
        curve = replace(curve, clarity=confidence)
    if is_long:
        give_memory_back()
    with watch.stage("key"):
        key = estimate_key(features.chroma)
    with watch.stage("loudness"):
        lufs = track_lufs(features.mel, features.loudness_db, mel_filters(model.config)[1])
    title, performer = title_and_performer(track.tags)
    analysis = TrackAnalysis(
        duration_s=track.duration_s,
        curve=_honest_curve(curve, features, confidence),
        rhythm=rhythm,
        key=key,
        loudness_lufs=lufs,
        confidence=confidence,
        model_version=model.version,
        title=title,
        performer=performer,
        loudness_profile=loudness_profile(features.loudness_db),
    )
    return analysis, track


def _hear(
    path: Path | str, config: FeatureConfig, limits: DecodeLimits, watch: Stopwatch
) -> tuple[TrackFeatures, DecodedTrack]:
    """Decode and measure, block by block."""
    extractor = FeatureExtractor(config)

    def push(y: FloatArray, track: DecodedTrack) -> None:
        with watch.stage("features"):
            extractor.push(y)
        report(Stage.LISTENING, track.duration_s, track.hinted_duration_s or 0.0)

    with watch.stage("decode"):
        track = decode_track(path, config.sr, push, limits)
    # The decoder waited while features were made: each second is counted once.
    watch.timings_s["decode"] -= watch.timings_s["features"]
    report(Stage.CHOOSING)
    with watch.stage("features"):
        features = extractor.finish()
    return features, track


def _honest_curve(curve: InterestCurve, features: TrackFeatures, confidence: float) -> InterestCurve:
    """The model's curve; where it sees no highlight, the loudest musical part instead."""
    if confidence >= CLEAR_CONFIDENCE:
        return curve
    return curve_by_loudness(features, curve.clarity)


def _cut_voice(
    path: Path | str, window: Window, out_path: Path | str, index: PacketIndex | None, watch: Stopwatch
) -> EncodedVoice:
    piece = _level(path, window, index, watch)
    with watch.stage("encode"):
        return write_voice(piece, out_path)


def _level(path: Path | str, window: Window, index: PacketIndex | None, watch: Stopwatch) -> Levelled:
    report(Stage.CUTTING)
    with watch.stage("cut"):
        waveform = decode_span(path, window.start_s, window.end_s, index)
    with watch.stage("loudness"):
        piece = normalise(waveform)
        return Levelled(fade_edges(piece.waveform), piece.gain_db, piece.lufs, piece.dbtp)
