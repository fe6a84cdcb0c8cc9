"""`python -m inference mix a.mp3 b.mp3 ... -o mix.mp3`: highlights of several tracks as one mix.

The tracklist goes to standard output, everything else to standard error. A track that cannot be used is
named and left out; the exit status is then 1, and 2 where no mix was made.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from inference.config import DEFAULT_LENGTH_S
from inference.datatypes import TrackAnalysis
from inference.errors import HighlightError, InputRejected, MixTrackRejected
from inference.jobs import analysis, mix, mix_picture
from inference.mixing.nouns import (
    MAX_TRACKS,
    Crossfade,
    Joint,
    MixOptions,
    MixPlan,
    MixResult,
    time_code,
    tracklist,
)
from inference.mixing.plan import plan_mix
from inference.order import Order
from inference.pool import WorkerPool, usable_cores
from inference.progress import Progress, Stage
from inference.tags import clean_text

TIMEOUT_S = 600.0
MIX_TIMEOUT_S = 1800.0
PERFORMER = "Audio Highlight"
_LONGEST_WINDOW_S = 120.0


def main(argv: Sequence[str]) -> int:
    """Returns the exit status."""
    try:
        return asyncio.run(_run(_parse(argv)))
    except KeyboardInterrupt:
        return 130


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m inference mix", description="Join the highlights of tracks into one mix."
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a track; order matters for --order sent")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="MP3", help="where the mix goes")
    parser.add_argument(
        "--order",
        type=Order,
        choices=list(Order),
        default=Order.TEMPO,
        metavar="{" + ",".join(Order) + "}",
        help="rising tempo, rising tempo with keys that go together, or as given (default: %(default)s)",
    )
    parser.add_argument(
        "--crossfade",
        type=Crossfade,
        choices=list(Crossfade),
        default=Crossfade.BEATS,
        metavar="{" + ",".join(Crossfade) + "}",
        help="bars in step, a short fade, or none (default: %(default)s)",
    )
    parser.add_argument(
        "--length",
        type=_length_s,
        default=DEFAULT_LENGTH_S,
        metavar="SECONDS",
        help="of each highlight (default: %(default)g)",
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw tracks, fades and tempo")
    parser.add_argument("--title", default="Highlights", help="of the mix, in its tags")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tracklist")
    args = parser.parse_args(argv)
    if not 2 <= len(args.files) <= MAX_TRACKS:
        parser.error(f"a mix takes 2 to {MAX_TRACKS} tracks, not {len(args.files)}")
    return args


def _length_s(text: str) -> float:
    length_s = float(text)
    if not 1.0 <= length_s <= _LONGEST_WINDOW_S:
        raise argparse.ArgumentTypeError(f"from 1 to {_LONGEST_WINDOW_S:g} seconds")
    return length_s


async def _run(args: argparse.Namespace) -> int:
    pool = WorkerPool(min(len(args.files), usable_cores()), warm=False)
    await pool.start()
    try:
        found = await _listen(pool, args.files)
        while True:
            usable = [i for i, track in enumerate(found) if track is not None]
            if len(usable) < 2:
                print("a mix needs two tracks that can be used", file=sys.stderr)
                return 2
            analyses = [track for track in found if track is not None]
            names = [_name(args.files[i], track) for i, track in zip(usable, analyses, strict=True)]
            plan = plan_mix(analyses, MixOptions(args.order, args.crossfade, args.length))
            try:
                result = await _render(pool, plan, [args.files[i] for i in usable], args)
                break
            except MixTrackRejected as exc:
                _complain(args.files[usable[exc.track]], exc)
                found[usable[exc.track]] = None
        if args.plot:
            await pool.run(mix_picture, plan, names, str(args.plot))
    except (HighlightError, OSError, ValueError) as exc:
        print(f"{args.out}: {clean_text(str(exc), 300)}", file=sys.stderr)
        return 2
    finally:
        await pool.close()
    print(_as_json(plan, result, names) if args.json else _as_text(plan, result, names))
    return 0 if len(usable) == len(args.files) else 1


async def _listen(pool: WorkerPool, files: Sequence[str]) -> list[TrackAnalysis | None]:
    """What is known of each track; None, and a line on standard error, where it cannot be used."""
    with tqdm(total=len(files), desc="listening", unit="track", disable=not sys.stderr.isatty()) as bar:

        async def one(file: str) -> TrackAnalysis | None:
            try:
                return await pool.run(analysis, file, timeout_s=TIMEOUT_S)
            except (HighlightError, OSError) as exc:
                with tqdm.external_write_mode(file=sys.stderr):
                    _complain(file, exc)
                return None
            finally:
                bar.update()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(file)) for file in files]
    return [task.result() for task in tasks]


async def _render(
    pool: WorkerPool, plan: MixPlan, files: Sequence[str], args: argparse.Namespace
) -> MixResult:
    with tqdm(
        total=round(plan.total_s),
        desc="mixing",
        disable=not sys.stderr.isatty(),
        bar_format="{desc} {bar} {n_fmt}/{total_fmt} s",
    ) as bar:
        return await pool.run(
            mix,
            plan,
            list(files),
            str(args.out),
            args.title,
            PERFORMER,
            timeout_s=MIX_TIMEOUT_S,
            on_progress=_follow(bar),
        )


def _follow(bar: "tqdm[Any]") -> Callable[[Progress], None]:
    def follow(progress: Progress) -> None:
        if progress.stage is Stage.MIXING:
            bar.n = round(progress.done_s)
            bar.refresh()

    return follow


def _complain(file: str, exc: Exception) -> None:
    reason = str(exc) if isinstance(exc, InputRejected) else getattr(exc, "strerror", None) or str(exc)
    print(f"{clean_text(file, 1000)}: {clean_text(reason, 300)}", file=sys.stderr)


def _name(file: str, track: TrackAnalysis) -> str:
    if track.title is None:
        return clean_text(Path(file).stem)
    return f"{track.performer} - {track.title}" if track.performer else track.title


def _as_text(plan: MixPlan, result: MixResult, names: Sequence[str]) -> str:
    lines = []
    for place, line in enumerate(tracklist(plan, names)):
        segment = plan.segments[place]
        facts = [f"{segment.tempo_bpm:.0f} BPM" if segment.tempo_bpm else "no steady tempo"]
        facts += [segment.camelot] if segment.camelot else []
        if place < len(plan.transitions):
            transition = plan.transitions[place]
            facts.append(
                {
                    Joint.BEATS: f"then {transition.n_bars} bars together",
                    Joint.PLAIN: f"then a fade of {transition.duration_s:.1f} s",
                    Joint.CUT: "then a cut",
                }[transition.joint]
            )
        lines.append(f"{line}  ({', '.join(facts)})")
    length, megabytes = time_code(result.duration_s), result.size_bytes / 1e6
    lines.append(f"{result.path}: {length}, {result.lufs:.1f} LUFS, {megabytes:.1f} MB")
    return "\n".join(lines)


def _as_json(plan: MixPlan, result: MixResult, names: Sequence[str]) -> str:
    row = {
        "file": result.path,
        "duration_s": round(result.duration_s, 3),
        "size_bytes": result.size_bytes,
        "lufs": round(result.lufs, 2),
        "dbtp": round(result.dbtp, 2),
        "tracks": [
            {
                "name": names[segment.track],
                "start_s": round(segment.start_s, 3),
                "from_s": round(segment.enter_s, 3),
                "to_s": round(segment.leave_s, 3),
                "tempo_bpm": None if segment.tempo_bpm is None else round(segment.tempo_bpm, 2),
                "camelot": segment.camelot,
            }
            for segment in plan.segments
        ],
        "transitions": [
            {
                "kind": str(transition.joint),
                "start_s": round(transition.start_s, 3),
                "duration_s": round(transition.duration_s, 3),
                "bars": transition.n_bars,
                "shift_ms": round(shift_ms, 1),
            }
            for transition, shift_ms in zip(plan.transitions, result.shifts_ms, strict=True)
        ],
    }
    return json.dumps(row, ensure_ascii=False)
