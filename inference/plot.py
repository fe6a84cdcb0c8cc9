"""The interest curve as a picture: for the command line, and for a telephone's screen.

Drawn with matplotlib's objects alone: pyplot keeps global state, which a worker must not collect.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, MultipleLocator

from inference.datatypes import TrackAnalysis, Window

INK, GROUND, CURVE, CHOSEN, OTHER = "#1d2433", "#ffffff", "#2f6fde", "#ff9f1c", "#8fa3bf"
SIZE_INCHES = (8.0, 4.5)
DPI = 160
_TICKS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MAX_TITLE_CHARS = 56
_LOUDNESS_STEPS = 160
_MAX_POINTS = 2000  # more than the picture has columns is only ink


def draw_curve(
    analysis: TrackAnalysis, window: Window, others: Sequence[Window], path: Path | str, title: str = ""
) -> None:
    """Write a PNG: interest over time, loudness behind it, `window` shaded, `others` numbered."""
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor=GROUND, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlim(0.0, max(analysis.duration_s, 0.1))
    _draw_loudness(axes, analysis)
    _draw_interest(axes, analysis, window)
    _mark_windows(axes, window, others)
    _dress(axes, analysis.duration_s)
    axes.set_title(drawable(title), loc="left", color=INK, fontsize=13, weight="bold", pad=28)
    figure.savefig(str(path), format="png")


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def drawable(text: str) -> str:
    """What the font can show; a dollar sign would begin a formula."""
    known = get_font(findfont(FontProperties())).get_charmap()
    text = " ".join("".join(char for char in text if char.isspace() or ord(char) in known).split())
    if len(text) > _MAX_TITLE_CHARS:
        text = text[: _MAX_TITLE_CHARS - 1] + "…"
    return text.replace("$", r"\$")


def _draw_loudness(axes: Axes, analysis: TrackAnalysis) -> None:
    levels = analysis.loudness_profile
    if levels is None or len(levels) < 2:
        return
    step = -(-len(levels) // _LOUDNESS_STEPS)
    levels = np.pad(levels, (0, -len(levels) % step), mode="edge").reshape(-1, step).mean(axis=1)
    times = (np.arange(len(levels)) + 0.5) * (analysis.duration_s / len(levels))
    axes.fill_between(times, levels, color=OTHER, alpha=0.28, linewidth=0, label="loudness")


def _draw_interest(axes: Axes, analysis: TrackAnalysis, window: Window) -> None:
    values = analysis.curve.values
    step = -(-len(values) // _MAX_POINTS)
    values = np.pad(values, (0, -len(values) % step), mode="edge").reshape(-1, step).mean(axis=1)
    times = np.minimum((np.arange(len(values)) + 0.5) * analysis.curve.hop_s * step, analysis.duration_s)
    axes.plot(times, values, color=CURVE, linewidth=2.4, solid_capstyle="round", label="interest")
    inside = (times >= window.start_s) & (times <= window.end_s)
    axes.fill_between(times, values, where=inside.tolist(), color=CURVE, alpha=0.25, linewidth=0)


def _mark_windows(axes: Axes, window: Window, others: Sequence[Window]) -> None:
    axes.axvspan(window.start_s, window.end_s, color=CHOSEN, alpha=0.30, linewidth=0)
    for edge_s in (window.start_s, window.end_s):
        axes.axvline(edge_s, color=CHOSEN, linewidth=1.6)
    axes.annotate(
        f"{clock(window.start_s)}-{clock(window.end_s)}",
        (_label_place(window, axes), 1.02),
        xycoords=("data", "axes fraction"),
        ha="center",
        va="bottom",
        color=INK,
        fontsize=13,
        weight="bold",
    )
    for rank, other in enumerate(others, start=2):
        axes.plot([other.start_s, other.end_s], [-0.035, -0.035], color=INK, linewidth=5, alpha=0.75)
        axes.annotate(
            f"{rank}  {clock(other.start_s)}",
            (_label_place(other, axes), -0.075),
            ha="center",
            va="top",
            color=INK,
            fontsize=10,
        )


def _label_place(window: Window, axes: Axes) -> float:
    """The middle of a window, as far from the edges as its label is half wide."""
    end_s = axes.get_xlim()[1]
    return float(np.clip((window.start_s + window.end_s) / 2, 0.06 * end_s, 0.94 * end_s))


def _dress(axes: Axes, duration_s: float) -> None:
    axes.set_facecolor(GROUND)
    axes.set_ylim(-0.16, 1.0)
    axes.set_yticks([0.0, 0.5, 1.0], ["0", "½", "1"])
    step = next((tick for tick in _TICKS_S if duration_s / tick <= 9), _TICKS_S[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
    axes.tick_params(colors=INK, labelsize=11, length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color=OTHER, alpha=0.25, linewidth=0.8)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.09),
        borderaxespad=0.0,
        fontsize=9,
        frameon=False,
        labelcolor=INK,
        ncols=2,
    )
