"""From trained networks to the one file that ships, checked against PyTorch before it is written."""

import logging
import subprocess
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch

from inference.config import FeatureConfig
from inference.model import metadata_of
from training.graph import InterestGraph
from training.songs import POINT_FRAMES

log = logging.getLogger(__name__)
OPSET = 17
TOLERANCE = 1e-3
HALVED_FROM = 256
# What decides the weights, beside the data.
DECISIVE = (
    "training",
    *(f"inference/{name}.py" for name in ("config", "filters", "chroma", "features", "model")),
)
CHECKED_FRAMES = (32, 333, 1300, 4096)


def export(graph: InterestGraph, path: Path, version: str, origin: dict[str, str]) -> None:
    """Write `graph` to `path` with its metadata. Raises ValueError when ONNX Runtime and PyTorch disagree."""
    graph = graph.eval()
    config = FeatureConfig()
    free = {name: {0: "n_frames"} for name in ("mel", "chroma", "loudness_db")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter warns of each shape that it follows
        torch.onnx.export(
            graph,
            _example(400, config, 0),
            str(path),
            input_names=["mel", "chroma", "loudness_db"],
            output_names=["interest", "clarity"],
            dynamic_axes=free | {"interest": {0: "n_points"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    metadata = metadata_of(config, version, POINT_FRAMES) | origin
    onnx.helper.set_model_props(model, metadata)
    halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    worst = parity(graph, path)
    if worst > TOLERANCE:
        raise ValueError(f"{path}: ONNX Runtime and PyTorch differ by {worst:.2g}")
    log.info("%s: %d bytes, differs from PyTorch by %.1e", path, path.stat().st_size, worst)


def halve(model: onnx.ModelProto) -> None:
    """Keep large weights as 16-bit floats, widened when the graph is loaded: half the file, the same work."""
    initialisers = model.graph.initializer
    casts = []
    for tensor in list(initialisers):
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < HALVED_FROM:
            continue
        narrow = onnx.numpy_helper.from_array(
            onnx.numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}_half"
        )
        casts.append(onnx.helper.make_node("Cast", [narrow.name], [tensor.name], to=onnx.TensorProto.FLOAT))
        initialisers.remove(tensor)
        initialisers.append(narrow)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def parity(graph: InterestGraph, path: Path) -> float:
    """Largest difference between ONNX Runtime and PyTorch over several lengths."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    config = FeatureConfig()
    worst = 0.0
    for seed, n in enumerate(CHECKED_FRAMES):
        inputs = _example(n, config, seed)
        with torch.no_grad():
            expected = graph(*inputs)
        names = ("mel", "chroma", "loudness_db")
        got = session.run(None, {k: v.numpy() for k, v in zip(names, inputs, strict=True)})
        worst = max(worst, *(float(np.abs(g - e.numpy()).max()) for g, e in zip(got, expected, strict=True)))
    return worst


def revision() -> str:
    """The checkout's revision, with a plus when it has changes; "unknown" outside a checkout."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", *DECISIVE],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _example(n: int, config: FeatureConfig, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    chroma = torch.rand(n, 24, generator=generator) * 3
    mel = torch.randn(n, config.n_mels, generator=generator) * 10 - 50
    return mel, chroma, mel.mean(1)
