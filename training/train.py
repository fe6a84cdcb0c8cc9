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

    epochs: int = 12
    songs_per_step: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    pick_weight: float = 0.5  # of the loss on the picked window, beside 1 for each point
    pick_sharpness: float = 25.0
    averaging: float = 0.99  # of the weights over steps; the average generalises better than the last step


def sounding(song: Song) -> slice:
    """Frames from the first to the last that has any pitch; the product cuts silence at the ends as well."""
    at = np.flatnonzero(song.chroma.sum(axis=1) > SOUNDING)
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, len(song.chroma))


def pick_loss(logits: Tensor, interest: Tensor, hop_s: float, sharpness: float) -> Tensor:
    """How far the softly picked 30 s fall short of the best 30 s, 0..1: what the listener gets."""
    width = min(round(WINDOW_S / hop_s), len(interest))
    picked = _window_means(torch.sigmoid(logits), width)
    wanted = _window_means(interest, width)
    gained = (torch.softmax(sharpness * picked, dim=0) * wanted).sum()
    return 1 - gained / (wanted.max() + 1e-6)


def _window_means(x: Tensor, width: int) -> Tensor:
    total = torch.cumsum(F.pad(x, (1, 0)), dim=0)
    return (total[width:] - total[:-width]) / width


def fit(
    network: nn.Module,
    inputs_of: Callable[[dict[str, FloatArray]], tuple[Tensor, ...]],
    songs: Sequence[Song],
    arrays_of: Callable[[Song], dict[str, FloatArray]],
    config: FitConfig,
    seed: int,
) -> nn.Module:
    """Train `network` in place on random variations of `songs`; returns it with averaged weights."""
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    n_steps = config.epochs * (len(songs) // config.songs_per_step)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=n_steps + 1, pct_start=0.15
    )
    average = torch.optim.swa_utils.AveragedModel(network, avg_fn=_moving_average(config.averaging))
    network.train()
    for epoch in range(config.epochs):
        started, total = time.monotonic(), 0.0
        order = rng.permutation(len(songs))
        for step in range(len(songs) // config.songs_per_step):
            chosen = order[step * config.songs_per_step : (step + 1) * config.songs_per_step]
            for index in chosen:
                loss = _song_loss(network, inputs_of, songs[index], arrays_of, config, rng)
                (loss / config.songs_per_step).backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            average.update_parameters(network)
        log.info(
            "epoch %d of %d: loss %.3f, %.0f s",
            epoch + 1,
            config.epochs,
            total / len(songs),
            time.monotonic() - started,
        )
    network.load_state_dict(average.module.state_dict())
    return network.eval()


def _song_loss(
    network: nn.Module,
    inputs_of: Callable[[dict[str, FloatArray]], tuple[Tensor, ...]],
    song: Song,
    arrays_of: Callable[[Song], dict[str, FloatArray]],
    config: FitConfig,
    rng: np.random.Generator,
) -> Tensor:
    frames = sounding(song)
    arrays = {name: a[frames] for name, a in arrays_of(song).items()}
    arrays, interest = varied(arrays, song.interest[frames], song.hop_s, rng)
    wanted = torch.from_numpy(points(interest))
    logits = network(*inputs_of(arrays))
    loss = F.binary_cross_entropy_with_logits(logits, wanted)
    hop_s = song.hop_s * POINT_FRAMES
    return loss + config.pick_weight * pick_loss(logits, wanted, hop_s, config.pick_sharpness)


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    def update(averaged: Tensor, current: Tensor, n: Tensor | int) -> Tensor:
        keep = min(decay, (float(n) + 1) / (float(n) + 10))
        return averaged * keep + current * (1 - keep)

    return update
