"""Networks trained without one fold each: honest scores on every song, together the ensemble that ships."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from training.graph import Fusion, InterestGraph
from training.network import NetConfig, RepetitionNet, SpectralNet, prepare
from training.songs import N_FOLDS, FloatArray, Song
from training.spectrum import spectral_inputs
from training.train import Example, FitConfig, examples_of, fit

log = logging.getLogger(__name__)
Net = TypeVar("Net", bound=nn.Module)
REPETITION, SPECTRAL = "repetition", "spectral"
REPETITION_NET = NetConfig()
REPETITION_FIT = FitConfig()
SPECTRAL_NET = NetConfig(dropout=0.3, repetition=False, position=False)
SPECTRAL_FIT = FitConfig(epochs=10)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, beside the data."""

    repetition: NetConfig = REPETITION_NET
    spectral: NetConfig = SPECTRAL_NET
    repetition_fit: FitConfig = REPETITION_FIT
    spectral_fit: FitConfig = SPECTRAL_FIT
    fusion: Fusion = field(default_factory=Fusion)
    repetition_seeds: tuple[int, ...] = (0, 1)
    spectral_seeds: tuple[int, ...] = (0,)
    folds: tuple[int, ...] = tuple(range(N_FOLDS))
    n_variations: int = 8


def chroma_inputs(arrays: dict[str, FloatArray]) -> tuple[Tensor, ...]:
    with torch.no_grad():
        return prepare(torch.from_numpy(np.ascontiguousarray(arrays["chroma"])))


def mel_inputs(arrays: dict[str, FloatArray]) -> tuple[Tensor, ...]:
    with torch.no_grad():
        mel, loudness_db = (torch.from_numpy(np.ascontiguousarray(arrays[k])) for k in ("mel", "loudness_db"))
        inputs = spectral_inputs(mel, loudness_db)
    return inputs, torch.zeros(1, 1, 1)


def chroma_arrays(song: Song) -> dict[str, FloatArray]:
    return {"chroma": song.chroma}


def mel_arrays(song: Song) -> dict[str, FloatArray]:
    if song.mel is None or song.loudness_db is None:
        raise ValueError(f"{song.song_id} has no mel")
    return {"chroma": song.chroma, "mel": song.mel, "loudness_db": song.loudness_db}


def bank_of(songs: Sequence[Song], kind: str, n_variations: int) -> dict[str, list[Example]]:
    """Variations of each song for the networks of one kind; the spectral ones need a mel."""
    arrays_of, inputs_of = (chroma_arrays, chroma_inputs) if kind == REPETITION else (mel_arrays, mel_inputs)
    log.info("%s: %d variations of %d songs", kind, n_variations, len(songs))
    return {s.song_id: examples_of(s, arrays_of, inputs_of, n_variations, 0) for s in songs}


def train_kind(kind: str, songs: Sequence[Song], recipe: Recipe, run: Path) -> None:
    """The networks of one kind for every fold and seed, written to `run`; those that are there are kept."""
    seeds = recipe.repetition_seeds if kind == REPETITION else recipe.spectral_seeds
    paths = {(f, seed): run / f"{kind}-{f}-{seed}.pt" for f in recipe.folds for seed in seeds}
    wanted = {key: path for key, path in paths.items() if not path.exists()}
    if not wanted:
        return
    bank = bank_of(songs, kind, recipe.n_variations)
    for (fold, seed), path in wanted.items():
        others = [bank[song.song_id] for song in songs if song.fold != fold]
        log.info("%s net without fold %d, seed %d: %d songs", kind, fold, seed, len(others))
        torch.manual_seed(1000 * seed + fold)
        net: nn.Module
        if kind == REPETITION:
            net, how = RepetitionNet(recipe.repetition), recipe.repetition_fit
        else:
            net, how = SpectralNet(recipe.spectral), recipe.spectral_fit
        part = path.with_suffix(".part")
        torch.save(fit(net, others, how, 1000 * seed + fold).state_dict(), part)
        part.rename(path)


def load_nets(
    run: Path, recipe: Recipe, folds: Sequence[int]
) -> tuple[list[RepetitionNet], list[SpectralNet]]:
    """The nets trained without each of `folds`, ready to use."""
    repetition = [
        _loaded(RepetitionNet(recipe.repetition), run / f"{REPETITION}-{fold}-{seed}.pt")
        for fold in folds
        for seed in recipe.repetition_seeds
    ]
    spectral = [
        _loaded(SpectralNet(recipe.spectral), run / f"{SPECTRAL}-{fold}-{seed}.pt")
        for fold in folds
        for seed in recipe.spectral_seeds
    ]
    return repetition, spectral


def fold_graph(run: Path, recipe: Recipe, fold: int, fusion: Fusion | None = None) -> InterestGraph:
    """What may judge the songs of `fold`."""
    repetition, spectral = load_nets(run, recipe, [fold])
    return InterestGraph(repetition, spectral, fusion or recipe.fusion).eval()


def _loaded(net: Net, path: Path) -> Net:
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval()
