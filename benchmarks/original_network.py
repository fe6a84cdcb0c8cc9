"""The network of the paper that ours descends from, with random weights, for timing only.

    python -m benchmarks.original_network original.onnx      (needs PyTorch: the environment of `make train`)

Written from the description in He et al., DeepChorus (ICASSP 2022): 128 mel bands at 43 frames a second go
through four convolution blocks, three branches at 1, 1/3 and 1/9 of the frame rate that exchange five times,
and three self-attention blocks over all frames; 43 frames then make one point a second. 5 M parameters.
"""

import sys
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

N_MELS = 128
FRAMES_PER_POINT = 43
FRONT = ((64, 4), (128, 4), (256, 4), (256, 2))  # channels, and how many bands become one
WIDTH = 128
BRANCHES = (1, 2, 3, 3, 2, 1)
RATE_STEP = 3


class Exchange(nn.Module):
    """Every branch hears every other, brought to its own rate; then two convolutions each."""

    def __init__(self, n_in: int, n_out: int, width_in: int) -> None:
        super().__init__()
        self.roads = nn.ModuleList(
            nn.ModuleList(self._road(i, j, width_in) for i in range(n_in)) for j in range(n_out)
        )
        self.joins = nn.ModuleList(self._join(n_in) for _ in range(n_out))

    @staticmethod
    def _road(source: int, target: int, width: int) -> nn.Sequential:
        road = nn.Sequential()
        if source == target:
            road.append(nn.Conv1d(width, WIDTH, 3, padding=1))
        for _ in range(target - source):
            road.append(nn.Conv1d(width, WIDTH, RATE_STEP, stride=RATE_STEP))
            width = WIDTH
        for _ in range(source - target):
            road.append(nn.ConvTranspose1d(width, WIDTH, RATE_STEP, stride=RATE_STEP))
            width = WIDTH
        return road

    @staticmethod
    def _join(n_in: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv1d(n_in * WIDTH, WIDTH, 3, padding=1),
            nn.ELU(),
            nn.BatchNorm1d(WIDTH),
            nn.Conv1d(WIDTH, WIDTH, 3, padding=1),
            nn.ELU(),
            nn.BatchNorm1d(WIDTH),
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        return [
            join(torch.cat([road(x) for road, x in zip(roads, branches, strict=True)], dim=1))
            for roads, join in zip(self.roads, self.joins, strict=True)
        ]


class Attention(nn.Module):
    """One head over all frames, with a skip; quadratic in the track's length."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.transpose(1, 2)
        query, key, value = (nn.functional.elu(layer(frames)) for layer in (self.query, self.key, self.value))
        weights = torch.softmax(query @ key.transpose(1, 2) / WIDTH**0.5, dim=2)
        return self.norm(x + nn.functional.elu(self.out(weights @ value)).transpose(1, 2))


class OriginalNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential()
        width = 1
        for channels, n_bands in FRONT:
            self.front.extend(
                [
                    nn.Conv2d(width, channels, 3, padding=1),
                    nn.ELU(),
                    nn.BatchNorm2d(channels),
                    nn.AvgPool2d((n_bands, 1)),
                ]
            )
            width = channels
        self.exchanges = nn.ModuleList()
        for n_in, n_out in pairwise(BRANCHES):
            self.exchanges.append(Exchange(n_in, n_out, width))
            width = WIDTH
        self.attentions = nn.ModuleList(Attention() for _ in range(3))
        self.convolutions = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 3, padding=1) for _ in range(3))
        self.head = nn.Sequential(
            nn.Conv1d(WIDTH, 64, FRAMES_PER_POINT, stride=FRAMES_PER_POINT),
            nn.BatchNorm1d(64),
            nn.Conv1d(64, 32, 3, padding=1),
            nn.ELU(),
            nn.BatchNorm1d(32),
            nn.Conv1d(32, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, mel: Tensor) -> Tensor:
        """(1, 1, N_MELS, n_frames), n_frames a multiple of 9, to (n_points,)."""
        branches = [self.front(mel)[:, :, 0]]
        for exchange in self.exchanges:
            branches = exchange(branches)
        x = branches[0]
        for attention, convolution in zip(self.attentions, self.convolutions, strict=True):
            x = nn.functional.elu(convolution(attention(x)))
        points: Tensor = self.head(x)[0, 0]
        return points


def main(path: Path) -> None:
    network = OriginalNetwork().eval()
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    example = torch.zeros(1, 1, N_MELS, 9 * 50)
    torch.onnx.export(
        network,
        (example,),
        str(path),
        input_names=["mel"],
        output_names=["interest"],
        dynamic_axes={"mel": {3: "n_frames"}, "interest": {0: "n_points"}},
        dynamo=False,
    )
    print(f"{path}: {n_parameters / 1e6:.1f} M parameters, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
