"""From a track to its highlight.

The public names are loaded on first use: importing the package costs nothing, so that the bot can name our
errors without loading an audio stack.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.datatypes import EncodedVoice as EncodedVoice
    from inference.datatypes import Highlight as Highlight
    from inference.datatypes import InterestCurve as InterestCurve
    from inference.datatypes import Key as Key
    from inference.datatypes import Picks as Picks
    from inference.datatypes import Rhythm as Rhythm
    from inference.datatypes import TrackAnalysis as TrackAnalysis
    from inference.datatypes import Waveform as Waveform
    from inference.datatypes import Window as Window
    from inference.decode import DecodeLimits as DecodeLimits
    from inference.errors import EngineError as EngineError
    from inference.errors import HighlightError as HighlightError
    from inference.errors import InputRejected as InputRejected
    from inference.errors import MixTrackRejected as MixTrackRejected
    from inference.errors import ModelContractError as ModelContractError
    from inference.errors import Rejection as Rejection
    from inference.errors import WorkerLost as WorkerLost
    from inference.errors import WorkerTimeout as WorkerTimeout
    from inference.mixing.nouns import MixOptions as MixOptions
    from inference.mixing.nouns import MixPlan as MixPlan
    from inference.mixing.nouns import MixResult as MixResult
    from inference.mixing.plan import plan_mix as plan_mix
    from inference.mixing.render import render_mix as render_mix
    from inference.mixing.render import render_transition_preview as render_transition_preview
    from inference.pipeline import analyse_track as analyse_track
    from inference.pipeline import cut_mp3 as cut_mp3
    from inference.pipeline import cut_voice as cut_voice
    from inference.pipeline import make_highlight as make_highlight
    from inference.pipeline import pick as pick
    from inference.plot import draw_curve as draw_curve
    from inference.pool import WorkerPool as WorkerPool
    from inference.window import next_window as next_window
    from inference.window import shift_window as shift_window

_ROOMS = {
    "datatypes": (
        "EncodedVoice",
        "Highlight",
        "InterestCurve",
        "Key",
        "Picks",
        "Rhythm",
        "TrackAnalysis",
        "Waveform",
        "Window",
    ),
    "decode": ("DecodeLimits",),
    "errors": (
        "EngineError",
        "HighlightError",
        "InputRejected",
        "MixTrackRejected",
        "ModelContractError",
        "Rejection",
        "WorkerLost",
        "WorkerTimeout",
    ),
    "mixing.nouns": ("MixOptions", "MixPlan", "MixResult"),
    "mixing.plan": ("plan_mix",),
    "mixing.render": ("render_mix", "render_transition_preview"),
    "pipeline": ("analyse_track", "cut_mp3", "cut_voice", "make_highlight", "pick"),
    "plot": ("draw_curve",),
    "pool": ("WorkerPool",),
    "window": ("next_window", "shift_window"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted(_ROOM_OF)


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
