"""A licence-free song made on the spot, with a form that is known to the sample.

Intro, verse, chorus, verse, chorus, bridge, double chorus, outro in four-four time: the chorus has its own
chords, a lead melody, full drums and more level, as songs of this form do. The demo sends it when it is given
no file; tests and golden data use its spans as the truth. The same arguments give the same samples.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

BEATS_PER_BAR = 4
TITLE = "Paper Lanterns"
PERFORMER = "The Sandbox Band"

# One entry a bar: semitones above the key note of the chord's root, and whether it is minor.
_VERSE_CHORDS = ((9, True), (5, False), (9, True), (4, True))
_CHORUS_CHORDS = ((0, False), (7, False), (9, True), (5, False))
# Two bars of lead, in eighths: scale degrees above the key note, None is a rest.
_CHORUS_LEAD = (7, 7, 9, 7, 12, None, 11, 9, 7, None, 4, 7, 9, None, 7, None)
_VERSE_LEAD = (None, None, 4, None, 2, None, 0, None, None, None, 2, None, -3, None, None, None)


class Span(NamedTuple):
    """Seconds, half-open."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    n_bars: int
    level: float
    drums: float
    chords: tuple[tuple[int, bool], ...]
    lead: tuple[int | None, ...] | None


_FORM = (
    _Section("intro", 4, 0.45, 0.0, _VERSE_CHORDS, None),
    _Section("verse", 8, 0.55, 0.45, _VERSE_CHORDS, _VERSE_LEAD),
    _Section("chorus", 8, 1.0, 1.0, _CHORUS_CHORDS, _CHORUS_LEAD),
    _Section("verse", 8, 0.55, 0.45, _VERSE_CHORDS, _VERSE_LEAD),
    _Section("chorus", 8, 1.0, 1.0, _CHORUS_CHORDS, _CHORUS_LEAD),
    _Section("bridge", 4, 0.4, 0.15, _VERSE_CHORDS, None),
    _Section("chorus", 16, 1.0, 1.0, _CHORUS_CHORDS, _CHORUS_LEAD),
    _Section("outro", 4, 0.35, 0.0, _VERSE_CHORDS, None),
)


def synthesise_song(
    *, tempo_bpm: float = 120.0, sr: int = 44_100, key_note: int = 60, seed: int = 7
) -> tuple[FloatArray, int, tuple[Span, ...]]:
    """The song, its rate and its choruses: samples (2, n_samples) in [-1, 1], spans in seconds.

    120 s at 120 BPM. `key_note` is a MIDI number: 60 makes it C major. The first beat is at 0.
    """
    beat_s = 60.0 / tempo_bpm
    bar_s = beat_s * BEATS_PER_BAR
    n_bars = sum(section.n_bars for section in _FORM)
    song = np.zeros((2, round((n_bars * bar_s + 0.5) * sr)), dtype=np.float32)
    rng = np.random.default_rng(seed)
    kit = _Kit(sr, rng)
    choruses = []
    bar = 0
    for section in _FORM:
        if section.name == "chorus":
            choruses.append(Span(bar * bar_s, (bar + section.n_bars) * bar_s))
        for i in range(section.n_bars):
            _play_bar(song, section, i, (bar + i) * bar_s, beat_s, key_note, sr, kit)
        bar += section.n_bars
    song *= 0.8 / float(np.abs(song).max())
    return song, sr, tuple(choruses)


def write_song(path: Path | str, *, tempo_bpm: float = 120.0, seed: int = 7) -> tuple[Span, ...]:
    """Write the tagged song as the suffix says (.mp3, .ogg, .m4a, .flac, .wav) and return its choruses."""
    sr = 48_000 if Path(path).suffix in {".ogg", ".opus"} else 44_100  # Opus knows only 48 kHz
    samples, sr, choruses = synthesise_song(tempo_bpm=tempo_bpm, sr=sr, seed=seed)
    write_audio(path, samples, sr, tags={"title": TITLE, "artist": PERFORMER, "album": "Sandbox"})
    return choruses


