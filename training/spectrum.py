"""What the spectral network reads of a track's log-mel; nothing here is learnt.

Each band's mean over the track is removed, which removes gain and tone colour; what is left is how the sound
changes from section to section. Time is in points, as in `repetition.py`.
"""

import torch
from torch import Tensor

from training.repetition import pooled, standardised

RANGE_DB = 70.0  # below the track's loudest band
DB_PER_UNIT = 10.0
N_MELS = 128
GROUP = 4  # bands per group of the flux
N_SPECTRAL = N_MELS + N_MELS // GROUP + 3


def spectral_inputs(mel: Tensor, loudness_db: Tensor) -> Tensor:
    """`mel` (n_frames, 128) and `loudness_db` (n_frames,) in dB -> (n_points, N_SPECTRAL)."""
    mel = torch.maximum(mel, mel.max() - RANGE_DB)
    level = pooled(mel)
    level = (level - level.mean(0, keepdim=True)) / DB_PER_UNIT
    rise = torch.relu(mel[1:] - mel[:-1])
    rise = torch.cat([rise[:1], rise]).reshape(-1, N_MELS // GROUP, GROUP).mean(2)
    flux = pooled(rise)
    flux = (flux - flux.mean(0, keepdim=True)) / (flux.std(0, keepdim=True) + 0.5)
    loud = loudness_features(loudness_db)
    return torch.cat([level, flux, loud], dim=1)


def loudness_features(loudness_db: Tensor) -> Tensor:
    """Level of each point in deviations, smoothed over 3, 10 and 30 s: (n_points, 3)."""
    floor = loudness_db.max() - RANGE_DB
    level = standardised(pooled(torch.maximum(loudness_db, floor)[:, None]))[:, 0]
    return torch.stack([smoothed(level, k) for k in (5, 13, 41)], dim=1)


def smoothed(x: Tensor, n_points: int) -> Tensor:
    """Mean over the `n_points` around each point (fewer at the ends): (n,) -> (n,)."""
    kernel = torch.ones(1, 1, n_points, device=x.device)
    half = n_points // 2
    total = torch.nn.functional.conv1d(x[None, None], kernel, padding=half)
    count = torch.nn.functional.conv1d(torch.ones_like(x)[None, None], kernel, padding=half)
    return (total / count)[0, 0]
