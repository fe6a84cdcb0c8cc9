"""Labels of POP909 are read, placed in time, and only trusted where the cues agree."""

import pytest

pytest.importorskip("mido", reason="the training packages are not installed (make train installs them)")

from training.pop909 import chorus_of, grid_offset, parse_labels


def test_parse_labels_reads_letters_and_bars() -> None:
    assert parse_labels("i4A4B12b4o3") == [("i", 4), ("A", 4), ("B", 12), ("b", 4), ("o", 3)]


def test_chorus_is_the_letter_that_the_cues_name() -> None:
    labels = parse_labels("i4A8B8i4A8B8C4B8B8o4")
    assert chorus_of(labels, {"A": 60.0, "B": 66.0, "C": 70.0}) == ("B", 4)


def test_cues_that_disagree_are_counted() -> None:
    labels = parse_labels("i4A8B8A8B8A8o4")
    winner = chorus_of(labels, {"A": 60.0, "B": 66.0})
    assert winner is not None
    assert winner[1] < 4


def test_a_song_of_one_repeated_phrase_has_no_known_chorus() -> None:
    assert chorus_of(parse_labels("i4A8A8A8o4"), {"A": 60.0}) is None


def test_grid_offset_finds_the_shift_between_labels_and_midi() -> None:
    melody = [(0, 4), (60, 2), (62, 2), (64, 4), (60, 4), (0, 4), (67, 4)]
    at, notes = 0, []
    for pitch, steps in melody:
        if pitch:
            notes.append(((at + 6) / 4, (at + 6 + steps) / 4, pitch, 90))
        at += steps
    assert grid_offset(melody, notes) == (6, 1.0)
    notes[0] = (50.0, 51.0, 61, 90)
    offset, share = grid_offset(melody, notes)
    assert offset == 6
    assert share == pytest.approx(4 / 5)
