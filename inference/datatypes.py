"""The nouns that flow through the pipeline.

Conventions: time in seconds as `float` from the first decoded sample; spans are half-open [start_s, end_s);
audio arrays are (n_channels, n_samples) float32, full scale 1; feature arrays are (n_frames, n_bins), time
first. Types that hold arrays compare by identity.
"""

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.config import CLEAR_CONFIDENCE

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Audio with its rate. `samples`: (n_channels, n_samples) float32 in [-1, 1]; `sr` in Hz."""

    samples: FloatArray
    sr: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2:
            raise ValueError(f"samples must be (n_channels, n_samples), got shape {self.samples.shape}")
        if self.sr <= 0:
            raise ValueError(f"sr must be positive, got {self.sr}")

    @property
    def duration_s(self) -> float:
        return float(self.samples.shape[1] / self.sr)


@dataclass(frozen=True, slots=True, eq=False)
class TrackFeatures:
    """Everything later stages read from a track; collected in one streaming pass, a few MB an hour.

    `mel` (n_frames, n_mels): log-mel in dB re full scale, averaged in power to one value per `hop_s`.
    `chroma` (n_frames, 24): bass (12) then treble (12) chroma, A first, same hop.
    `loudness_db` (n_frames,): mean power of the mono analysis copy in dB re full scale, same hop.
    `onset_envelope`, `onset_bass` (n_onsets,): spectral flux over all bands, and below about 150 Hz,
    at the finer hop `onset_hop_s`.
    """

    mel: FloatArray
    chroma: FloatArray
    loudness_db: FloatArray
    hop_s: float
    onset_envelope: FloatArray
    onset_bass: FloatArray
    onset_hop_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, eq=False)
class InterestCurve:
    """How strongly each moment draws a listener, 0..1. `values`: (n_points,) float32.

    Point i speaks for [i * hop_s, (i + 1) * hop_s). `hop_s` follows from the model's true frame rate.
    `clarity` in 0..1 is the model's own belief that the track has a highlight at all.
    """

    values: FloatArray
    hop_s: float
    clarity: float = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """A span of the track. `score`: mean interest inside it, 0..1."""

    start_s: float
    end_s: float
    score: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.start_s <= self.end_s:
            raise ValueError(f"not a span: {self.start_s}..{self.end_s}")

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Tempo and metre of a track. `tempo_bpm` is None where there is no steady pulse.

    `beats_s`: beat times, ascending; `downbeats_s`: those that begin a bar; both empty without a pulse.
    """

    tempo_bpm: float | None
    beats_s: tuple[float, ...] = ()
    downbeats_s: tuple[float, ...] = ()
    beats_per_bar: int = 4


@dataclass(frozen=True, slots=True)
class Key:
    """Musical key. `tonic`: 0 = C .. 11 = B; `camelot` as DJs write it, for example 8A for A minor."""

    tonic: int
    is_minor: bool
    confidence: float

    @property
    def name(self) -> str:
        """For example `F# minor`."""
        names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
        return f"{names[self.tonic]} {'minor' if self.is_minor else 'major'}"

    @property
    def camelot(self) -> str:
        # C major is 8B; each fifth up adds one. A minor key shares the number of its relative major.
        major = (self.tonic + 3) % 12 if self.is_minor else self.tonic
        return f"{(7 + 7 * major) % 12 + 1}{'A' if self.is_minor else 'B'}"


@dataclass(frozen=True, slots=True, eq=False)
class TrackAnalysis:
    """All that is kept of a track after its audio is gone: enough to pick any window again.

    `confidence` 0..1: how likely the first window is what a listener would choose; below
    `inference.config.CLEAR_CONFIDENCE` the track has no clear highlight. `loudness_profile` (n,): level over
    the whole track in n equal steps, 0 is 40 dB under 1, the loudest step; for pictures.
    """

    duration_s: float
    curve: InterestCurve
    rhythm: Rhythm
    key: Key | None
    loudness_lufs: float | None
    confidence: float
    model_version: str
    title: str | None = None
    performer: str | None = None
    loudness_profile: FloatArray | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the curve is kept at 8 bits a point, beats in whole milliseconds."""
        key = self.key
        return {
            "duration_s": self.duration_s,
            "curve": {
                "values": _pack_bytes(self.curve.values),
                "hop_s": self.curve.hop_s,
                "clarity": self.curve.clarity,
            },
            "rhythm": {
                "tempo_bpm": self.rhythm.tempo_bpm,
                "beats": _pack_times(self.rhythm.beats_s),
                "downbeats": _pack_times(self.rhythm.downbeats_s),
                "beats_per_bar": self.rhythm.beats_per_bar,
            },
            "key": None if key is None else [key.tonic, key.is_minor, key.confidence],
            "loudness_lufs": self.loudness_lufs,
            "confidence": self.confidence,
            "model_version": self.model_version,
            "title": self.title,
            "performer": self.performer,
            "loudness_profile": (
                None if self.loudness_profile is None else _pack_bytes(self.loudness_profile)
            ),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TrackAnalysis":
        """Raises KeyError, TypeError or ValueError on anything that `to_dict` did not write."""
        curve, rhythm, key = data["curve"], data["rhythm"], data["key"]
        profile = data["loudness_profile"]
        return cls(
            duration_s=data["duration_s"],
            curve=InterestCurve(_unpack_bytes(curve["values"]), curve["hop_s"], curve["clarity"]),
            rhythm=Rhythm(
                rhythm["tempo_bpm"],
                _unpack_times(rhythm["beats"]),
                _unpack_times(rhythm["downbeats"]),
                rhythm["beats_per_bar"],
            ),
            key=None if key is None else Key(*key),
            loudness_lufs=data["loudness_lufs"],
            confidence=data["confidence"],
            model_version=data["model_version"],
            title=data["title"],
            performer=data["performer"],
            loudness_profile=None if profile is None else _unpack_bytes(profile),
        )


@dataclass(frozen=True, slots=True)
class Picks:
    """The window to play and others worth a try, best first; `confidence` as in `TrackAnalysis`."""

    window: Window
    runners_up: tuple[Window, ...]
    confidence: float

    @property
    def is_clear(self) -> bool:
        """Whether the track has a clear highlight at all."""
        return self.confidence >= CLEAR_CONFIDENCE


@dataclass(frozen=True, slots=True)
class EncodedVoice:
    """A finished OGG/Opus file. `waveform`-friendly: one Opus stream, no cover."""

    path: str
    duration_s: float
    lufs: float
    dbtp: float


@dataclass(frozen=True, slots=True, eq=False)
class Highlight:
    """Everything one track gave. `voice` is None where no file was asked for; `timings_s` by stage."""

    analysis: TrackAnalysis
    picks: Picks
    voice: EncodedVoice | None
    timings_s: dict[str, float]


def _pack(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), 9)).decode("ascii")


def _unpack(text: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=dtype)


def _pack_bytes(values: FloatArray) -> str:
    """Numbers in 0..1 at 8 bits each."""
    return _pack(np.round(np.clip(values, 0.0, 1.0) * 255).astype(np.uint8))


def _unpack_bytes(text: str) -> FloatArray:
    return _unpack(text, np.uint8).astype(np.float32) / np.float32(255)


def _pack_times(times_s: tuple[float, ...]) -> str:
    """Differences in milliseconds: a steady beat packs to a few bytes a bar."""
    return _pack(np.diff(np.round(np.array(times_s) * 1000.0).astype(np.int32), prepend=np.int32(0)))


def _unpack_times(text: str) -> tuple[float, ...]:
    return tuple((np.cumsum(_unpack(text, np.int32)) / 1000.0).tolist())
