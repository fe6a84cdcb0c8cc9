"""What the worker processes run for the bot: paths and plain values in, small JSON-ready results out.

The audio stack is imported inside the functions, so that the bot's own process names them without loading it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain import Choices

SAME_S = 0.02  # starts travel through options with 10 ms
THUMBNAIL_PIXELS = 320
THUMBNAIL_BYTES = 200_000
NOWHERE = Choices({}, (0.0, 0.0), 0, 0)


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
    """A file cut from a track. `duration_s` of the file; the rest in the track's own time. `thumbnail`: a
    small JPEG of the cover beside an MP3 that has one.
    """

    path: str
    duration_s: float
    start_s: float
    end_s: float
    score: float
    choices: Choices = NOWHERE
    thumbnail: str | None = None


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
    choices = _choices(highlight.analysis, window, order.length_s)
    clip = Clip(voice.path, voice.duration_s, window.start_s, window.end_s, window.score, choices)
    return _result(highlight.analysis), clip


def analyse(path: str, max_track_s: float) -> AnalysisResult:
    """A track that is wanted for a mix and was not heard before. Raises InputRejected."""
    from inference.decode import DecodeLimits
    from inference.pipeline import analyse_track

    return _result(analyse_track(path, DecodeLimits(max_s=max_track_s)))


def cut(path: str, out_path: str, order: ClipOrder, document: dict[str, Any]) -> Clip:
    """Another clip of a track that was analysed before."""
    from inference.datatypes import TrackAnalysis

    return _cut(path, out_path, TrackAnalysis.from_dict(document), order)


def draw(document: dict[str, Any], start_s: float, end_s: float, out_path: str, title: str) -> str:
    """The interest curve as a PNG, the window shaded and the other moments marked."""
    from inference.datatypes import TrackAnalysis, Window
    from inference.pipeline import pick
    from inference.plot import draw_curve

    analysis = TrackAnalysis.from_dict(document)
    window = Window(start_s, end_s)
    picks = pick(analysis, window.length_s)
    others = [w for w in (picks.window, *picks.runners_up) if abs(w.start_s - start_s) > SAME_S]
    draw_curve(analysis, window, others, out_path, title)
    return out_path


def _cut(path: str, out_path: str, analysis: Any, order: ClipOrder) -> Clip:
    from inference.datatypes import Window
    from inference.pipeline import cut_mp3, cut_voice, pick

    if order.start_s is None:
        window = pick(analysis, order.length_s).window
    else:
        end_s = min(order.start_s + order.length_s, analysis.duration_s)
        window = Window(min(order.start_s, end_s), end_s)
    thumbnail = None
    if order.is_mp3:
        title = order.title or analysis.title or ""
        voice = cut_mp3(path, window, out_path, title, order.performer or analysis.performer or "")
        thumbnail = _write_thumbnail(path, f"{out_path}.jpg")
    else:
        voice = cut_voice(path, window, out_path)
    choices = _choices(analysis, window, order.length_s)
    return Clip(voice.path, voice.duration_s, window.start_s, window.end_s, window.score, choices, thumbnail)


def _write_thumbnail(path: str, out_path: str) -> str | None:
    """The track's cover as Telegram shows it beside an audio: a JPEG of at most 320 pixels."""
    from inference.encode import cover_jpeg
    from inference.source import read_cover

    cover = read_cover(path)
    jpeg = cover_jpeg(cover, THUMBNAIL_PIXELS) if cover else None
    if jpeg is None or len(jpeg) > THUMBNAIL_BYTES:
        return None
    Path(out_path).write_bytes(jpeg)
    return out_path


def _choices(analysis: Any, window: Any, length_s: float) -> Choices:
    """Every window that a button under this one may ask for. `length_s`: as asked, the track may be
    shorter.
    """
    from inference.config import LENGTHS_S
    from inference.pipeline import pick
    from inference.window import next_window, shift_window

    picks = pick(analysis, length_s)
    moments = (picks.window, *picks.runners_up)

    def is_at(one: Any, other: Any) -> bool:
        return bool(abs(one.start_s - other.start_s) < SAME_S)

    def start(found: Any, best: Any) -> float | None:
        return None if is_at(found, best) else round(found.start_s, 2)

    starts: dict[str, float | None] = {}
    for name, bars in (("earlier", -1), ("later", 1)):
        shifted = shift_window(window, bars, analysis.rhythm, analysis.duration_s)
        if not is_at(shifted, window):
            starts[name] = start(shifted, picks.window)
    following = next_window(picks, window)
    if not is_at(following, window):
        starts["next"] = start(following, picks.window)
    is_moment = any(is_at(moment, window) for moment in moments)
    for other_s in LENGTHS_S:
        others = pick(analysis, other_s)
        around = _same_moment(others, window) if is_moment else None
        if around is None:  # the listener's own window keeps its start
            latest_s = max(0.0, analysis.duration_s - other_s)
            starts[f"{other_s:g}"] = round(min(window.start_s, latest_s), 2)
        else:
            starts[f"{other_s:g}"] = start(around, others.window)
    rank = next((n for n, moment in enumerate(moments, start=1) if is_at(moment, window)), 0)
    best = (round(picks.window.start_s, 2), round(picks.window.end_s, 2))
    return Choices(starts, best, rank, len(moments))


def _same_moment(picks: Any, window: Any) -> Any:
    """The pick of another length that lies inside or around `window`; None where none meets it."""

    def overlap_s(pick: Any) -> float:
        return float(min(pick.end_s, window.end_s) - max(pick.start_s, window.start_s))

    found = max((picks.window, *picks.runners_up), key=overlap_s)
    return found if overlap_s(found) > 0.0 else None


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
