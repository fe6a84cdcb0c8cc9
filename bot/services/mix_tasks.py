"""What the worker processes do for mixes: plain values and paths in, JSON-ready results out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain import MixSettings

THUMBNAIL_PIXELS = 320


@dataclass(frozen=True, slots=True)
class MixFile:
    """A finished mix, or a piece of one. `thumbnail`: a JPEG of its cover."""

    path: str
    duration_s: float
    thumbnail: str | None = None


def plan(
    documents: list[dict[str, Any]], windows: list[tuple[float, float] | None], settings: dict[str, Any]
) -> dict[str, Any]:
    """The mixer's plan for tracks that were analysed before; takes milliseconds."""
    from inference.config import LENGTHS_S
    from inference.datatypes import TrackAnalysis, Window
    from inference.mixing.nouns import Crossfade, MixOptions
    from inference.mixing.plan import plan_mix
    from inference.order import Order

    wanted = MixSettings(**settings)
    assert wanted.length_s in LENGTHS_S  # noqa: S101  # the buttons offer no other
    options = MixOptions(Order(wanted.order), Crossfade(wanted.crossfade), wanted.length_s)
    chosen = [None if span is None else Window(*span) for span in windows]
    return plan_mix([TrackAnalysis.from_dict(d) for d in documents], options, chosen).to_dict()


def preview(planned: dict[str, Any], index: int, paths: list[str], out_path: str, title: str) -> MixFile:
    """One transition with what is around it. `paths`: one for each track of the plan; only two are read."""
    from inference.mixing.nouns import MixPlan
    from inference.mixing.render import render_transition_preview

    result = render_transition_preview(
        MixPlan.from_dict(planned), index, paths, out_path, title=title, performer=""
    )
    return MixFile(result.path, result.duration_s)


def render(planned: dict[str, Any], paths: list[str], out_path: str, title: str, performer: str) -> MixFile:
    """The whole mix as a tagged MP3. Raises MixTrackRejected for a track whose sound cannot be had."""
    from inference.mixing.cover import draw_cover
    from inference.mixing.nouns import MixPlan
    from inference.mixing.render import render_mix

    mix_plan = MixPlan.from_dict(planned)
    result = render_mix(mix_plan, paths, out_path, title=title, performer=performer)
    thumbnail = f"{out_path}.jpg"
    Path(thumbnail).write_bytes(draw_cover(mix_plan, THUMBNAIL_PIXELS))
    return MixFile(result.path, result.duration_s, thumbnail)
