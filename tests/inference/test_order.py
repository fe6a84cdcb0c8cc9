"""Orders of tracks by tempo and key."""

import itertools

import numpy as np
import pytest

from inference.datatypes import Key
from inference.order import Order, camelot_distance, order_tracks, tempo_distance

C_MAJOR = Key(0, is_minor=False, confidence=1.0)
A_MINOR = Key(9, is_minor=True, confidence=1.0)
G_MAJOR = Key(7, is_minor=False, confidence=1.0)
FIS_MAJOR = Key(6, is_minor=False, confidence=1.0)


def by_tempo(*tempi: float | None, order: Order = Order.TEMPO) -> list[float | None]:
    return [tempi[i] for i in order_tracks(tempi, [None] * len(tempi), order)]


def path_cost(tempi: list[float], keys: list[Key | None], path: list[int]) -> float:
    steps = itertools.pairwise(path)
    return sum(
        tempo_distance(tempi[a], tempi[b]) + 0.01 * camelot_distance(keys[a], keys[b]) for a, b in steps
    )


@pytest.mark.parametrize("order", [Order.TEMPO, Order.SMOOTH])
def test_tempo_ascends(order: Order):
    assert by_tempo(100, 80, 120, 90, order=order) == [80, 90, 100, 120]


def test_half_and_double_tempo_are_neighbours():
    assert by_tempo(140, 100, 72, 122) == [100, 122, 140, 72]
    assert by_tempo(78, 160, 90) == [78, 160, 90]


def test_tracks_without_a_tempo_come_last_as_they_were_sent():
    assert order_tracks([None, 120, None, 90], [None] * 4) == [3, 1, 0, 2]
    assert order_tracks([None, None], [None, None], Order.SMOOTH) == [0, 1]


def test_as_sent_changes_nothing():
    assert by_tempo(140, 70, None, 100, order=Order.SENT) == [140, 70, None, 100]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_tracks(order: Order, n: int):
    assert sorted(order_tracks([120.0] * n, [C_MAJOR] * n, order)) == list(range(n))


def test_key_breaks_a_tie_in_tempo():
    keys = [C_MAJOR, FIS_MAJOR, A_MINOR, G_MAJOR]

    path = order_tracks([120, 120.5, 120, 120], keys, Order.SMOOTH)

    assert path.index(1) in (0, 3)  # the far key is at an end, the three neighbours together


def test_key_does_not_outweigh_a_clear_step_in_tempo():
    keys = [C_MAJOR, FIS_MAJOR, C_MAJOR, FIS_MAJOR]

    assert order_tracks([100, 110, 120, 131], keys, Order.SMOOTH) == [0, 1, 2, 3]


def test_smooth_order_is_the_best_of_all_permutations():
    rng = np.random.default_rng(3)
    for _ in range(5):
        tempi = list(rng.uniform(60, 180, 6))
        keys = [Key(int(rng.integers(12)), bool(rng.integers(2)), 1.0) for _ in range(6)]

        found = path_cost(tempi, keys, order_tracks(tempi, keys, Order.SMOOTH))

        best = min(path_cost(tempi, keys, list(p)) for p in itertools.permutations(range(6)))
        assert found == pytest.approx(best)


def test_a_hundred_tracks_beat_both_simple_orders():
    rng = np.random.default_rng(4)
    tempi = list(rng.uniform(60, 180, 100))
    keys = [Key(int(rng.integers(12)), bool(rng.integers(2)), 1.0) for _ in range(100)]

    path = order_tracks(tempi, keys, Order.SMOOTH)

    assert sorted(path) == list(range(100))
    found = path_cost(tempi, keys, path)
    assert found < 0.8 * path_cost(tempi, keys, order_tracks(tempi, keys, Order.TEMPO))
    assert found < 0.2 * path_cost(tempi, keys, list(range(100)))


def test_distances():
    assert tempo_distance(70, 140) == pytest.approx(0.0)
    assert tempo_distance(100, 106) == pytest.approx(0.0841, abs=1e-3)
    assert camelot_distance(C_MAJOR, A_MINOR) == 1.0
    assert camelot_distance(C_MAJOR, G_MAJOR) == 1.0
    assert camelot_distance(C_MAJOR, FIS_MAJOR) == 6.0
    assert camelot_distance(C_MAJOR, C_MAJOR) == 0.0


def test_as_many_keys_as_tempi():
    with pytest.raises(ValueError, match="2 tempi and 1 keys"):
        order_tracks([1, 2], [None])
