"""DeepChorus's own architecture (He et al., ICASSP 2022), scaled to our points: a yardstick, never shipped.

Streams of two-dimensional convolutions at three time scales that exchange, then self-attention with
convolutions. The published network has 5 M parameters and reads 43 frames a second; this one reads 1.35
points a second, has no self-similarity, and is trained on the same songs in the same way as ours.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N_CHANNELS = 16
D_MODEL = 64
SCALES = (1, 2, 4)


class _Conv(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm = nn.GroupNorm(4, n_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class _Exchange(nn.Module):
    """One stage: each stream convolved at its own time scale, then every stream hears all."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_Conv(N_CHANNELS, N_CHANNELS) for _ in SCALES)

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        convolved = [conv(x) for conv, x in zip(self.convs, streams, strict=True)]
        return [
            torch.stack([F.interpolate(other, size=x.shape[2:]) for other in convolved]).mean(0)
            for x in convolved
        ]


class _AttentionConv(nn.Module):
    def __init__(self, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(D_MODEL, 3 * D_MODEL)
        self.out = nn.Linear(D_MODEL, D_MODEL)
        self.norm = nn.LayerNorm(D_MODEL)
        self.conv = nn.Conv1d(D_MODEL, D_MODEL, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        q, k, v = (p.reshape(n, self.heads, -1).transpose(0, 1) for p in self.qkv(x).chunk(3, dim=1))
        mixed = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[2]), dim=2) @ v
        x = self.norm(x + self.out(mixed.transpose(0, 1).reshape(n, D_MODEL)))
        return x + F.relu(self.conv(x.T[None])[0].T)


class OriginalNet(nn.Module):
    """Interest logits from (n_points, n_bins) of chroma or log-mel."""

    def __init__(self, n_bins: int) -> None:
        super().__init__()
        self.stem = _Conv(1, N_CHANNELS)
        self.stages = nn.ModuleList(_Exchange() for _ in range(2))
        self.collapse = nn.Conv2d(N_CHANNELS * len(SCALES), D_MODEL, (n_bins // 4, 1))
        self.attention = nn.ModuleList(_AttentionConv() for _ in range(2))
        self.output = nn.Linear(D_MODEL, 1)

    def forward(self, x: Tensor, similar: Tensor) -> Tensor:
        """`similar` is not looked at: the argument keeps the trainer's call the same for all networks."""
        del similar
        y = F.avg_pool2d(self.stem(x.T[None, None]), (4, 1))
        streams = [F.avg_pool2d(y, (1, scale), ceil_mode=True) for scale in SCALES]
        for stage in self.stages:
            streams = stage(streams)
        n = x.shape[0]
        merged = torch.cat([F.interpolate(s, size=(y.shape[2], n)) for s in streams], dim=1)
        h = F.relu(self.collapse(merged)[0, :, 0].T)
        for block in self.attention:
            h = block(h)
        logits: Tensor = self.output(h)[:, 0]
        return logits
