"""What the worker processes run for the bot: paths and plain values in, small JSON-ready results out.

The audio stack is imported inside the functions, so that the bot's own process names them without loading it.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """`document`: TrackAnalysis.to_dict(); the rest is taken out of it for storage and captions."""

    document: dict[str, Any]
    model_version: str
    duration_s: float
    tempo_bpm: float | None
    key: str | None
    confidence: float
    title: str | None
    performer: str | None


@dataclass(frozen=True, slots=True)
class Clip:
    """A file cut from a track. `duration_s` of the file; the rest in the track's own time."""

    path: str
    duration_s: float
    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """What to cut. `start_s` None: the best moment. MP3 tags are written where `is_mp3`."""

    length_s: float
    start_s: float | None = None
    is_mp3: bool = False
    title: str = ""
    performer: str = ""


def model_version() -> str:
    """Loads the model in this process on the way: also a warm-up."""
    from inference.pipeline import process_model

    version: str = process_model().version
    return version


def analyse_and_cut(
    path: str, out_path: str, order: ClipOrder, max_track_s: float
) -> tuple[AnalysisResult, Clip]:
    """A track heard for the first time. Raises InputRejected."""
    from inference.decode import DecodeLimits
    from inference.pipeline import analyse_track, make_highlight

    limits = DecodeLimits(max_s=max_track_s)
    if order.is_mp3 or order.start_s is not None:
        analysis = analyse_track(path, limits)
        return _result(analysis), _cut(path, out_path, analysis, order)
    highlight = make_highlight(path, out_path, order.length_s, limits)
    window, voice = highlight.picks.window, highlight.voice
    assert voice is not None  # noqa: S101  # a path was given
    clip = Clip(voice.path, voice.duration_s, window.start_s, window.end_s, window.score)
    return _result(highlight.analysis), clip


def cut(path: str, out_path: str, order: ClipOrder, document: dict[str, Any]) -> Clip:
    """Another clip of a track that was analysed before."""
    from inference.datatypes import TrackAnalysis

    return _cut(path, out_path, TrackAnalysis.from_dict(document), order)


def _cut(path: str, out_path: str, analysis: Any, order: ClipOrder) -> Clip:
    from inference.datatypes import Window
    from inference.pipeline import cut_mp3, cut_voice, pick

    if order.start_s is None:
        window = pick(analysis, order.length_s).window
    else:
        end_s = min(order.start_s + order.length_s, analysis.duration_s)
        window = Window(min(order.start_s, end_s), end_s)
    if order.is_mp3:
        title = order.title or analysis.title or ""
        voice = cut_mp3(path, window, out_path, title, order.performer or analysis.performer or "")
    else:
        voice = cut_voice(path, window, out_path)
    return Clip(voice.path, voice.duration_s, window.start_s, window.end_s, window.score)


def _result(analysis: Any) -> AnalysisResult:
    return AnalysisResult(
        document=analysis.to_dict(),
        model_version=analysis.model_version,
        duration_s=analysis.duration_s,
        tempo_bpm=analysis.rhythm.tempo_bpm,
        key=None if analysis.key is None else analysis.key.name,
        confidence=analysis.confidence,
        title=analysis.title,
        performer=analysis.performer,
    )
