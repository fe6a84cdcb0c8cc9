"""What else could be used: pychorus for the whole job, and the network that ours descends from."""

import contextlib
import importlib.util
import io
import statistics
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.job_cost import cpu_s, p95, peak_mb, repeats_at, warm_worker

NETWORK_LENGTHS_S = (60, 120, 200)
CLIP_S = 30


def has_pychorus() -> bool:
    return importlib.util.find_spec("pychorus") is not None


def measure_pychorus(path: str, repeats: int) -> dict[str, Any]:
    """pychorus 0.1 (V. Jayaram), file in, WAV out, in turns with our whole job on the same file.

    `n` is 0 where it cannot read the file: it has M4A from FFmpeg's command or not at all.
    """
    from audioread.exceptions import NoBackendError
    from pychorus import find_and_output_chorus

    def theirs() -> None:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            find_and_output_chorus(path, f"{path}.wav", CLIP_S)

    try:
        theirs()  # its kernels are compiled
    except NoBackendError:
        return {"n": 0}
    peak = peak_mb()
    warm_worker()
    from inference.pipeline import make_highlight

    duration_s = make_highlight(path, f"{path}.ogg").analysis.duration_s
    times, ratios = [], []
    for _ in range(repeats_at(duration_s, repeats)):
        ours = cpu_s(make_highlight, path, f"{path}.ogg")
        times.append(cpu_s(theirs))
        ratios.append(times[-1] / ours)
    return {
        "n": len(times),
        "pychorus_s": statistics.median(times),
        "pychorus_p95_s": p95(times),
        "peak_mb": peak,
        "to_job": statistics.median(ratios),
    }


def original_network(folder: Path) -> Path | None:
    """The original network as a file, made anew; None without PyTorch."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("onnx") is None:
        return None
    import subprocess
    import sys

    path = folder / "original.onnx"
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "benchmarks.original_network", str(path)],
        check=True,
    )
    return path


def measure_networks(original: str, repeats: int) -> list[dict[str, Any]]:
    """The shipped network beside the original one on the same lengths, in turns, one thread each.

    `peak_mb` is that of a process that has only run the original one.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(original, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    inputs, peaks = {}, {}
    for length_s in NETWORK_LENGTHS_S:
        n_frames = length_s * 22_050 // 512 // 9 * 9
        inputs[length_s] = rng.standard_normal((1, 1, 128, n_frames)).astype(np.float32)
        session.run(None, {"mel": inputs[length_s]})
        peaks[length_s] = peak_mb()

    from inference.features import extract_features
    from inference.pipeline import process_model

    model = process_model()
    rows = []
    for length_s in NETWORK_LENGTHS_S:
        y = rng.standard_normal(length_s * 22_050).astype(np.float32) * 0.1
        features = extract_features(y, model.config)
        model.predict(features)
        turns = [
            (
                cpu_s(session.run, None, {"mel": inputs[length_s]}),
                cpu_s(model.predict, features),
                cpu_s(extract_features, y, model.config),
            )
            for _ in range(repeats)
        ]
        theirs, ours, measured = zip(*turns, strict=True)
        rows.append(
            {
                "length_s": length_s,
                "n": repeats,
                "weights": model.version,
                "original_s": statistics.median(theirs),
                "original_p95_s": p95(list(theirs)),
                "peak_mb": peaks[length_s],
                "ours_s": statistics.median(ours),
                "ours_p95_s": p95(list(ours)),
                "features_s": statistics.median(measured),
                "ratio": statistics.median(t / o for t, o, _ in turns),
                "ratio_with_features": statistics.median(t / (o + m) for t, o, m in turns),
            }
        )
    return rows
