"""The trainer on toy songs: it learns, it repeats itself, and the exported graph says what PyTorch says."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (make train installs it)")
pytest.importorskip("onnx", reason="the training packages are not installed (make train installs them)")

import torch

from inference.model import InterestModel
from training.evaluate import curve_of, scored
from training.export import export
from training.folds import REPETITION_NET, SPECTRAL_NET, bank_of
from training.graph import Fusion, InterestGraph
from training.network import RepetitionNet, SpectralNet
from training.original import OriginalNet
from training.repetition import similarities
from training.songs import Song
from training.train import FitConfig, fit, pick_loss

pytestmark = pytest.mark.slow
HOP_S = 4096 / 22050


def song(seed: int) -> Song:
    """Verse, chorus, verse, chorus, bridge, chorus; the chorus alone has its chords and repeats exactly."""
    rng = np.random.default_rng(seed)
    n = 110

    def section() -> np.ndarray:
        return np.repeat(rng.gamma(0.4, 2.0, (n // 10, 24)), 10, axis=0)

    chorus = section()
    parts = [section(), chorus, section(), chorus, section(), chorus]
    chroma = np.concatenate([p + rng.gamma(0.3, 0.2, p.shape) for p in parts]).astype(np.float32)
    interest = np.concatenate([np.full(n, k % 2) for k in range(6)]).astype(np.float32)
    spans = tuple((k * n * HOP_S, (k + 1) * n * HOP_S) for k in (1, 3, 5))
    mel = (rng.normal(-50, 3, (6 * n, 128)) + 10 * interest[:, None]).astype(np.float32)
    loudness_db = (interest * 6 - 20).astype(np.float32)
    return Song(
        song_id=f"toy-{seed}",
        source="toy",
        title="",
        artist=str(seed),
        hop_s=HOP_S,
        chroma=chroma,
        interest=interest,
        spans=spans,
        mel=mel,
        loudness_db=loudness_db,
    )


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    torch.set_num_threads(1)
    return [song(seed) for seed in range(16)]


def test_similarity_finds_the_repeated_section(songs: list[Song]) -> None:
    similar = similarities(torch.from_numpy(songs[0].chroma))[1].numpy()
    n = len(similar) // 6
    chorus_again = similar[n + 4 : 2 * n - 4, 3 * n + 4 : 4 * n - 4].diagonal().mean()
    verse_against_chorus = similar[4 : n - 4, n + 4 : 2 * n - 4].diagonal().mean()
    assert chorus_again > verse_against_chorus + 0.3


@pytest.mark.parametrize("kind", ["repetition", "spectral"])
def test_a_net_learns_toy_songs_it_has_not_seen(songs: list[Song], kind: str) -> None:
    torch.manual_seed(0)
    bank = list(bank_of(songs[:12], kind, 2).values())
    net = RepetitionNet(REPETITION_NET) if kind == "repetition" else SpectralNet(SPECTRAL_NET)
    fit(net, bank, FitConfig(epochs=12, songs_per_step=4), 0)
    nets = ([net], []) if kind == "repetition" else ([], [net])
    graph = InterestGraph(*nets, Fusion(loudness=0)).eval()
    scores = [scored(s, curve_of(graph, s)) for s in songs[12:]]
    assert np.mean([s.auc for s in scores]) > 0.8


def test_the_same_seed_gives_the_same_weights(songs: list[Song]) -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        bank = list(bank_of(songs[:4], "repetition", 2).values())
        net = fit(RepetitionNet(REPETITION_NET), bank, FitConfig(epochs=2, songs_per_step=2), 3)
        weights.append(torch.cat([p.detach().reshape(-1) for p in net.parameters()]))
    assert torch.equal(*weights)


def test_pick_loss_is_lower_for_the_better_pick() -> None:
    wanted = torch.zeros(200)
    wanted[100:150] = 1
    hop_s = 4 * HOP_S
    right = pick_loss(8 * wanted - 4, wanted, hop_s, 25.0)
    wrong = pick_loss(4 - 8 * wanted, wanted, hop_s, 25.0)
    assert right < 0.2 < 0.8 < wrong


def test_exported_graph_serves_the_product(tmp_path: Path, songs: list[Song]) -> None:
    torch.manual_seed(0)
    graph = InterestGraph([RepetitionNet(REPETITION_NET)], [SpectralNet(SPECTRAL_NET)], Fusion())
    path = tmp_path / "weights.onnx"
    export(graph, path, "test", {"data_sha256": "0" * 64, "revision": "none"})
    model = InterestModel.load(path)
    assert model.version == "test"
    assert model.metadata["data_sha256"] == "0" * 64


def test_a_missing_mel_leaves_the_repetition_expert_alone(songs: list[Song]) -> None:
    torch.manual_seed(0)
    repetition, spectral = RepetitionNet(REPETITION_NET).eval(), SpectralNet(SPECTRAL_NET).eval()
    both = InterestGraph([repetition], [spectral], Fusion())
    alone = InterestGraph([repetition], [], Fusion())
    chroma = torch.from_numpy(songs[0].chroma)
    flat = torch.zeros(len(chroma), 128), chroma, torch.zeros(len(chroma))
    with torch.no_grad():
        np.testing.assert_allclose(both(*flat)[0].numpy(), alone(*flat)[0].numpy(), atol=1e-6)


@pytest.mark.parametrize("n_bins", [24, 128])
@pytest.mark.parametrize("n", [8, 101, 330])
def test_original_architecture_gives_a_logit_a_point(n_bins: int, n: int) -> None:
    net = OriginalNet(n_bins).eval()
    assert net(torch.randn(n, n_bins), torch.zeros(1, 1, 1)).shape == (n,)
