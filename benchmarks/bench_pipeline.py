"""What a highlight costs, in one table: `make bench`, or

    python -m benchmarks.bench_pipeline [--parts job bot pychorus network] [--lengths 30 240 720 3600 10790]
        [--formats mp3 m4a flac] [--repeats 7] [--audio FILE] [--original FILE.onnx] [--json FILE]

job: stages, memory, growth, and the floor below which nobody gets; bot: the same job through a bot process;
pychorus, network: what else could be used. Each row comes from fresh processes on one thread. Times are CPU
seconds unless they say otherwise; ratios come from pairs that ran in turns. See benchmarks/README.md.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.job_cost import STAGES, in_fresh_process, measure_job
from benchmarks.machine import describe_machine
from benchmarks.rivals import has_pychorus, measure_networks, measure_pychorus, original_network
from benchmarks.tracks import FORMATS, make_track

PARTS = ("job", "bot", "pychorus", "network")
LENGTHS_S = (30.0, 240.0, 720.0, 3600.0, 10_790.0)
PYCHORUS_LONGEST_S = 720.0  # its similarities are 12 x n x n doubles: 1.4 GB here, 36 GB at an hour
BOT_LARGEST_BYTES = 400 << 20  # more only measures how fast files are copied

Row = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Cost of a highlight by length and format.")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS_S, metavar="SECONDS")
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--audio", type=Path, help="a real MP3 to lengthen instead of the synthesised song")
    parser.add_argument("--original", type=Path, help="the original network, made before by original_network")
    parser.add_argument("--json", type=Path, help="write all figures there")
    args = parser.parse_args(argv)
    started = time.monotonic()
    machine = describe_machine()
    print(machine)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        rows: dict[str, list[Row]] = {part: [] for part in PARTS}
        try:
            measure_tracks(folder, args, rows)
        except KeyboardInterrupt:
            print("\ninterrupted: what there is so far")
        print_growth(rows["job"])
        print_bot(rows["bot"], rows["job"])
        print_pychorus(rows["pychorus"])
        if "network" in args.parts:
            original = args.original or original_network(folder)
            rows["network"] = (
                in_fresh_process(measure_networks, str(original), args.repeats) if original else []
            )
            print_networks(rows["network"])
    print(f"\n{(time.monotonic() - started) / 60:.0f} minutes")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))


def measure_tracks(folder: Path, args: argparse.Namespace, rows: dict[str, list[Row]]) -> None:
    """Fill `rows` by part; those of the job are printed as they come."""
    # Not at the top: the fresh processes load this module too, and the memory of a sandbox is not theirs.
    from benchmarks.through_bot import measure_answers

    if not {"job", "bot", "pychorus"} & set(args.parts):
        return
    for length_s in args.lengths:
        for name in args.formats:
            path = make_track(folder, name, length_s, args.audio)
            about = {"format": name, "length_s": length_s}
            if "job" in args.parts:
                rows["job"].append(about | in_fresh_process(measure_job, str(path), args.repeats))
                print_job(rows["job"][-1], is_first=len(rows["job"]) == 1)
            if "bot" in args.parts and path.stat().st_size <= BOT_LARGEST_BYTES:
                rows["bot"].append(
                    about | in_fresh_process(measure_answers, str(path), length_s, args.repeats)
                )
            if "pychorus" in args.parts and has_pychorus() and length_s <= PYCHORUS_LONGEST_S:
                rows["pychorus"].append(
                    about | in_fresh_process(measure_pychorus, str(path), min(3, args.repeats))
                )
            for file in folder.glob(f"{path.name}*"):
                file.unlink()


def title(row: Row) -> str:
    return f"{row['length_s']:.0f} s {row['format']}"


def print_job(row: Row, *, is_first: bool) -> None:
    if is_first:
        heads = "  ".join(f"{name:>8}" for name in STAGES)
        print(
            f"\n{'track':>12} {'n':>2} {'floor':>7} {'job':>7} {'p95':>7} {'ratio':>5} {'MB':>4}"
            f" {'ready':>5}  {heads}"
        )
    stages = "  ".join(f"{row['stages_s'][stage]:8.3f}" for stage in STAGES)
    print(
        f"{title(row):>12} {row['n']:2d} {row['floor_s']:7.3f} {row['job_s']:7.3f} {row['job_p95_s']:7.3f}"
        f" {row['ratio']:5.2f} {row['peak_mb']:4.0f} {row['ready_s']:5.1f}  {stages}",
        flush=True,
    )


def print_growth(rows: Sequence[Row]) -> None:
    if not rows:
        return
    print("\na minute of audio, listened to and not yet cut:")
    for name in dict.fromkeys(row["format"] for row in rows):
        points = [row for row in rows if row["format"] == name]
        print(
            f"{name:>12} "
            + "  ".join(f"{p['length_s']:.0f} s: {p['listening_s_per_min']:.4f}" for p in points)
        )


def print_bot(rows: Sequence[Row], jobs: Sequence[Row]) -> None:
    """Floors are those of the same track's job row."""
    if not rows:
        return
    floors = {title(row): row["floor_s"] for row in jobs}
    print(
        f"\nthrough the bot\n{'track':>12} {'n':>2} {'answer*':>7} {'p95*':>7} {'worker':>7} {'bot':>7}"
        f" {'ratio':>5} {'MB':>4} {'bot MB':>6}   * seconds by the clock"
    )
    for row in rows:
        floor_s = floors.get(title(row))
        ratio = f"{row['cpu_s'] / floor_s:5.2f}" if floor_s else f"{'-':>5}"
        server = "  own Bot API server" if row["is_local"] else ""
        print(
            f"{title(row):>12} {row['n']:2d} {row['wall_s']:7.2f} {row['wall_p95_s']:7.2f}"
            f" {row['worker_cpu_s']:7.3f} {row['bot_cpu_s']:7.3f} {ratio} {row['worker_mb']:4.0f}"
            f" {row['bot_mb']:6.0f}{server}"
        )


def print_pychorus(rows: Sequence[Row]) -> None:
    if not rows:
        if not has_pychorus():
            print("\npychorus is not installed: it is in the environment of `make bench`")
        return
    print(f"\npychorus\n{'track':>12} {'n':>2} {'all':>7} {'p95':>7} {'to job':>6} {'MB':>5}")
    for row in rows:
        if not row["n"]:
            print(f"{title(row):>12}  cannot be read without the ffmpeg command")
            continue
        print(
            f"{title(row):>12} {row['n']:2d} {row['pychorus_s']:7.2f} {row['pychorus_p95_s']:7.2f}"
            f" {row['to_job']:6.1f} {row['peak_mb']:5.0f}"
        )


def print_networks(rows: Sequence[Row]) -> None:
    if not rows:
        print("\nthe original network needs PyTorch and onnx: take the environment of `make bench`")
        return
    print(
        f"\nthe original network in ONNX Runtime, random weights; ours, weights {rows[0]['weights']}\n"
        f"{'seconds':>12} {'n':>2} {'original':>8} {'p95':>7} {'MB':>5} {'ours':>7} {'p95':>7} {'ratio':>5}"
        f" {'features':>8} {'ratio with them':>15}"
    )
    for row in rows:
        print(
            f"{row['length_s']:12d} {row['n']:2d} {row['original_s']:8.3f} {row['original_p95_s']:7.3f}"
            f" {row['peak_mb']:5.0f} {row['ours_s']:7.4f} {row['ours_p95_s']:7.4f} {row['ratio']:5.0f}"
            f" {row['features_s']:8.3f} {row['ratio_with_features']:15.1f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
