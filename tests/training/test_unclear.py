"""Sounds without a highlight are made the same each time and sound at all."""

import numpy as np
import pytest

pytest.importorskip("av")

from training.unclear import MAKERS, SR


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_each_kind_sounds_all_the_way_and_is_reproducible(kind: str) -> None:
    n = 20 * SR
    first, second = (MAKERS[kind](n, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (n,)
    assert np.isfinite(first).all()
    assert np.abs(first).max() == pytest.approx(0.5, abs=1e-6)
    level = np.sqrt((first.reshape(4, -1) ** 2).mean(axis=1))
    assert level.min() > 1e-3
