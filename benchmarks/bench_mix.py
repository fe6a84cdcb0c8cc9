"""How well pairs of real songs are mixed, and what a mix costs.

    python -m benchmarks.bench_mix FOLDER [--pairs 10] [--tracks 50]

For each pair of neighbours in tempo: tempo of both before, within the overlap, the largest stretch; how far
apart the beats lie before and after lining up (median over the grid's beats of the distance between the two
songs' strongest attacks within 60 ms, an independent look at the sound); level in the middle third of the
overlap against the mean of both songs there, beside what a linear fade gives; loudness and true peak of the
decoded file; seconds per track. Then the peak memory of a mix of many tracks, in a process of its own.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.datatypes import FloatArray, TrackAnalysis, Waveform
from inference.decode import decode_span
from inference.loudness import measure_dbtp, measure_lufs
from inference.mixing.crossfade import mix_overlap
from inference.mixing.nouns import Joint, MixOptions, MixPlan
from inference.mixing.overlap import Part, in_step, on_grid
from inference.mixing.plan import plan_mix
from inference.mixing.render import render_mix
from inference.mixing.warp import ONSET_HOP_S, onsets
from inference.mixing.writer import MIX_SR
from inference.order import Order, order_tracks
from inference.pipeline import analyse_track

Array = npt.NDArray[np.float64]


def attack_times(y: FloatArray, beats_s: Array) -> Array:
    """The strongest attack within 60 ms of each beat, NaN where there is none worth the name."""
    rise = onsets(y, MIX_SR)
    reach = round(0.06 / ONSET_HOP_S)
    found = []
    for beat in np.round(beats_s / ONSET_HOP_S).astype(int):
        first = max(beat - reach, 1)
        window = rise[first : beat + reach + 1]
        best = first + int(window.argmax()) if len(window) else 0
        if not 0 < best < len(rise) - 1 or rise[best] < 1.5 * np.median(rise):
            found.append(math.nan)
            continue
        left, peak, right = rise[best - 1 : best + 2]
        part = 0.5 * (left - right) / min(left - 2 * peak + right, -1e-12)
        found.append((best + float(np.clip(part, -0.5, 0.5))) * ONSET_HOP_S)
    return np.array(found)


def beat_offset_ms(leaving: FloatArray, entering: FloatArray, beats_s: Array) -> float:
    apart = attack_times(entering, beats_s) - attack_times(leaving, beats_s)
    apart = apart[np.isfinite(apart)]
    return float(np.median(apart)) * 1000 if len(apart) >= 3 else math.nan


def decibels_of_middle(mixed: FloatArray, a: FloatArray, b: FloatArray) -> float:
    third = slice(mixed.shape[1] // 3, 2 * mixed.shape[1] // 3)
    wanted = 0.5 * (np.mean(a[:, third] ** 2) + np.mean(b[:, third] ** 2))
    return float(10 * np.log10(np.mean(mixed[:, third] ** 2) / wanted))


def look_at_overlap(plan: MixPlan, paths: list[Path], beats_per_bar: int) -> dict[str, object]:
    transition = plan.transitions[0]

    def load(track: int, start_s: float, end_s: float) -> Waveform:
        return decode_span(paths[track], start_s, end_s, sr=MIX_SR)

    leaving, entering = (Part(segment, load) for segment in plan.segments)
    row: dict[str, object] = {"joint": str(transition.joint), "overlap_s": round(transition.duration_s, 2)}
    grid = transition.grid_s
    if transition.joint is Joint.BEATS:
        bars_s = np.diff(grid)
        stretches = [np.diff(lines) / bars_s - 1 for lines in (transition.leaving_s, transition.entering_s)]
        own_bpm = plan.segments[0].tempo_bpm or math.nan
        own_bar_s = (transition.leaving_s[-1] - transition.leaving_s[0]) / len(bars_s)
        row["bars"] = len(bars_s)
        row["overlap_bpm"] = [round(float(own_bpm * own_bar_s / bars_s[i]), 1) for i in (0, -1)]
        row["stretch_percent"] = round(float(np.abs(stretches).max()) * 100, 1)
        beats_s = np.interp(
            np.arange(len(bars_s) * beats_per_bar) / beats_per_bar, np.arange(len(grid)), np.array(grid)
        )
        a = on_grid(leaving, transition.leaving_s, grid, 0, 0)
        b = on_grid(entering, transition.entering_s, grid, 0, 0)
        row["offset_before_ms"] = round(beat_offset_ms(a, b, beats_s), 1)
        a, b = in_step(leaving, entering, transition, 0, 0)
        row["offset_ms"] = round(beat_offset_ms(a, b, beats_s), 1)
    else:
        n_samples = round(transition.duration_s * MIX_SR)
        a = leaving.take(leaving.place(transition.leaving_s[0]), n_samples)
        b = entering.take(entering.place(transition.entering_s[0]), n_samples)
    mixed = mix_overlap(a, b, MIX_SR, swap_bass=transition.joint is Joint.BEATS)
    ramp = np.linspace(0, 1, a.shape[1], dtype=np.float32)
    row["middle_db"] = round(decibels_of_middle(mixed, a, b), 2)
    row["linear_middle_db"] = round(decibels_of_middle(a * (1 - ramp) + b * ramp, a, b), 2)
    return row


def measure_pair(analyses: list[TrackAnalysis], paths: list[Path], scratch: Path) -> dict[str, object]:
    started = time.process_time()
    plan = plan_mix(analyses, MixOptions(order=Order.SENT))
    out = scratch / "pair.mp3"
    result = render_mix(plan, paths, out, title="pair", performer="benchmark")
    seconds = time.process_time() - started
    decoded = decode_span(out, 0.0, result.duration_s + 1.0, sr=MIX_SR)
    tempi = [None if a.rhythm.tempo_bpm is None else round(a.rhythm.tempo_bpm, 1) for a in analyses]
    return {
        "pair": [path.stem[:20] for path in paths],
        "bpm": tempi,
        **look_at_overlap(plan, paths, analyses[0].rhythm.beats_per_bar),
        "lufs": round(measure_lufs(decoded), 2),
        "dbtp": round(measure_dbtp(decoded), 2),
        "planned_s": round(plan.total_s, 2),
        "length_s": round(decoded.duration_s, 2),
        "cpu_s_per_track": round(seconds / 2, 2),
    }


def render_many(folder: Path, n_tracks: int) -> None:
    """In a process of its own: its peak memory is that of one mix."""
    analyses, paths = read_folder(folder)
    chosen = [i % len(paths) for i in range(n_tracks)]
    plan = plan_mix([analyses[i] for i in chosen])
    before_mb = peak_rss_mb()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "mix.mp3"
        result = render_mix(plan, [paths[i] for i in chosen], out, title="mix", performer="benchmark")
    row = {
        "tracks": n_tracks,
        "length_s": round(result.duration_s, 1),
        "megabytes": round(result.size_bytes / 1e6, 1),
        "lufs": round(result.lufs, 2),
        "cpu_s_per_track": round((time.process_time() - started) / n_tracks, 2),
        "peak_rss_mb": round(peak_rss_mb()),
        "rss_before_mb": round(before_mb),
    }
    print(json.dumps(row))


def peak_rss_mb() -> float:
    """Of this process alone; what `getrusage` gives begins with the parent's peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return math.nan


