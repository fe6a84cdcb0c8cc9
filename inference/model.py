"""The trained network: a track's features in, its interest curve out, in one ONNX Runtime call.

What the graph expects is written in its metadata and checked when it is loaded, so that weights and code
cannot drift apart unseen.
"""

import dataclasses
import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from inference.config import FeatureConfig
from inference.datatypes import FloatArray, InterestCurve, TrackFeatures
from inference.errors import ModelContractError

CONTRACT = "1"
SHIPPED = "interest.onnx"
N_CHROMA = 24
# Self-similarity is quadratic: what lasts up to 9.5 minutes is seen whole. Longer recordings go in stretches
# of at most 6.3, longer than the songs in them, so that an hour costs what its minutes do.
MAX_POINTS = 768
STRETCH_POINTS = 512
SHARED_POINTS = 128  # with the next stretch
# Up to 4.8 minutes the session keeps its memory, 25 MB; what a longer track needed is given back.
KEPT_POINTS = 384
MIN_POINTS = 8
UNREADABLE = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
)
SILENCE_DB = -60.0  # below the loudest frame: silence before and after the music says nothing about it


class InterestModel:
    """A loaded network. One per process: the session keeps its buffers and its thread pool."""

    def __init__(self, session: ort.InferenceSession) -> None:
        meta = dict(session.get_modelmeta().custom_metadata_map)
        if meta.get("contract") != CONTRACT:
            raise ModelContractError(
                f"weights follow contract {meta.get('contract')!r}, code needs {CONTRACT!r}"
            )
        try:
            self.config = FeatureConfig(**json.loads(meta["features"]))
            self.version = meta["version"]
            self.point_frames = int(meta["point_frames"])
        except (KeyError, TypeError, ValueError) as exc:
            raise ModelContractError(f"metadata of the weights cannot be read: {exc!r}") from exc
        inputs = {i.name: i.shape[1:] for i in session.get_inputs()}
        expected: dict[str, list[Any]] = {
            "mel": [self.config.n_mels],
            "chroma": [N_CHROMA],
            "loudness_db": [],
        }
        if inputs != expected:
            raise ModelContractError(f"inputs of the weights are {inputs}, not {expected}")
        self._session = session
        self.metadata = meta

    @classmethod
    def load(cls, path: Path | None = None, threads: int = 1) -> "InterestModel":
        """Open weights: `path`, or those that are shipped. Raises ModelContractError if they do not fit."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Without its arena the session takes aligned blocks from glibc, which finds no place for them in what
        # it has freed: the same run peaked at anything between 40 and 660 MB.
        options.enable_cpu_mem_arena = True
        options.enable_mem_pattern = False  # a plan of the memory is held beside what the first run took
        options.log_severity_level = 3
        try:
            if path is None:
                with as_file(files("inference") / "weights" / SHIPPED) as shipped:
                    data = shipped.read_bytes()
            else:
                data = path.read_bytes()
            session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except (OSError, RuntimeError, *UNREADABLE) as exc:
            raise ModelContractError(f"weights cannot be opened: {exc}") from exc
        return cls(session)

    @property
    def hop_s(self) -> float:
        """Seconds between two points of the curve."""
        return self.config.hop_s * self.point_frames

    def predict(self, features: TrackFeatures) -> InterestCurve:
        """The curve of a track of any length; silent ends have no interest."""
        self._check(features)
        n_frames = len(features.mel)
        n_points = -(-n_frames // self.point_frames)
        values = np.zeros(n_points, np.float32)
        first, last = self._sounding(features.loudness_db)
        if first == last:
            return InterestCurve(values, self.hop_s, clarity=0.0)
        curve, clarity = self._stretches(features, first, last)
        values[first:last] = curve
        return InterestCurve(values, self.hop_s, clarity)

    def _stretches(self, features: TrackFeatures, first: int, last: int) -> tuple[FloatArray, float]:
        """Curve of points first .. last, from overlapping stretches where there are too many for one."""
        n = last - first
        if n <= MAX_POINTS:
            return self._run(features, first, last)
        n_stretches = -(-(n - SHARED_POINTS) // (STRETCH_POINTS - SHARED_POINTS))
        # As short as their number allows.
        length = -(-(n + (n_stretches - 1) * SHARED_POINTS) // n_stretches)
        starts = np.linspace(first, last - length, n_stretches).round().astype(int)
        # Each stretch counts most in its middle, so that the seams do not show.
        weight = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).astype(np.float32)
        total, weights, clarity = np.zeros(n, np.float32), np.zeros(n, np.float32), 0.0
        for start in starts:
            at = slice(start - first, start - first + length)
            curve, clear = self._run(features, start, start + length, is_last=start == starts[-1])
            total[at] += weight * curve
            weights[at] += weight
            clarity = max(clarity, clear)
        return total / weights, clarity

    def _run(
        self, features: TrackFeatures, first: int, last: int, *, is_last: bool = True
    ) -> tuple[FloatArray, float]:
        """One call of the graph on points first .. last."""
        frames = slice(first * self.point_frames, last * self.point_frames)
        inputs = {
            "mel": features.mel[frames],
            "chroma": features.chroma[frames],
            "loudness_db": features.loudness_db[frames],
        }
        missing = MIN_POINTS * self.point_frames - len(inputs["mel"])
        if missing > 0:
            inputs = {
                k: np.pad(v, ((0, missing),) + ((0, 0),) * (v.ndim - 1), "edge") for k, v in inputs.items()
            }
        options = ort.RunOptions()
        if is_last and last - first > KEPT_POINTS:
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        interest, clarity = self._session.run(["interest", "clarity"], inputs, options)
        curve: FloatArray = np.clip(np.asarray(interest, np.float32)[: last - first], 0, 1)
        return curve, float(np.clip(np.asarray(clarity).reshape(-1)[0], 0, 1))

    def _sounding(self, loudness_db: FloatArray) -> tuple[int, int]:
        """First and past-last point that is not silence at an end of the track."""
        loudest = float(loudness_db.max())
        if loudest <= SILENCE_DB - 30:
            return 0, 0
        sounding = np.flatnonzero(loudness_db > loudest + SILENCE_DB)
        return int(sounding[0]) // self.point_frames, int(sounding[-1]) // self.point_frames + 1

    def _check(self, features: TrackFeatures) -> None:
        n = len(features.mel)
        shapes = features.mel.shape, features.chroma.shape, features.loudness_db.shape
        expected = (n, self.config.n_mels), (n, N_CHROMA), (n,)
        if shapes != expected or n == 0:
            raise ModelContractError(f"features have shapes {shapes}, the weights need {expected}")
        if abs(features.hop_s - self.config.hop_s) > 1e-9:
            raise ModelContractError(f"features have a hop of {features.hop_s} s, not {self.config.hop_s} s")


def metadata_of(config: FeatureConfig, version: str, point_frames: int) -> dict[str, str]:
    """The part of a model file's metadata that `InterestModel` reads; the exporter adds the origin."""
    return {
        "contract": CONTRACT,
        "features": json.dumps(dataclasses.asdict(config), sort_keys=True),
        "version": version,
        "point_frames": str(point_frames),
    }
