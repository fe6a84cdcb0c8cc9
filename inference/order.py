"""In which order tracks are mixed.

Tempo lives on a circle here: 70 and 140 BPM are one pulse, so a tempo is its log2 modulo 1, in octaves. An
order is a permutation of 0..n-1. Tracks without a tempo come last, as they were sent.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from inference.datatypes import Key

Array = npt.NDArray[np.float64]

# One Camelot step weighs as much as 0.7 % of tempo: the farthest key costs about what a step of 5 BPM does.
OCTAVES_PER_CAMELOT_STEP = 0.01
UNKNOWN_KEY_STEPS = 2.0  # worse than a neighbour, better than a clash
MAX_EXACT = 9  # 2^9 sets of nine: some 10 ms


class Order(StrEnum):
    TEMPO = "tempo"  # ascending, the least total change of tempo
    SMOOTH = "smooth"  # the same with keys that go together preferred
    SENT = "sent"  # as the listener sent them


def order_tracks(
    tempi_bpm: Sequence[float | None], keys: Sequence[Key | None], order: Order = Order.TEMPO
) -> list[int]:
    """The order to play, as indices. `tempi_bpm` and `keys` have one entry for each track, None where
    unknown.
    """
    if len(tempi_bpm) != len(keys):
        raise ValueError(f"{len(tempi_bpm)} tempi and {len(keys)} keys")
    everything = list(range(len(tempi_bpm)))
    if order is Order.SENT:
        return everything
    known = [i for i in everything if tempi_bpm[i]]
    unknown = [i for i in everything if not tempi_bpm[i]]
    octaves = np.log2([tempi_bpm[i] or 1.0 for i in known]) % 1.0
    path = _ascending(octaves)
    if order is Order.SMOOTH and len(known) > 2:
        costs = _costs(octaves, [keys[i] for i in known])
        path = _exact_path(costs) if len(known) <= MAX_EXACT else _improved_path(costs, path)
        if _climb(octaves, path) < 0:
            path = path[::-1]
    return [known[i] for i in path] + unknown


def tempo_distance(a_bpm: float, b_bpm: float) -> float:
    """In octaves, 0..0.5, halves and doubles being one pulse."""
    apart = abs(np.log2(a_bpm / b_bpm)) % 1.0
    return float(min(apart, 1.0 - apart))


def camelot_distance(a: Key | None, b: Key | None) -> float:
    """Steps on the Camelot wheel, 0..7: round the numbers, and one between the letters."""
    if a is None or b is None:
        return UNKNOWN_KEY_STEPS
    apart = abs(int(a.camelot[:-1]) - int(b.camelot[:-1]))
    return float(min(apart, 12 - apart) + (a.is_minor != b.is_minor))


def _ascending(octaves: Array) -> list[int]:
    """Round the circle of tempi, begun after its widest gap: no path changes the tempo less in total."""
    if len(octaves) < 2:
        return list(range(len(octaves)))
    path = np.argsort(octaves, kind="stable")
    gaps = np.diff(octaves[path], append=octaves[path[0]] + 1.0)
    return [int(i) for i in np.roll(path, -(int(gaps.argmax()) + 1))]


def _costs(octaves: Array, keys: Sequence[Key | None]) -> Array:
    """Of playing j after i: (n, n), symmetric."""
    apart = np.abs(octaves[:, None] - octaves[None, :])
    steps = np.array([[camelot_distance(a, b) for b in keys] for a in keys])
    return np.asarray(np.minimum(apart, 1.0 - apart) + OCTAVES_PER_CAMELOT_STEP * steps)


def _exact_path(costs: Array) -> list[int]:
    """The cheapest open path through all (Held and Karp, 1962)."""
    n = len(costs)
    best = np.full((1 << n, n), np.inf)
    back = np.full((1 << n, n), -1, dtype=np.int64)
    for i in range(n):
        best[1 << i, i] = 0.0
    for visited in range(1, 1 << n):
        for last in range(n):
            before = visited & ~(1 << last)
            if before and visited >> last & 1:
                reach = best[before] + costs[:, last]
                back[visited, last] = reach.argmin()
                best[visited, last] = reach.min()
    visited, last = (1 << n) - 1, int(best[-1].argmin())
    path = [last]
    while back[visited, last] >= 0:
        visited, last = visited & ~(1 << last), int(back[visited, last])
        path.append(last)
    return path[::-1]


def _improved_path(costs: Array, path: list[int]) -> list[int]:
    """The better of two starts (the given path, nearest neighbours), each improved by reversals (2-opt)."""
    candidates = [_two_opt(costs, start) for start in (path, _nearest_neighbours(costs, path[0]))]
    return min(candidates, key=lambda order: _length(costs, order))


def _nearest_neighbours(costs: Array, start: int) -> list[int]:
    path, left = [start], set(range(len(costs))) - {start}
    while left:
        path.append(min(left, key=lambda j: (costs[path[-1], j], j)))
        left.remove(path[-1])
    return path


def _two_opt(costs: Array, start: list[int]) -> list[int]:
    """Reverse the stretch that gains the most until none gains. An open path: its ends are free."""
    path = np.array(start)
    n = len(path)
    padded = np.pad(costs, (0, 1))  # index n: the open end, which costs nothing
    for _ in range(10 * n):
        before = np.concatenate(([n], path[:-1]))  # left neighbour of i
        after = np.concatenate((path[1:], [n]))  # right neighbour of j
        gain = (
            padded[before, path][:, None]
            + padded[path, after][None, :]
            - padded[before[:, None], path[None, :]]
            - padded[path[:, None], after[None, :]]
        )
        gain[np.tril_indices(n)] = 0.0
        i, j = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[i, j] < 1e-12:
            break
        path[i : j + 1] = path[i : j + 1][::-1]
    return [int(i) for i in path]


def _length(costs: Array, path: list[int]) -> float:
    return float(costs[path[:-1], path[1:]].sum())


def _climb(octaves: Array, path: list[int]) -> float:
    """Sum of the signed changes of tempo along a path, each the short way round."""
    steps = np.diff(octaves[path])
    return float((steps - np.round(steps)).sum())
