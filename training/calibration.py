"""How sure the model may be: the chance that its pick is a hit, from facts about curve and chroma.

Logistic regression on songs that the judging networks never saw, and on sound that has no highlight at all.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatMatrix = npt.NDArray[np.float64]
RIDGE = 1.0
N_STEPS = 50
N_BINS = 5


def fit_logistic(facts: FloatMatrix, hits: FloatMatrix, weights: FloatMatrix) -> FloatMatrix:
    """Intercept and slopes (1 + n_facts,) on raw facts (n, n_facts), ridge on standardised ones; Newton."""
    mean, deviation = facts.mean(axis=0), facts.std(axis=0) + 1e-9
    x = np.column_stack([np.ones(len(facts)), (facts - mean) / deviation])
    ridge = np.diag([0.0] + [RIDGE] * facts.shape[1])
    beta = np.zeros(x.shape[1])
    for _ in range(N_STEPS):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weights * (hits - p)) - ridge @ beta
        curvature = (x * (weights * p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(beta)), gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    slopes = beta[1:] / deviation
    return np.concatenate([[beta[0] - float(slopes @ mean)], slopes])


def predict(beta: FloatMatrix, facts: FloatMatrix) -> FloatMatrix:
    """Chance of a hit for each row of `facts`."""
    chance: FloatMatrix = 1 / (1 + np.exp(-(beta[0] + facts @ beta[1:])))
    return chance


def reliability(confidence: Sequence[float], hits: Sequence[float]) -> list[tuple[float, float, int]]:
    """Mean confidence, share of hits and number of songs in bins of equal size, least sure first."""
    order = np.argsort(confidence)
    c, h = np.asarray(confidence)[order], np.asarray(hits)[order]
    return [
        (float(c[part].mean()), float(h[part].mean()), len(part))
        for part in np.array_split(np.arange(len(c)), N_BINS)
        if len(part)
    ]


def expected_error(confidence: Sequence[float], hits: Sequence[float]) -> float:
    """Expected calibration error over those bins."""
    bins = reliability(confidence, hits)
    return sum(n * abs(c - h) for c, h, n in bins) / max(1, len(confidence))
