"""The graph that ships: features of a track in, curve and clarity out."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.network import RepetitionNet, prepare
from training.songs import POINT_FRAMES

WINDOW_POINTS = 41  # 30 s


class InterestGraph(nn.Module):
    """Mean of several networks that were trained apart, on one set of prepared inputs."""

    def __init__(self, nets: Sequence[RepetitionNet], clarity_weights: Sequence[float]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.register_buffer("clarity_weights", torch.tensor(list(clarity_weights)))

    def forward(self, mel: Tensor, chroma: Tensor, loudness_db: Tensor) -> tuple[Tensor, Tensor]:
        """`mel` (n, n_mels), `chroma` (n, 24), `loudness_db` (n,) -> interest (n / 4,), clarity (1,)."""
        inputs, similar = prepare(chroma)
        logits = torch.stack([net(inputs, similar) for net in self.nets]).mean(0)
        interest = torch.sigmoid(logits)
        interest = interest + 0 * (mel[::POINT_FRAMES, 0] + loudness_db[::POINT_FRAMES])
        facts = curve_facts(interest)
        weights = self.clarity_weights
        assert isinstance(weights, Tensor)
        clarity = torch.sigmoid((facts * weights[1:]).sum() + weights[0])
        return interest, clarity.reshape(1)


def curve_facts(interest: Tensor) -> Tensor:
    """What tells whether a curve has a clear top: best half minute, and how far it stands out. (2,)"""
    kernel = torch.ones(1, 1, WINDOW_POINTS, device=interest.device)
    ones = torch.ones_like(interest)
    half = WINDOW_POINTS // 2
    means = F.conv1d(interest[None, None], kernel, padding=half) / F.conv1d(
        ones[None, None], kernel, padding=half
    )
    best = means.max()
    return torch.stack([best, best - interest.mean()])
