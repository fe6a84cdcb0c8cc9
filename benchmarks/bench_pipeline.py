"""What a highlight costs: time by stage, memory, and the floor below which nobody gets.

    python -m benchmarks.bench_pipeline [--lengths 30 240 720 3600 10790] [--formats mp3 m4a flac]
        [--repeats 7] [--audio FILE] [--original FILE.onnx] [--json FILE]

Each row is measured in a fresh process, warmed as a worker is, on one thread. Floor and job are run in turns,
so that a busy machine slows both; times are CPU seconds. The floor is what libav alone needs to decode the
same file and to encode 30 s of Opus with its own defaults. See benchmarks/README.md.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.machine import describe_machine
from sandbox.song import synthesise_song, write_audio

LENGTHS_S = (30.0, 240.0, 720.0, 3600.0, 10_790.0)
FORMATS = ("mp3", "m4a", "flac")
MUXERS = {"mp3": "mp3", "m4a": "mp4", "flac": "flac"}
STAGES = ("decode", "features", "rhythm", "model", "cut", "loudness", "encode")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
REPEATS_FOR_S = 1800.0  # of audio; longer tracks are run fewer times


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Cost of a highlight by length and format.")
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS_S, metavar="SECONDS")
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--audio", type=Path, help="a real MP3 to lengthen instead of the synthesised song")
    parser.add_argument(
        "--original", type=Path, help="the original network as ONNX, see benchmarks/README.md"
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    args = parser.parse_args(argv)
    print(describe_machine())
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for length_s in args.lengths:
            for name in args.formats:
                path = make_track(Path(folder), name, length_s, args.audio)
                row = in_fresh_process(measure_job, str(path), args.repeats)
                path.unlink()
                rows.append({"format": name, "length_s": length_s, **row})
                print_row(rows[-1], is_first=len(rows) == 1)
    print_growth(rows)
    if args.original:
        rows.extend(in_fresh_process(measure_networks, str(args.original)))
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=1))


def make_track(folder: Path, name: str, length_s: float, audio: Path | None) -> Path:
    """A track of that length. Packets are repeated where that is faster than encoding hours."""
    path = folder / f"track-{length_s:.0f}.{name}"
    samples, sr, _ = synthesise_song()
    if name == "flac":
        # Its frames are numbered, so repeated packets would not be a FLAC stream.
        n_samples = round(length_s * sr)
        times = -(-n_samples // samples.shape[1])
        write_audio(path, np.tile(samples, (1, times))[:, :n_samples], sr)
        return path
    seed = audio if audio and name == "mp3" else folder / f"seed.{name}"
    if not seed.exists():
        write_audio(seed, samples, sr)
    repeat_packets(seed, path, length_s)
    return path


def repeat_packets(seed: Path, path: Path, length_s: float) -> None:
    with av.open(str(path), "w", format=MUXERS[path.suffix[1:]]) as out:
        stream = None
        offset = end = 0
        while True:
            with av.open(str(seed)) as container:
                source = container.streams.audio[0]
                stream = stream or out.add_stream_from_template(source)
                for packet in container.demux(source):
                    if not packet.size or packet.pts is None:
                        continue
                    # The encoder's lead-in lies before 0.
                    offset -= min(0, packet.pts + offset - end)
                    packet.pts = packet.dts = packet.pts + offset
                    end = max(end, packet.pts + (packet.duration or 0))
                    if float(end * source.time_base) > length_s:
                        return
                    packet.stream = stream
                    out.mux(packet)
                offset = end


def in_fresh_process(fn: Callable[..., Any], *args: Any) -> Any:
    """Run `fn` in a process of its own, one thread to each library, and return its result."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(fn, args)


