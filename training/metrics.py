"""How good a curve and a pick are. Curves and references are per point, (n,) in time order.

AUC and F1 follow DeepChorus (He et al., ICASSP 2022): curve scaled to 0..1, median filter of 9 s, cut at 0.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from training.songs import FloatArray

WINDOW_S = 30.0
MEDIAN_S = 9.0
HIT_SHARE = 0.5
N_BOOTSTRAP = 1000


@dataclass(frozen=True)
class Scores:
    """One song's scores. `share`: chorus share of the 30 s window; `of_best`: that over the best share.

    `iou`: best intersection over union with a span; `hit`: the window covers half of a span or of itself.
    """

    auc: float
    f1: float
    share: float
    of_best: float
    iou: float
    hit: float


def auc(reference: FloatArray, curve: FloatArray) -> float:
    """Area under the ROC curve, ties counted half; NaN where the reference has one class only."""
    positive = reference > 0.5
    n_positive = int(positive.sum())
    n_negative = len(reference) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, inverse, counts = np.unique(curve, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def f1(reference: FloatArray, curve: FloatArray, hop_s: float) -> float:
    """DeepChorus's F1 of the binarised curve."""
    low, high = float(curve.min()), float(curve.max())
    scaled = (curve - low) / (high - low) if high > low else np.zeros_like(curve)
    size = round(MEDIAN_S / hop_s) // 2 * 2 + 1
    chosen = scipy.ndimage.median_filter(scaled, size=size, mode="nearest") > 0.5
    positive = reference > 0.5
    both = float((chosen & positive).sum())
    return 2 * both / max(1.0, float(chosen.sum() + positive.sum()))


def window_means(curve: FloatArray, n_window: int) -> FloatArray:
    """Mean over each window of `n_window` points: (n - n_window + 1,)."""
    n_window = min(n_window, len(curve))
    total = np.concatenate([[0.0], np.cumsum(curve, dtype=np.float64)])
    return ((total[n_window:] - total[:-n_window]) / n_window).astype(np.float32)


def best_start(curve: FloatArray, hop_s: float, length_s: float = WINDOW_S) -> float:
    """Start in seconds of the window with the largest mean."""
    return float(window_means(curve, round(length_s / hop_s)).argmax()) * hop_s


def score_window(
    start_s: float, end_s: float, spans: Sequence[tuple[float, float]]
) -> tuple[float, float, float]:
    """Coverage of the better-covered span, IoU and hit (the definitions of the project's gold scorer)."""
    coverage = iou = 0.0
    for a, b in spans:
        common = max(0.0, min(end_s, b) - max(start_s, a))
        coverage = max(coverage, common / max(1e-9, min(end_s - start_s, b - a)))
        iou = max(iou, common / max(1e-9, max(end_s, b) - min(start_s, a)))
    return coverage, iou, float(coverage >= HIT_SHARE)


def score(
    curve: FloatArray, reference: FloatArray, spans: Sequence[tuple[float, float]], hop_s: float
) -> Scores:
    """All scores of a curve; `reference` is the share of each point inside a span."""
    if curve.shape != reference.shape:
        raise ValueError(f"curve {curve.shape} and reference {reference.shape} differ in shape")
    start_s = best_start(curve, hop_s)
    return score_pick(start_s, curve, reference, spans, hop_s)


def score_pick(
    start_s: float,
    curve: FloatArray | None,
    reference: FloatArray,
    spans: Sequence[tuple[float, float]],
    hop_s: float,
) -> Scores:
    """Scores of a window that was picked by other means; without a curve AUC and F1 are NaN."""
    shares = window_means(reference, round(WINDOW_S / hop_s))
    share = float(shares[min(len(shares) - 1, max(0, round(start_s / hop_s)))])
    _, iou, hit = score_window(start_s, min(start_s + WINDOW_S, len(reference) * hop_s), spans)
    return Scores(
        auc=float("nan") if curve is None else auc(reference, curve),
        f1=float("nan") if curve is None else f1(reference, curve, hop_s),
        share=share,
        of_best=share / max(1e-9, float(shares.max())),
        iou=iou,
        hit=hit,
    )


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean over songs and its 95 % bootstrap interval; NaN are left out."""
    x = np.asarray(values, np.float64)
    x = x[np.isfinite(x)]
    if not len(x):
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = x[rng.integers(len(x), size=(N_BOOTSTRAP, len(x)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(x.mean()), float(low), float(high)
