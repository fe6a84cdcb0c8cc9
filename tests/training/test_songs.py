"""Splits that keep artists together, targets that follow spans."""

import numpy as np
import pytest

from training.songs import N_FOLDS, fold_of, interest_of_spans, plain, points


@pytest.mark.parametrize(
    "other", ["the beatles", "The  BEATLES", "Beatles", "The Beatles feat. Billy Preston", "Beâtles"]
)
def test_one_artist_is_in_one_fold_however_it_is_written(other: str) -> None:
    assert fold_of(other) == fold_of("The Beatles")


def test_names_in_other_scripts_are_told_apart() -> None:
    assert plain("周杰伦") != plain("邓丽君") != ""
    assert len({fold_of(chr(0x4E00 + k) * 2) for k in range(50)}) == N_FOLDS


def test_folds_are_of_similar_size() -> None:
    counts = np.bincount([fold_of(f"artist number {k}") for k in range(1000)], minlength=N_FOLDS)
    assert counts.min() > 150


def test_interest_of_spans_counts_partial_frames() -> None:
    interest = interest_of_spans([(1.5, 3.0)], 5, 1.0)
    np.testing.assert_allclose(interest, [0, 0.5, 1, 0, 0])
    np.testing.assert_allclose(interest_of_spans([(0, 2), (1, 3)], 4, 1.0), [1, 1, 1, 0])


def test_points_average_four_frames_and_keep_the_short_last_group() -> None:
    frames = np.arange(10, dtype=np.float32)
    np.testing.assert_allclose(points(frames), [1.5, 5.5, 8.5])
    assert points(np.ones((9, 24), np.float32)).shape == (3, 24)