def measure_job(path: str, repeats: int) -> dict[str, Any]:
    from inference.decode import decode_span
    from inference.memory import give_memory_back
    from inference.pipeline import Stopwatch, make_highlight
    from inference.warmup import warm_up

    started = time.perf_counter()
    warm_up()
    ready_s = time.perf_counter() - started
    give_memory_back()
    Stopwatch.clock = staticmethod(time.process_time)
    voice = f"{path}.ogg"
    window = make_highlight(path, voice).picks.window
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    piece = decode_span(path, window.start_s, window.end_s).samples
    duration_s = make_highlight(path).analysis.duration_s
    floors, jobs, walls, stages = [], [], [], []
    for _ in range(max(1, min(repeats, round(REPEATS_FOR_S * repeats / duration_s)))):
        floors.append(cpu_s(decode_only, path) + cpu_s(encode_only, piece, voice))
        start = time.perf_counter()
        before = time.process_time()
        result = make_highlight(path, voice)
        jobs.append(time.process_time() - before)
        walls.append(time.perf_counter() - start)
        stages.append({name: result.timings_s[name] for name in STAGES})
    analysis = [job - cpu_s(encode_only, piece, voice) for job in jobs[:1]]
    return {
        "duration_s": duration_s,
        "n": len(jobs),
        "ready_s": ready_s,
        "floor_s": statistics.median(floors),
        "job_s": statistics.median(jobs),
        "job_p95_s": float(np.percentile(jobs, 95)),
        "wall_s": statistics.median(walls),
        "ratio": statistics.median(job / floor for job, floor in zip(jobs, floors, strict=True)),
        "analysis_s_per_min": analysis[0] / duration_s * 60,
        "peak_mb": peak_mb,
        "stages_s": {name: statistics.median(s[name] for s in stages) for name in STAGES},
    }


def cpu_s(fn: Callable[..., Any], *args: Any) -> float:
    start = time.process_time()
    fn(*args)
    return time.process_time() - start


def decode_only(path: str) -> None:
    with av.open(path) as container:
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        for _ in container.decode(stream):
            pass


def encode_only(samples: np.ndarray, path: str) -> None:
    write_audio(Path(path), samples, 48_000, codec="libopus", bit_rate=96_000)


def measure_networks(original: str) -> list[dict[str, Any]]:
    """Our network beside the original one on the same lengths, features included and not."""
    import onnxruntime as ort

    from inference.config import FeatureConfig
    from inference.features import extract_features
    from inference.pipeline import process_model

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(original, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    rows = []
    print("\nseconds   original   ours   with features   ratio   with features")
    for length_s in (60, 120, 200):
        n_frames = length_s * 22_050 // 512 // 9 * 9
        mel = rng.standard_normal((1, 1, 128, n_frames)).astype(np.float32)
        y = rng.standard_normal(length_s * 22_050).astype(np.float32) * 0.1
        model = process_model()
        features = extract_features(y, FeatureConfig())
        model.predict(features)
        theirs = min(cpu_s(session.run, None, {"mel": mel}) for _ in range(2))
        ours = min(cpu_s(model.predict, features) for _ in range(3))
        measured = min(cpu_s(extract_features, y, FeatureConfig()) for _ in range(3))
        rows.append({"network_s": length_s, "original": theirs, "ours": ours, "features": measured})
        print(
            f"{length_s:7d} {theirs:10.3f} {ours:6.3f} {ours + measured:15.3f}"
            f" {theirs / ours:7.0f} {theirs / (ours + measured):15.1f}"
        )
    return rows


def print_row(row: dict[str, Any], *, is_first: bool) -> None:
    if is_first:
        heads = "  ".join(f"{name:>8}" for name in STAGES)
        print(
            f"\n{'track':>12} {'n':>2} {'floor':>7} {'job':>7} {'p95':>7} {'ratio':>5} {'MB':>4}"
            f" {'ready':>5}  {heads}"
        )
    name = f"{row['length_s']:.0f} s {row['format']}"
    stages = "  ".join(f"{row['stages_s'][stage]:8.3f}" for stage in STAGES)
    print(
        f"{name:>12} {row['n']:2d} {row['floor_s']:7.3f} {row['job_s']:7.3f} {row['job_p95_s']:7.3f}"
        f" {row['ratio']:5.2f} {row['peak_mb']:4.0f} {row['ready_s']:5.1f}  {stages}",
        flush=True,
    )


def print_growth(rows: Sequence[dict[str, Any]]) -> None:
    """Cost of a minute of audio, without the fixed cost of cutting and encoding."""
    print("\nCPU seconds a minute of audio, without the 30 s that are encoded:")
    for name in dict.fromkeys(row["format"] for row in rows):
        points = [row for row in rows if row["format"] == name]
        print(
            f"{name:>5}  "
            + "  ".join(f"{p['length_s']:.0f} s: {p['analysis_s_per_min']:.4f}" for p in points)
        )


if __name__ == "__main__":
    main(sys.argv[1:])
