"""The networks, and the graph that ships.

DeepChorus's idea (He et al., ICASSP 2022) on a time axis pooled to 0.743 s: convolutions at several scales,
then self-attention over the whole song. Attention also sees which points repeat each other (`repetition.py`),
so a section knows how often, when and after what it returns.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.repetition import (
    band,
    chroma_statistics,
    repetition_features,
    similarities,
    standardised,
)
from training.spectrum import N_SPECTRAL

N_SIMILARITIES = 5
N_REPETITION = 2 * 5 * N_SIMILARITIES
N_BAND = 2 * 49
N_STATISTICS = 8
N_POSITION = 4
EDGE_POINTS = 20.0  # 15 s: how far a beginning or an end reaches


@dataclass(frozen=True)
class NetConfig:
    """Size and parts of a network; the parts can be left out to see what each is worth."""

    d_model: int = 48
    heads: int = 4
    blocks: int = 2
    dropout: float = 0.2
    kernels: tuple[int, ...] = (3, 9, 23)
    attention: bool = True
    repetition: bool = True
    position: bool = True


class Attention(nn.Module):
    """Multi-head self-attention written out (it exports with a free length), led by what repeats."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.d_head = config.d_model // config.heads
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.out = nn.Linear(config.d_model, config.d_model)
        self.likeness = (
            nn.Parameter(torch.randn(config.heads, N_SIMILARITIES) + 2.0) if config.repetition else None
        )

    def forward(self, x: Tensor, similar: Tensor) -> Tensor:
        n = x.shape[0]
        q, k, v = (
            part.reshape(n, self.heads, self.d_head).transpose(0, 1) for part in self.qkv(x).chunk(3, dim=1)
        )
        logits = q @ k.transpose(1, 2) / math.sqrt(self.d_head)
        if self.likeness is not None:
            logits = logits + torch.einsum("hk,kij->hij", self.likeness, similar)
        mixed = torch.softmax(logits, dim=2) @ v
        return self.out(mixed.transpose(0, 1).reshape(n, self.heads * self.d_head))


class Block(nn.Module):
    """Convolutions at several scales, self-attention, and a feed-forward layer, each around a skip."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        d = config.d_model
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3))
        self.scales = nn.ModuleList(nn.Conv1d(d, d, k, padding=k // 2, groups=d) for k in config.kernels)
        self.mix = nn.Linear(d * len(config.kernels), d)
        self.attention = Attention(config) if config.attention else None
        self.feed = nn.Sequential(
            nn.Linear(d, 2 * d), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(2 * d, d)
        )
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, similar: Tensor) -> Tensor:
        y = self.norms[0](x).T[None]
        x = x + self.drop(self.mix(torch.cat([F.gelu(scale(y)[0].T) for scale in self.scales], dim=1)))
        if self.attention is not None:
            x = x + self.drop(self.attention(self.norms[1](x), similar))
        return x + self.drop(self.feed(self.norms[2](x)))


class RepetitionNet(nn.Module):
    """Interest logits of each point from chroma alone."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        n_inputs = N_REPETITION + N_BAND + N_STATISTICS + N_POSITION
        self.input = nn.Linear(n_inputs, config.d_model)
        self.input_drop = nn.Dropout(0.1)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.output = nn.Sequential(nn.LayerNorm(config.d_model), nn.Linear(config.d_model, 1))

    def forward(self, inputs: Tensor, similar: Tensor) -> Tensor:
        """`inputs` (n_points, d) and `similar` of `prepare`; returns (n_points,)."""
        parts = list(inputs.split([N_REPETITION, N_BAND, N_STATISTICS, N_POSITION], dim=1))
        if not self.config.repetition:
            parts[0], parts[1] = torch.zeros_like(parts[0]), torch.zeros_like(parts[1])
        if not self.config.position:
            parts[3] = torch.zeros_like(parts[3])
        x = self.input(self.input_drop(torch.cat(parts, dim=1)))
        for block in self.blocks:
            x = block(x, similar)
        logits: Tensor = self.output(x)[:, 0]
        return logits


class SpectralNet(nn.Module):
    """Interest logits of each point from the log-mel alone; no position, which renders would give away."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Linear(N_SPECTRAL, config.d_model)
        self.input_drop = nn.Dropout(0.1)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.output = nn.Sequential(nn.LayerNorm(config.d_model), nn.Linear(config.d_model, 1))

    def forward(self, inputs: Tensor, similar: Tensor) -> Tensor:
        """`inputs` (n_points, N_SPECTRAL); `similar` leads the attention if the configuration says so."""
        x = self.input(self.input_drop(inputs))
        for block in self.blocks:
            x = block(x, similar)
        logits: Tensor = self.output(x)[:, 0]
        return logits


def prepare(chroma: Tensor) -> tuple[Tensor, Tensor]:
    """What a repetition net reads of chroma (n_frames, 24); nothing here is learnt."""
    similar = similarities(chroma)
    n = similar.shape[1]
    repeated = repetition_features(similar)
    relative, absolute = repeated.chunk(2, dim=1)
    at = torch.arange(n, device=chroma.device).to(torch.float32)
    position = torch.stack(
        [at / n, 1 - at / n, torch.exp(-at / EDGE_POINTS), torch.exp((at + 1 - n) / EDGE_POINTS)], dim=1
    )
    parts = [standardised(relative), absolute, band(similar), chroma_statistics(chroma), position]
    return torch.cat(parts, dim=1), similar
