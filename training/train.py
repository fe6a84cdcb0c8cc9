"""Fitting one network to labelled songs, reproducibly: same songs, configuration and seed, same weights."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.augment import varied
from training.metrics import WINDOW_S
from training.songs import POINT_FRAMES, FloatArray, Song, points

log = logging.getLogger(__name__)
SOUNDING = 0.5  # chroma sums of music are near 12; silence is 0


@dataclass(frozen=True)
class FitConfig:
    """How long and how hard a network is trained."""

    epochs: int = 10
    songs_per_step: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    pick_weight: float = 0.5  # of the loss on the picked window, beside 1 for each point
    pick_sharpness: float = 25.0
    averaging: float = 0.99  # of the weights over steps; the average generalises better than the last step


@dataclass(frozen=True, eq=False)
class Example:
    """One variation of a song, ready for a network; halves keep thousands of them in memory."""

    inputs: tuple[Tensor, ...]
    interest: Tensor
    hop_s: float


def sounding(song: Song) -> slice:
    """Frames from the first to the last that has any pitch; the product cuts silence at the ends as well."""
    at = np.flatnonzero(song.chroma.sum(axis=1) > SOUNDING)
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, len(song.chroma))


def examples_of(
    song: Song,
    arrays_of: Callable[[Song], dict[str, FloatArray]],
    inputs_of: Callable[[dict[str, FloatArray]], tuple[Tensor, ...]],
    n_variations: int,
    seed: int,
) -> list[Example]:
    """Random variations of a song. Made once and used in every epoch: half of the training time is here."""
    rng = np.random.default_rng([seed, *song.song_id.encode()])
    frames = sounding(song)
    out = []
    for _ in range(n_variations):
        arrays = {name: a[frames] for name, a in arrays_of(song).items()}
        arrays, interest = varied(arrays, song.interest[frames], song.hop_s, rng)
        inputs = tuple(x.to(torch.float16) for x in inputs_of(arrays))
        out.append(Example(inputs, torch.from_numpy(points(interest)), song.hop_s * POINT_FRAMES))
    return out


def pick_loss(logits: Tensor, interest: Tensor, hop_s: float, sharpness: float) -> Tensor:
    """How far the softly picked 30 s fall short of the best 30 s, 0..1: what the listener gets."""
    width = min(round(WINDOW_S / hop_s), len(interest))
    picked = _window_means(torch.sigmoid(logits), width)
    wanted = _window_means(interest, width)
    gained = (torch.softmax(sharpness * picked, dim=0) * wanted).sum()
    return 1 - gained / (wanted.max() + 1e-6)


def fit(network: nn.Module, bank: Sequence[Sequence[Example]], config: FitConfig, seed: int) -> nn.Module:
    """Train `network` in place on a random variation of each song an epoch; returns it with averaged weights.

    `bank`: the variations of each song.
    """
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps_per_epoch = max(1, len(bank) // config.songs_per_step)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.epochs * steps_per_epoch + 1, pct_start=0.15
    )
    average = torch.optim.swa_utils.AveragedModel(network, avg_fn=_moving_average(config.averaging))
    network.train()
    for epoch in range(config.epochs):
        started, total = time.monotonic(), 0.0
        order = rng.permutation(len(bank))
        for step in range(steps_per_epoch):
            for index in order[step * config.songs_per_step : (step + 1) * config.songs_per_step]:
                example = bank[index][int(rng.integers(len(bank[index])))]
                loss = _loss(network, example, config, device)
                (loss / config.songs_per_step).backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            average.update_parameters(network)
        took_s = time.monotonic() - started
        log.info("epoch %d of %d: loss %.3f, %.0f s", epoch + 1, config.epochs, total / len(bank), took_s)
    network.load_state_dict(average.module.state_dict())
    return network.cpu().eval()


def _loss(network: nn.Module, example: Example, config: FitConfig, device: torch.device) -> Tensor:
    logits = network(*(x.to(device, torch.float32) for x in example.inputs))
    interest = example.interest.to(device)
    loss = F.binary_cross_entropy_with_logits(logits, interest)
    return loss + config.pick_weight * pick_loss(logits, interest, example.hop_s, config.pick_sharpness)


def _window_means(x: Tensor, width: int) -> Tensor:
    total = torch.cumsum(F.pad(x, (1, 0)), dim=0)
    return (total[width:] - total[:-width]) / width


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    def update(averaged: Tensor, current: Tensor, n: Tensor | int) -> Tensor:
        keep = min(decay, (float(n) + 1) / (float(n) + 10))
        return averaged * keep + current * (1 - keep)

    return update