def write_audio(
    path: Path | str,
    samples: FloatArray,
    sr: int,
    *,
    tags: dict[str, str] | None = None,
    codec: str | None = None,
    bit_rate: int = 160_000,
) -> None:
    """Encode (n_channels, n_samples) in the format of the suffix; `codec` overrides its usual one."""
    path = Path(path)
    usual = {
        ".mp3": "libmp3lame",
        ".ogg": "libopus",
        ".opus": "libopus",
        ".m4a": "aac",
        ".flac": "flac",
        ".wav": "pcm_s16le",
    }
    layout = "mono" if samples.shape[0] == 1 else "stereo"
    with path.open("wb") as file, av.open(file, "w", format=_muxer(path.suffix)) as container:
        container.metadata.update(tags or {})
        stream = container.add_stream(codec or usual[path.suffix], rate=sr, layout=layout)
        if not isinstance(stream, av.AudioStream):
            raise TypeError(f"{codec} is no audio codec")
        if path.suffix not in {".flac", ".wav"}:
            stream.bit_rate = bit_rate
        # Small frames for the encoder; one frame of a whole song is refused by some of them.
        for first in range(0, samples.shape[1], 65_536):
            block = np.ascontiguousarray(samples[:, first : first + 65_536], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate = sr
            frame.time_base = Fraction(1, sr)
            frame.pts = first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _muxer(suffix: str) -> str:
    return {".m4a": "mp4", ".opus": "ogg"}.get(suffix, suffix.removeprefix("."))


class _Kit:
    """Drum hits, made once."""

    def __init__(self, sr: int, rng: np.random.Generator) -> None:
        t = np.arange(round(0.3 * sr)) / sr
        self.kick = np.sin(2 * np.pi * (50 * t + 8 * (1 - np.exp(-30 * t)))) * np.exp(-12 * t)
        noise = rng.standard_normal(len(t))
        self.snare = 0.6 * noise * np.exp(-18 * t) + 0.4 * np.sin(2 * np.pi * 190 * t) * np.exp(-20 * t)
        # A first difference leaves the hat only its highs.
        self.hat = 0.35 * np.diff(noise, prepend=0.0) * np.exp(-60 * t)


def _play_bar(
    song: FloatArray,
    section: _Section,
    i: int,
    start_s: float,
    beat_s: float,
    key_note: int,
    sr: int,
    kit: _Kit,
) -> None:
    root, is_minor = section.chords[i % len(section.chords)]
    bar_s = BEATS_PER_BAR * beat_s
    for k, semitone in enumerate((0, 3 if is_minor else 4, 7)):
        note = key_note + root + semitone - (12 if root > 4 else 0)
        _add(song, _tone(note, bar_s, sr, n_harmonics=6, decay=0.6), start_s, sr, 0.16 * section.level, k - 1)
    for beat in range(BEATS_PER_BAR):
        at_s = start_s + beat * beat_s
        bass = _tone(key_note + root - 24 - (12 if root > 4 else 0), beat_s * 0.9, sr, n_harmonics=4, decay=3)
        _add(song, bass, at_s, sr, 0.35 * section.level, 0)
        _add(song, kit.kick if beat % 2 == 0 else kit.snare, at_s, sr, 0.7 * section.drums, 0)
        for half in (0.0, 0.5):
            _add(song, kit.hat, at_s + half * beat_s, sr, 0.8 * section.drums, 1 if half else -1)
    if section.lead is None:
        return
    half_of_lead = section.lead[:8] if i % 2 == 0 else section.lead[8:]
    for eighth, degree in enumerate(half_of_lead):
        if degree is not None:
            lead = _tone(key_note + 12 + degree, beat_s * 0.55, sr, n_harmonics=9, decay=2.5, vibrato=0.006)
            _add(song, lead, start_s + eighth * beat_s / 2, sr, 0.3 * section.level, 0)


@lru_cache(maxsize=256)
def _tone(
    note: int, length_s: float, sr: int, *, n_harmonics: int, decay: float, vibrato: float = 0.0
) -> npt.NDArray[np.float64]:
    t = np.arange(round(length_s * sr)) / sr
    phase = 2 * np.pi * 440.0 * 2 ** ((note - 69) / 12) * (t + vibrato * np.sin(2 * np.pi * 5.5 * t) / 35)
    y = np.sum([np.sin(h * phase) / h for h in range(1, n_harmonics + 1)], axis=0)
    edge = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.008)
    return np.asarray(y * edge * np.exp(-decay * t))


def _add(song: FloatArray, y: npt.NDArray[np.float64], at_s: float, sr: int, gain: float, pan: float) -> None:
    """Mix `y` into the song in place, panned a little: `pan` -1 is left, 1 is right."""
    first = round(at_s * sr)
    y = y[: song.shape[1] - first] * gain
    song[0, first : first + len(y)] += (1 - 0.35 * pan) * y
    song[1, first : first + len(y)] += (1 + 0.35 * pan) * y
