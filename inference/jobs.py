"""What a worker is asked to do, named without loading what does it.

A caller that must stay light (the bot's event loop) hands these to `WorkerPool.run`: the audio stack is
imported in the worker only, and what comes back unpickles with numpy alone.
"""

from collections.abc import Sequence

from inference.config import DEFAULT_LENGTH_S, MAX_TRACK_S
from inference.datatypes import EncodedVoice, Highlight, TrackAnalysis, Window


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


def curve_picture(
    analysis: TrackAnalysis, window: Window, others: Sequence[Window], out_path: str, title: str = ""
) -> str:
    """The interest curve as a PNG, `window` shaded and `others` marked; returns `out_path`."""
    from inference.plot import draw_curve

    draw_curve(analysis, window, others, out_path, title)
    return out_path
