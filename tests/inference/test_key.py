"""Keys of chord progressions synthesised in all 24 keys, and of what has none."""

import numpy as np
import numpy.typing as npt
import pytest

from inference.datatypes import Key
from inference.features import extract_features
from inference.key import estimate_key

SR = 22_050
MAJOR_CADENCE = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14), (0, 4, 7))
MINOR_CADENCE = ((0, 3, 7), (8, 12, 15), (5, 8, 12), (7, 11, 14), (0, 3, 7))
CAMELOT_MAJOR = ["8B", "3B", "10B", "5B", "12B", "7B", "2B", "9B", "4B", "11B", "6B", "1B"]  # from C, upwards
CAMELOT_MINOR = ["5A", "12A", "7A", "2A", "9A", "4A", "11A", "6A", "1A", "8A", "3A", "10A"]


def note(midi: int, seconds: float) -> npt.NDArray:
    t = np.arange(round(seconds * SR)) / SR
    hz = 440.0 * 2 ** ((midi - 69) / 12)
    tone = sum(np.sin(2 * np.pi * k * hz * t) / k**1.3 for k in range(1, 7))
    return 0.05 * tone * np.exp(-1.5 * t)


def cadence(tonic: int, is_minor: bool) -> npt.NDArray:
    chords = MINOR_CADENCE if is_minor else MAJOR_CADENCE
    return np.concatenate(
        [
            1.5 * note(36 + tonic + chord[0], 1.0) + sum(note(60 + tonic + step, 1.0) for step in chord)
            for chord in chords
        ]
    )


@pytest.mark.parametrize("is_minor", [False, True])
@pytest.mark.parametrize("tonic", range(12))
def test_cadence_in_each_key(tonic: int, is_minor: bool):
    key = estimate_key(extract_features(cadence(tonic, is_minor)).chroma)

    assert key is not None
    assert (key.tonic, key.is_minor) == (tonic, is_minor)
    assert key.camelot == (CAMELOT_MINOR if is_minor else CAMELOT_MAJOR)[tonic]
    assert 0.0 < key.confidence <= 1.0


def test_key_does_not_depend_on_gain_or_tuning():
    y = cadence(2, is_minor=True)
    sharp = np.interp(np.arange(0, len(y) - 1, 1.015), np.arange(len(y)), y)  # a quarter of a semitone up

    for variant in (0.001 * y, 3.0 * y, sharp):
        key = estimate_key(extract_features(variant).chroma)
        assert key is not None
        assert key.name == "D minor"


def test_a_clear_cadence_is_surer_than_a_chromatic_scale():
    scale = np.concatenate([note(57 + step, 0.5) for step in range(12)] * 2)

    vague = estimate_key(extract_features(scale).chroma)
    clear = estimate_key(extract_features(cadence(0, is_minor=False)).chroma)

    assert clear is not None
    assert vague is None or vague.confidence < clear.confidence / 2


def toneless_signals() -> dict[str, npt.NDArray]:
    rng = np.random.default_rng(0)
    t = np.arange(10 * SR) / SR
    return {
        "silence": np.zeros(10 * SR),
        "noise": 0.1 * rng.standard_normal(10 * SR),
        "one note": np.sin(2 * np.pi * 440 * t),
        "an open fifth": np.sin(2 * np.pi * 110 * t) + np.sin(2 * np.pi * 165 * t),
        "one sample": np.zeros(1),
    }


@pytest.mark.parametrize("name", toneless_signals())
def test_without_tones_the_key_is_unknown(name: str):
    assert estimate_key(extract_features(toneless_signals()[name]).chroma) is None


@pytest.mark.parametrize(
    "chroma", [np.zeros((0, 24)), np.zeros((5, 12)), np.zeros(24), np.full((9, 24), np.nan), np.ones((9, 24))]
)
def test_odd_chroma_gives_no_key(chroma: npt.NDArray):
    assert estimate_key(chroma) is None


def test_camelot_neighbours_share_their_number_or_letter():
    relative = Key(tonic=9, is_minor=True, confidence=1.0), Key(tonic=0, is_minor=False, confidence=1.0)
    assert [key.camelot for key in relative] == ["8A", "8B"]
    assert Key(tonic=7, is_minor=False, confidence=1.0).camelot == "9B"  # a fifth up