def read_folder(folder: Path) -> tuple[list[TrackAnalysis], list[Path]]:
    """Analyses of a folder's songs, kept beside the scratch files for the second process."""
    kept = Path(tempfile.gettempdir()) / "bench_mix_analyses.json"
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".mp3", ".ogg", ".flac", ".m4a"})
    saved = json.loads(kept.read_text()) if kept.exists() else {}
    for path in paths:
        if path.name not in saved:
            saved[path.name] = analyse_track(path).to_dict()
    kept.write_text(json.dumps(saved))
    return [TrackAnalysis.from_dict(saved[path.name]) for path in paths], paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--tracks", type=int, default=50)
    parser.add_argument("--only-many", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only_many:
        render_many(args.folder, args.tracks)
        return
    analyses, paths = read_folder(args.folder)
    order = order_tracks([a.rhythm.tempo_bpm for a in analyses], [a.key for a in analyses])
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for i, j in list(pairwise(order))[: args.pairs]:
            row = measure_pair([analyses[i], analyses[j]], [paths[i], paths[j]], Path(scratch))
            rows.append(row)
            print(json.dumps(row), flush=True)
    together = [row for row in rows if row["joint"] == "beats"]
    summary = {
        "beat_matched": f"{len(together)} of {len(rows)}",
        "median_abs_offset_ms": _median([abs(float(str(row["offset_ms"]))) for row in together]),
        "median_abs_offset_before_ms": _median(
            [abs(float(str(row["offset_before_ms"]))) for row in together]
        ),
        "worst_middle_db": min(float(str(row["middle_db"])) for row in rows),
        "median_cpu_s_per_track": _median([float(str(row["cpu_s_per_track"])) for row in rows]),
    }
    print(json.dumps(summary), flush=True)
    command = [sys.executable, "-m", "benchmarks.bench_mix", str(args.folder)]
    subprocess.run([*command, "--only-many", "--tracks", str(args.tracks)], check=True)


def _median(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return round(statistics.median(finite), 2) if finite else math.nan


if __name__ == "__main__":
    main()
