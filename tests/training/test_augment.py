"""Variations keep features and target together and change only what they say."""

import numpy as np
import pytest

from training.augment import masked_bands, stretched, transposed, varied
from training.songs import FloatArray

HOP_S = 0.186
N = 900


def arrays() -> dict[str, FloatArray]:
    """Features that carry the target in them: every band is the interest."""
    interest = (np.arange(N) // 150 % 2).astype(np.float32)
    return {
        "mel": np.repeat(interest[:, None], 128, axis=1) * 40 - 60,
        "chroma": np.repeat(interest[:, None], 24, axis=1) * 3,
        "loudness_db": interest * 20 - 30,
    }


@pytest.mark.parametrize("seed", range(8))
def test_the_target_moves_with_the_features(seed: int) -> None:
    source = arrays()
    out, interest = varied(source, source["chroma"][:, 0] / 3, HOP_S, np.random.default_rng(seed))
    assert len({len(a) for a in out.values()} | {len(interest)}) == 1
    assert out["loudness_db"].ndim == 1
    agreement = np.corrcoef(out["loudness_db"], interest)[0, 1]
    assert agreement > 0.95


def test_the_same_seed_gives_the_same_variation() -> None:
    source = arrays()
    first, second = (
        varied(source, source["chroma"][:, 0] / 3, HOP_S, np.random.default_rng(3))[0] for _ in range(2)
    )
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_stretched_keeps_the_course_and_changes_the_length() -> None:
    course = np.linspace(0, 1, N, dtype=np.float32)
    lengths = set()
    for seed in range(20):
        frames, interest = stretched(course[:, None], course, np.random.default_rng(seed))
        assert N / 1.26 < len(frames) < N * 1.26
        np.testing.assert_allclose(frames[:, 0], np.linspace(0, 1, len(frames)), atol=0.01)
        np.testing.assert_allclose(frames[:, 0], interest, atol=0.01)
        lengths.add(len(frames))
    assert len(lengths) > 10


def test_transposed_by_twelve_is_the_same_and_by_one_moves_each_half() -> None:
    chroma = np.random.default_rng(0).random((5, 24)).astype(np.float32)
    np.testing.assert_array_equal(transposed(chroma, 12), chroma)
    up = transposed(chroma, 1)
    np.testing.assert_array_equal(up[:, 1:12], chroma[:, :11])
    np.testing.assert_array_equal(up[:, 13:], chroma[:, 12:23])


def test_masked_bands_are_constant_in_time() -> None:
    mel = np.random.default_rng(0).normal(-50, 10, (300, 128)).astype(np.float32)
    changed = 0
    for seed in range(10):
        out = masked_bands(mel, np.random.default_rng(seed))
        flat = out.std(axis=0) < 1e-3
        np.testing.assert_array_equal(out[:, ~flat], mel[:, ~flat])
        changed += int(flat.any())
    assert changed >= 5
