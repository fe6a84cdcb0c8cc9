"""The confidence learnt from hits says how many picks are hits."""

import numpy as np
import pytest

from training.calibration import expected_error, fit_logistic, predict, reliability


def drawn(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Facts of which the first decides by a known chance, the second is idle and far from zero."""
    rng = np.random.default_rng(0)
    facts = np.column_stack([rng.normal(0, 1, n), rng.normal(500, 20, n)])
    chance = 1 / (1 + np.exp(-(0.5 + 1.5 * facts[:, 0])))
    return facts, (rng.random(n) < chance).astype(float), chance


def test_fit_logistic_finds_the_law_that_drew_the_hits() -> None:
    facts, hits, chance = drawn(5000)
    beta = fit_logistic(facts, hits, np.ones(len(hits)))
    assert beta[1] == pytest.approx(1.5, abs=0.15)
    assert abs(beta[2]) < 0.01
    assert np.abs(predict(beta, facts) - chance).mean() < 0.03


def test_weights_count_as_copies() -> None:
    facts, hits, _ = drawn(300)
    doubled = fit_logistic(facts, hits, np.full(len(hits), 2.0))
    copied = fit_logistic(np.tile(facts, (2, 1)), np.tile(hits, 2), np.ones(2 * len(hits)))
    np.testing.assert_allclose(doubled, copied, rtol=1e-3, atol=1e-3)


def test_separable_facts_stay_finite() -> None:
    facts = np.array([[-1.0], [-0.9], [0.9], [1.0]])
    beta = fit_logistic(facts, np.array([0.0, 0, 1, 1]), np.ones(4))
    assert np.isfinite(beta).all()
    assert beta[1] > 0


def test_reliability_and_error_of_an_honest_and_a_boastful_judge() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(2000)
    hits = (rng.random(2000) < confidence).astype(float)
    assert expected_error(confidence.tolist(), hits.tolist()) < 0.05
    boastful = np.full(2000, 0.95)
    assert expected_error(boastful.tolist(), hits.tolist()) == pytest.approx(0.45, abs=0.05)
    means = [c for c, _, _ in reliability(confidence.tolist(), hits.tolist())]
    assert means == sorted(means)
