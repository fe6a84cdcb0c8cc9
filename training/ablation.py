"""What each part is worth: variants trained alike on one split, scored on the artists they never saw."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.evaluate import Row, markdown, scored
from training.folds import (
    REPETITION_NET,
    SPECTRAL_NET,
    chroma_arrays,
    chroma_inputs,
    mel_arrays,
    mel_inputs,
)
from training.graph import graph_inputs
from training.network import RepetitionNet, SpectralNet
from training.original import OriginalNet
from training.repetition import pooled, standardised
from training.songs import FloatArray, Song
from training.train import Example, FitConfig, examples_of, fit

log = logging.getLogger(__name__)
TEST_FOLDS = (0, 1)
N_VARIATIONS = 4
FIT = FitConfig(epochs=5)  # half of a full training: enough to rank
Inputs = Callable[[dict[str, FloatArray]], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Variant:
    """A network, what it reads, and from which songs it learns."""

    name: str
    make: Callable[[], nn.Module]
    inputs_of: Inputs
    on_mel: bool
    how: FitConfig
    with_renders: bool = False
    keep_every: int = 1  # of the training songs, for a learning curve: the steps stay as many


def raw_chroma(arrays: dict[str, FloatArray]) -> tuple[Tensor, ...]:
    """Chroma as it is, per point, for the original architecture."""
    chroma = torch.from_numpy(np.ascontiguousarray(arrays["chroma"]))
    return standardised(pooled(torch.sqrt(chroma))), torch.zeros(1, 1, 1)


def raw_mel(arrays: dict[str, FloatArray]) -> tuple[Tensor, ...]:
    """Log-mel as it is, per point, for the original architecture."""
    mel = torch.from_numpy(np.ascontiguousarray(arrays["mel"]))
    mel = torch.maximum(mel, mel.max() - 80) - mel.max() + 40
    return pooled(mel) / 20, torch.zeros(1, 1, 1)


def variants() -> list[Variant]:
    """The rows of the table, the full nets first."""
    net, mel = REPETITION_NET, SPECTRAL_NET
    chroma_variants = {
        "repetition net": net,
        "without attention": replace(net, attention=False),
        "without multi-scale": replace(net, kernels=(3,)),
        "without repetition": replace(net, repetition=False),
        "without position": replace(net, position=False),
    }
    mel_variants = {
        "spectral net": mel,
        "without attention": replace(mel, attention=False),
        "without multi-scale": replace(mel, kernels=(3,)),
    }
    out = [
        Variant(f"chroma: {name}", lambda c=config: RepetitionNet(c), chroma_inputs, False, FIT)
        for name, config in chroma_variants.items()
    ]
    both = "chroma: repetition net, renders too"
    out.append(Variant(both, lambda: RepetitionNet(net), chroma_inputs, False, FIT, with_renders=True))
    for every, name in ((2, "half"), (4, "a quarter")):
        longer = replace(FIT, epochs=FIT.epochs * every)
        label = f"chroma: repetition net, {name} of the songs"
        out.append(Variant(label, lambda: RepetitionNet(net), chroma_inputs, False, longer, keep_every=every))
    out.append(Variant("chroma: original architecture", lambda: OriginalNet(24), raw_chroma, False, FIT))
    out += [
        Variant(f"mel: {name}", lambda c=config: SpectralNet(c), mel_inputs, True, FIT)
        for name, config in mel_variants.items()
    ]
    out.append(Variant("mel: original architecture", lambda: OriginalNet(128), raw_mel, True, FIT))
    return out


def table(labelled: Sequence[Song], rendered: Sequence[Song], run: Path) -> str:
    """Train what is not in `run` yet, score all, and return the tables."""
    run.mkdir(parents=True, exist_ok=True)
    rows: dict[bool, list[Row]] = {False: [], True: []}
    banks = _Banks()
    for variant in variants():
        pool = rendered if variant.on_mel else [*labelled, *(rendered if variant.with_renders else [])]
        tests = rendered if variant.on_mel else labelled
        train = sorted((s for s in pool if s.fold not in TEST_FOLDS), key=lambda song: song.song_id)
        net = _trained(variant, train[:: variant.keep_every], banks, run)
        tested = [s for s in tests if s.fold in TEST_FOLDS]
        rows[variant.on_mel].append(Row(variant.name, [scored(s, _curve(net, variant, s)) for s in tested]))
        log.info("%s: %s", variant.name, rows[variant.on_mel][-1].cells())
    parts = (("Billboard", rows[False]), ("renders", rows[True]))
    return "\n".join(f"\n### Parts, on {name}\n\n{markdown(some)}" for name, some in parts)


class _Banks:
    """Variations of songs for one kind of input at a time: neighbours in the table share them."""

    def __init__(self) -> None:
        self._inputs_of: Inputs | None = None
        self._examples: dict[str, list[Example]] = {}

    def of(self, variant: Variant, songs: Sequence[Song]) -> list[list[Example]]:
        if variant.inputs_of is not self._inputs_of:
            self._inputs_of, self._examples = variant.inputs_of, {}
        arrays_of = mel_arrays if variant.on_mel else chroma_arrays
        for song in songs:
            if song.song_id not in self._examples:
                self._examples[song.song_id] = examples_of(
                    song, arrays_of, variant.inputs_of, N_VARIATIONS, 0
                )
        return [self._examples[song.song_id] for song in songs]


def _trained(variant: Variant, songs: Sequence[Song], banks: _Banks, run: Path) -> nn.Module:
    path = run / f"{variant.name.replace(' ', '-').replace(':', '').replace(',', '')}.pt"
    torch.manual_seed(0)
    net = variant.make()
    if path.exists():
        net.load_state_dict(torch.load(path, weights_only=True))
        return net.eval()
    net = fit(net, banks.of(variant, songs), variant.how, 0)
    torch.save(net.state_dict(), path)
    return net


def _curve(net: nn.Module, variant: Variant, song: Song) -> FloatArray:
    mel, chroma, loudness_db = (x.numpy() for x in graph_inputs(song))
    arrays = {"chroma": chroma, "mel": mel, "loudness_db": loudness_db}
    with torch.no_grad():
        curve: FloatArray = torch.sigmoid(net(*variant.inputs_of(arrays))).numpy()
    return curve
