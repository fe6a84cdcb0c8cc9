"""A mix as a picture: who plays when, how they fade, the tempo all along."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from inference.mixing.cover import key_colour
from inference.mixing.nouns import Joint, MixPlan, time_code
from inference.plot import drawable

INK = "#1d2230"
FAINT = "#9aa3b8"
N_FADE_POINTS = 40


def draw_mix(plan: MixPlan, names: Sequence[str], path: Path | str) -> None:
    """Write a PNG. `names`: of the tracks, in the order in which they were given to the plan."""
    n = len(plan.segments)
    height = min(max(2.4 + 0.5 * n, 4.0), 18.0)
    figure = Figure(figsize=(12.0, height), layout="constrained")
    FigureCanvasAgg(figure)
    lanes, tempo = figure.subplots(2, 1, sharex=True, height_ratios=[max(0.5 * n, 1.5), 1.6])
    for place in range(n):
        _draw_lane(lanes, plan, place, names[plan.segments[place].track])
    lanes.set_ylim(n - 0.4, -0.6)
    lanes.set_yticks([])
    lanes.set_title(f"{n} tracks, {time_code(plan.total_s)}", loc="left", color=INK)
    for side in ("top", "right", "left"):
        lanes.spines[side].set_visible(False)
    _draw_tempo(tempo, plan)
    figure.savefig(path, dpi=110)


def _draw_lane(axes: Axes, plan: MixPlan, place: int, name: str) -> None:
    """One track: a band as high as its gain."""
    times, gains = _gain_curve(plan, place)
    colour = tuple(c / 255 for c in key_colour(plan.segments[place].camelot))
    axes.fill_between(times, place + 0.42 * gains, place - 0.42 * gains, color=colour, linewidth=0)
    if place < len(plan.transitions):
        transition = plan.transitions[place]
        if transition.joint is Joint.BEATS:
            bars = transition.start_s + np.array(transition.grid_s)
            axes.vlines(bars, place - 0.42, place + 1.42, color=INK, linewidth=0.5, alpha=0.45)
    segment = plan.segments[place]
    facts = [f"{segment.tempo_bpm:.0f} BPM" if segment.tempo_bpm else "no steady tempo"]
    facts += [segment.camelot] if segment.camelot else []
    label = f"{time_code(segment.start_s)}  {drawable(_short(name))}  ({', '.join(facts)})"
    # Beside the band, where there is room: after it in the picture's left half, before it in the right.
    is_late = times[0] > plan.total_s / 2
    axes.annotate(
        label,
        (times[0] if is_late else times[-1], place),
        xytext=(-6 if is_late else 6, 0),
        textcoords="offset points",
        va="center",
        ha="right" if is_late else "left",
        color=INK,
        fontsize=9,
    )


def _gain_curve(plan: MixPlan, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Mix times and the equal-power gain of the segment at `place`."""
    quarter = np.sin(np.linspace(0.0, np.pi / 2, N_FADE_POINTS))
    times, gains = [], []
    if place:
        before = plan.transitions[place - 1]
        times.append(np.linspace(before.start_s, before.start_s + before.duration_s, N_FADE_POINTS))
        gains.append(quarter if before.duration_s else np.ones(N_FADE_POINTS))
    else:
        times.append(np.zeros(1))
        gains.append(np.ones(1))
    if place < len(plan.transitions):
        after = plan.transitions[place]
        times.append(np.linspace(after.start_s, after.start_s + after.duration_s, N_FADE_POINTS))
        gains.append(quarter[::-1] if after.duration_s else np.ones(N_FADE_POINTS))
    else:
        times.append(np.array([plan.total_s]))
        gains.append(np.ones(1))
    return np.concatenate(times), np.concatenate(gains)


def _draw_tempo(axes: Axes, plan: MixPlan) -> None:
    times, tempi = (np.array(column) for column in zip(*tempo_curve(plan), strict=True))
    axes.plot(times, tempi, color=INK, linewidth=1.8)
    for transition in plan.transitions:
        if transition.duration_s:
            end_s = transition.start_s + transition.duration_s
            axes.axvspan(transition.start_s, end_s, color=FAINT, alpha=0.25, linewidth=0)
        else:
            axes.axvline(transition.start_s, color=FAINT, linewidth=1.0)
    if np.isfinite(tempi).any():
        low, high = float(np.nanmin(tempi)), float(np.nanmax(tempi))
        pad = max(0.1 * (high - low), 3.0)
        axes.set_ylim(low - pad, high + pad)
    axes.set_xlim(0.0, max(plan.total_s, 1e-3))
    axes.set_ylabel("BPM", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 1.5, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: time_code(t)))
    axes.grid(axis="y", color=FAINT, alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= 48 else f"{name[:47]}…"


def tempo_curve(plan: MixPlan) -> list[tuple[float, float]]:
    """(mix time, BPM): each tempo in the octave nearest to the one before, NaN where unknown."""
    points: list[tuple[float, float]] = []
    now_s, previous = 0.0, math.nan
    for i, segment in enumerate(plan.segments):
        tempo = _in_octave_of(previous, segment.tempo_bpm)
        previous = previous if math.isnan(tempo) else tempo
        if i == len(plan.transitions):
            points += [(now_s, tempo), (plan.total_s, tempo)]
            break
        after = plan.transitions[i]
        points += [(now_s, tempo), (after.start_s, tempo)]
        now_s = after.start_s + after.duration_s
        if after.joint is Joint.BEATS:
            own_s = (after.leaving_s[-1] - after.leaving_s[0]) / after.n_bars
            for from_s, to_s in pairwise(after.grid_s):
                points.append((after.start_s + (from_s + to_s) / 2, tempo * own_s / (to_s - from_s)))
        else:
            points.append((after.start_s + after.duration_s / 2, math.nan))
    return points


def _in_octave_of(reference_bpm: float, tempo_bpm: float | None) -> float:
    if tempo_bpm is None or math.isnan(reference_bpm):
        return math.nan if tempo_bpm is None else tempo_bpm
    return tempo_bpm * 2.0 ** round(math.log2(reference_bpm / tempo_bpm))
