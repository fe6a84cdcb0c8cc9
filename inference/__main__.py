"""`python -m inference song.mp3 ...`: highlights on the command line; `python -m inference mix ...`: a mix.

Results go to standard output, everything else to standard error. The exit status is 1 when any file failed;
the others are done all the same.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from tqdm import tqdm

from inference.config import DEFAULT_LENGTH_S, MAX_TRACK_S
from inference.datatypes import Highlight
from inference.errors import InputRejected, WorkerLost, WorkerTimeout
from inference.jobs import curve_picture, highlight
from inference.pool import WorkerPool, usable_cores
from inference.progress import Progress
from inference.tags import clean_text

SUBCOMMANDS = {"mix": "inference.mix_cli"}
TIMEOUT_S = 600.0
_LONGEST_WINDOW_S = 600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv and argv[0] in SUBCOMMANDS:
        return int(import_module(SUBCOMMANDS[argv[0]]).main(argv[1:]))
    args = _parse(argv)
    try:
        return asyncio.run(_run(args))
    except KeyboardInterrupt:
        return 130


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m inference",
        description="Find the highlight of each track.",
        epilog="python -m inference mix a.mp3 b.mp3 ... -o mix.mp3 joins highlights into one mix.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a track; sound of a film counts too")
    parser.add_argument(
        "--length", type=_length_s, default=DEFAULT_LENGTH_S, metavar="SECONDS", help="default: %(default)g"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write each highlight there, as OGG/Opus")
    parser.add_argument(
        "--plot", type=Path, metavar="PNG", help="draw the interest curve; several files: NAME-TRACK.png"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a file and line")
    parser.add_argument(
        "--max-minutes", type=float, default=MAX_TRACK_S / 60, help="refuse longer tracks (%(default)g)"
    )
    return parser.parse_args(argv)


def _length_s(text: str) -> float:
    length_s = float(text)
    if not 1.0 <= length_s <= _LONGEST_WINDOW_S:
        raise argparse.ArgumentTypeError(f"from 1 to {_LONGEST_WINDOW_S:g} seconds")
    return length_s


async def _run(args: argparse.Namespace) -> int:
    for folder in (args.out, args.plot.parent if args.plot else None):
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                print(f"{folder}: {exc.strerror or exc}", file=sys.stderr)
                return 2
    names = _output_names(args.files)
    pool = WorkerPool(min(len(args.files), usable_cores()), warm=False)
    await pool.start()
    n_failed = 0
    try:
        async with asyncio.TaskGroup() as group:
            with _Bars(len(args.files)) as bars:
                tasks = [
                    group.create_task(_one(pool, args, file, name, bars))
                    for file, name in zip(args.files, names, strict=True)
                ]
                # In the order asked for, each as soon as it and those before it are done.
                for task in tasks:
                    row, line = await task
                    n_failed += row["error"] is not None
                    bars.print(json.dumps(row, ensure_ascii=False) if args.json else line, row["error"])
    finally:
        await pool.close()
    return 1 if n_failed else 0


async def _one(
    pool: WorkerPool, args: argparse.Namespace, file: str, name: str, bars: "_Bars"
) -> tuple[dict[str, Any], str]:
    """One track: its JSON row, and the line a person reads."""
    voice_path = str(args.out / f"{name}.highlight.ogg") if args.out else None
    with bars.track(name) as on_progress:
        try:
            result = await pool.run(
                highlight,
                file,
                voice_path,
                args.length,
                args.max_minutes * 60,
                timeout_s=TIMEOUT_S,
                on_progress=on_progress,
            )
            if args.plot:
                picture = args.plot if len(args.files) == 1 else _beside(args.plot, name)
                analysis, picks = result.analysis, result.picks
                title = " — ".join(filter(None, (analysis.performer, analysis.title))) or name
                await pool.run(curve_picture, analysis, picks.window, picks.runners_up, str(picture), title)
        except Exception as exc:  # noqa: BLE001 - one file's fault must not stop the others
            return _failed(file, exc)
    return _found(file, result)


def _found(file: str, result: Highlight) -> tuple[dict[str, Any], str]:
    picks, analysis = result.picks, result.analysis
    row = {
        "file": file,
        "duration_s": round(analysis.duration_s, 3),
        "start_s": round(picks.window.start_s, 3),
        "end_s": round(picks.window.end_s, 3),
        "confidence": round(picks.confidence, 3),
        "tempo_bpm": None if analysis.rhythm.tempo_bpm is None else round(analysis.rhythm.tempo_bpm, 2),
        "runners_up": [
            {"start_s": round(w.start_s, 3), "end_s": round(w.end_s, 3), "score": round(w.score, 3)}
            for w in picks.runners_up
        ],
        "voice": result.voice.path if result.voice else None,
        "timings_s": {stage: round(seconds, 4) for stage, seconds in result.timings_s.items()},
        "error": None,
    }
    facts = [
        f"{_clock(picks.window.start_s)}-{_clock(picks.window.end_s)}",
        f"confidence {picks.confidence:.2f}" + ("" if picks.is_clear else " (no clear highlight)"),
    ]
    if analysis.rhythm.tempo_bpm is not None:
        facts.append(f"{analysis.rhythm.tempo_bpm:.0f} BPM")
    if analysis.key is not None:
        facts.append(analysis.key.name)
    if result.voice:
        facts.append(f"-> {result.voice.path}")
    return row, f"{clean_text(file, 1000)}: {'  '.join(facts)}"


def _failed(file: str, exc: Exception) -> tuple[dict[str, Any], str]:
    code, message = _explain(exc)
    duration_s = exc.duration_s if isinstance(exc, InputRejected) else None
    row: dict[str, Any] = {
        "file": file,
        "duration_s": None if duration_s is None else round(duration_s, 3),
        "start_s": None,
        "end_s": None,
        "confidence": None,
        "tempo_bpm": None,
        "runners_up": [],
        "voice": None,
        "timings_s": {},
        "error": {"code": code, "message": message},
    }
    return row, f"{clean_text(file, 1000)}: {message}"


def _explain(exc: Exception) -> tuple[str, str]:
    """A stable code, and one line for a person."""
    if isinstance(exc, InputRejected):
        return str(exc.code), clean_text(str(exc), 300)
    if isinstance(exc, FileNotFoundError):
        return "not_found", "no such file"
    if isinstance(exc, WorkerTimeout):
        return "timeout", str(exc)
    if isinstance(exc, WorkerLost):
        return "worker_lost", str(exc)
    if isinstance(exc, OSError):
        return "unreadable", exc.strerror or clean_text(str(exc), 300)
    return "internal", clean_text(f"{type(exc).__name__}: {exc}", 300)


def _output_names(files: Sequence[str]) -> list[str]:
    """One file name, without suffix, for each track: harmless, and no two alike."""
    names: list[str] = []
    for file in files:
        base = clean_text(Path(file).stem, 80).replace("/", "_").replace("\\", "_").lstrip(".") or "track"
        name, n = base, 1
        while name in names:
            n += 1
            name = f"{base}-{n}"
        names.append(name)
    return names


def _beside(picture: Path, name: str) -> Path:
    return picture.with_name(f"{picture.stem}-{name}{picture.suffix or '.png'}")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class _Bars:
    """Progress on a terminal, nothing anywhere else."""

    def __init__(self, n_files: int) -> None:
        self._is_off = not sys.stderr.isatty()
        self._files = tqdm(total=n_files, unit="track", disable=self._is_off or n_files == 1, position=0)

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def track(self, name: str) -> "_TrackBar":
        return _TrackBar(name, self._is_off, self._files)

    def print(self, line: str, error: object) -> None:
        """A result, without tearing a bar. An error is for standard error, unless it is a row of JSON."""
        stream = sys.stderr if error and not line.startswith("{") else sys.stdout
        # A reader that left (`| head`) is no reason to fail.
        with tqdm.external_write_mode(file=stream), suppress(BrokenPipeError):
            print(line, file=stream, flush=True)


class _TrackBar:
    """One track's bar; it is the progress callback."""

    def __init__(self, name: str, is_off: bool, files: "tqdm[Any]") -> None:
        self._bar = tqdm(
            desc=name[:30],
            unit="s",
            disable=is_off,
            leave=False,
            bar_format="{desc} {bar} {n_fmt}/{total_fmt} s",
        )
        self._files = files

    def __enter__(self) -> "_TrackBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._files.update()

    def __call__(self, progress: Progress) -> None:
        self._bar.total = round(max(progress.total_s, progress.done_s)) or None
        self._bar.n = round(progress.done_s)
        self._bar.set_postfix_str(progress.stage.name.lower())


if __name__ == "__main__":
    sys.exit(main())
