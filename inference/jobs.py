"""What a worker is asked to do, named without loading what does it.

A caller that must stay light (the bot's event loop) hands these to `WorkerPool.run`: the audio stack is
imported in the worker only, and what comes back unpickles with numpy alone.
"""

from collections.abc import Sequence

from inference.config import DEFAULT_LENGTH_S, MAX_TRACK_S
from inference.datatypes import EncodedVoice, Highlight, TrackAnalysis, Window
from inference.mixing.nouns import MixPlan, MixResult


def highlight(
    path: str, out_path: str | None = None, length_s: float = DEFAULT_LENGTH_S, max_s: float = MAX_TRACK_S
) -> Highlight:
    """`pipeline.make_highlight` for a track of at most `max_s` decoded seconds."""
    from inference.decode import DecodeLimits
    from inference.pipeline import make_highlight

    return make_highlight(path, out_path, length_s, DecodeLimits(max_s=max_s))


def voice(path: str, window: Window, out_path: str) -> EncodedVoice:
    """Another window of the same track as a voice message."""
    from inference.pipeline import cut_voice

    return cut_voice(path, window, out_path)


def mp3(
    path: str, window: Window, out_path: str, title: str, performer: str, album: str = ""
) -> EncodedVoice:
    """A window as a tagged MP3 with the track's cover."""
    from inference.pipeline import cut_mp3

    return cut_mp3(path, window, out_path, title, performer, album)


def analysis(path: str, max_s: float = MAX_TRACK_S) -> TrackAnalysis:
    """What a mix needs of a track that nobody has asked a highlight of."""
    from inference.decode import DecodeLimits
    from inference.pipeline import analyse_track

    return analyse_track(path, DecodeLimits(max_s=max_s))


def mix(
    plan: MixPlan, paths: Sequence[str], out_path: str, title: str, performer: str, album: str = ""
) -> MixResult:
    """A planned mix as an MP3 that can be sent; `paths` as the plan's tracks are numbered."""
    from inference.mixing.render import render_mix

    return render_mix(plan, paths, out_path, title=title, performer=performer, album=album)


def mix_preview(
    plan: MixPlan, index: int, paths: Sequence[str], out_path: str, title: str, performer: str
) -> MixResult:
    """One transition of a planned mix as an MP3 of some 20 s; the paths of other tracks are not read."""
    from inference.mixing.render import render_transition_preview

    return render_transition_preview(plan, index, paths, out_path, title=title, performer=performer)


def mix_picture(plan: MixPlan, names: Sequence[str], out_path: str) -> str:
    """A planned mix as a PNG; returns `out_path`."""
    from inference.mixing.picture import draw_mix

    draw_mix(plan, names, out_path)
    return out_path


def curve_picture(
    analysis: TrackAnalysis, window: Window, others: Sequence[Window], out_path: str, title: str = ""
) -> str:
    """The interest curve as a PNG, `window` shaded and `others` marked; returns `out_path`."""
    from inference.plot import draw_curve

    draw_curve(analysis, window, others, out_path, title)
    return out_path
