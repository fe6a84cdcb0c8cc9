"""Scores with answers known by hand."""

import numpy as np
import pytest

from training.metrics import auc, best_start, f1, interval, score, score_window, window_means

HOP_S = 0.75


def test_auc_is_the_share_of_pairs_in_order() -> None:
    reference = np.array([0, 0, 1, 1], np.float32)
    assert auc(reference, np.array([1, 2, 3, 4], np.float32)) == 1
    assert auc(reference, np.array([4, 3, 2, 1], np.float32)) == 0
    assert auc(reference, np.array([1, 3, 2, 4], np.float32)) == 0.75
    assert auc(reference, np.ones(4, np.float32)) == 0.5


def test_auc_of_one_class_is_not_a_number() -> None:
    assert np.isnan(auc(np.ones(5, np.float32), np.arange(5, dtype=np.float32)))


def test_f1_of_a_perfect_curve_is_one_and_of_its_opposite_zero() -> None:
    reference = np.zeros(200, np.float32)
    reference[50:100] = 1
    assert f1(reference, reference * 0.3, HOP_S) == pytest.approx(1)
    assert f1(reference, 1 - reference, HOP_S) == 0


def test_window_means_reach_both_ends() -> None:
    means = window_means(np.array([0, 0, 0, 1, 1], np.float32), 2)
    np.testing.assert_allclose(means, [0, 0, 0.5, 1])
    assert best_start(np.array([0, 0, 0, 1, 1], np.float32), HOP_S, 2 * HOP_S) == 3 * HOP_S


def test_score_window_takes_the_best_span_only() -> None:
    coverage, iou, hit = score_window(40, 70, [(30, 50), (60, 65)])
    assert coverage == 1  # all of the short span
    assert iou == pytest.approx(10 / 40)
    assert hit == 1
    assert score_window(0, 30, [(29, 60)]) == pytest.approx((1 / 30, 1 / 60, 0))


def test_score_of_the_true_curve_is_the_best_possible() -> None:
    reference = np.zeros(240, np.float32)
    reference[80:100] = 1  # 15 s
    scores = score(reference, reference, [(60.0, 75.0)], HOP_S)
    assert scores.auc == 1
    assert scores.share == pytest.approx(0.5)
    assert scores.of_best == pytest.approx(1)
    assert scores.hit == 1


def test_score_refuses_a_curve_of_another_length() -> None:
    with pytest.raises(ValueError, match="shape"):
        score(np.zeros(5, np.float32), np.zeros(6, np.float32), [(0, 1)], HOP_S)


def test_interval_holds_the_mean_and_narrows_with_more_songs() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.5, 0.1, 1000)
    mean, low, high = interval(values.tolist())
    assert low < mean < high
    assert mean == pytest.approx(values.mean())
    _, few_low, few_high = interval(values[:50].tolist())
    assert high - low < few_high - few_low
    assert interval([0.5, float("nan")])[0] == 0.5
