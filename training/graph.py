"""The graph that ships: features of a track in, curve and clarity out.

Experts that learnt from different data are added as log-odds: repetition (people's labels of real songs, by
chroma), spectrum (renders, by log-mel), and plain loudness. Where the mel is missing or flat, its experts say
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.network import RepetitionNet, SpectralNet, prepare
from training.repetition import far_mask, pooled
from training.songs import FloatArray, Song
from training.spectrum import loudness_features, smoothed, spectral_inputs
from training.train import sounding

WINDOW_POINTS = 41  # 30 s
FLAT_DB = 1.0  # a mel that varies less is no mel
N_FACTS = 9


@dataclass(frozen=True)
class Fusion:
    """Weights of the experts' log-odds. How they were chosen stands in README.md."""

    repetition: float = 0.7
    spectral: float = 0.35
    loudness: float = 0.42


class InterestGraph(nn.Module):
    """Means of networks that were trained apart, added."""

    def __init__(
        self,
        repetition: Sequence[RepetitionNet],
        spectral: Sequence[SpectralNet],
        fusion: Fusion,
        clarity_weights: Sequence[float] = (0.0,) * (N_FACTS + 1),
    ) -> None:
        super().__init__()
        self.repetition = nn.ModuleList(repetition)
        self.spectral = nn.ModuleList(spectral)
        self.fusion = fusion
        self.clarity_weights: Tensor
        self.register_buffer("clarity_weights", torch.tensor(list(clarity_weights)))

    def forward(self, mel: Tensor, chroma: Tensor, loudness_db: Tensor) -> tuple[Tensor, Tensor]:
        """`mel` (n, n_mels), `chroma` (n, 24), `loudness_db` (n,) -> interest (n / 4,), clarity (1,)."""
        voices, similar = self.voices(mel, chroma, loudness_db)
        interest = self.interest_of(voices)
        facts = clarity_facts(interest, chroma, similar)
        clarity = torch.sigmoid((facts * self.clarity_weights[1:]).sum() + self.clarity_weights[0])
        return interest, clarity.reshape(1)

    def voices(self, mel: Tensor, chroma: Tensor, loudness_db: Tensor) -> tuple[Tensor, Tensor]:
        """What each expert says, unweighted: (n_points, 3); and the similarity matrices."""
        inputs, similar = prepare(chroma)
        silent = torch.zeros_like(inputs[:, 0])
        heard = silent
        if self.repetition:
            heard = torch.stack([net(inputs, similar) for net in self.repetition]).mean(0)
        present = (mel.max() - mel.min() > FLAT_DB).to(torch.float32)
        seen = silent
        if self.spectral:
            spectrum = spectral_inputs(mel, loudness_db)
            seen = torch.stack([net(spectrum, similar) for net in self.spectral]).mean(0)
            seen = present * (seen - seen.mean())
        loud = present * loudness_features(loudness_db)[:, 1]
        return torch.stack([heard, seen, loud], dim=1), similar

    def interest_of(self, voices: Tensor) -> Tensor:
        """The weighted sum of the experts' log-odds as a chance."""
        weights = torch.tensor([self.fusion.repetition, self.fusion.spectral, self.fusion.loudness])
        return torch.sigmoid((voices * weights).sum(1))


def clarity_facts(interest: Tensor, chroma: Tensor, similar: Tensor) -> Tensor:
    """What tells whether a track has a highlight, and whether the curve has found it: (N_FACTS,)."""
    means = smoothed(interest, WINDOW_POINTS)
    best, mean = means.max(), interest.mean()
    n = similar.shape[1]
    far = far_mask(n, similar.device)
    repeats = torch.relu(similar[1]) * far
    best_repeat = repeats.max(dim=1).values.mean()
    spread = torch.sqrt((similar[1] * similar[1] * far).sum() / (far.sum() + 1))
    treble = pooled(chroma[:, 12:])
    total = treble.sum(1)
    share = treble / (total[:, None] + 1e-3)
    entropy = -(share * torch.log(share + 1e-4)).sum(1)
    steady = (share[1:] * share[:-1]).sum(1) / (share[1:].norm(dim=1) * share[:-1].norm(dim=1) + 1e-6)
    overall = share.mean(0)
    return torch.stack(
        [
            best,
            best - mean,
            interest.std(),
            best_repeat,
            spread,
            entropy.mean(),
            total.mean() / 10,
            steady.mean(),
            -(overall * torch.log(overall + 1e-4)).sum(),
        ]
    )


def graph_inputs(song: Song) -> tuple[Tensor, Tensor, Tensor]:
    """A song's features from its first to its last sound; a missing mel is flat."""
    frames = sounding(song)
    chroma = song.chroma[frames]
    n = len(chroma)
    mel = torch.zeros(n, 128) if song.mel is None else _tensor(song.mel[frames])
    loudness_db = torch.zeros(n) if song.loudness_db is None else _tensor(song.loudness_db[frames])
    return mel, _tensor(chroma), loudness_db


def _tensor(x: FloatArray) -> Tensor:
    return torch.from_numpy(x.copy())
