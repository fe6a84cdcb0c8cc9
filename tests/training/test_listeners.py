"""Listeners' labels load in the form of all others, and bad lines are named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.config import FeatureConfig
from training.listeners import LabelError, load_listeners, read_labels

HOP_S = FeatureConfig().hop_s
N_FRAMES = 646  # two minutes


def line(**changes: Any) -> dict[str, Any]:
    row = {
        "schema": 1,
        "track_id": "t1",
        "title": "Song",
        "performer": "Band",
        "duration_s": 120.0,
        "model_version": "2026.11.0",
        "window": {"start_s": 30.0, "end_s": 60.0},
        "confidence": 0.7,
        "rating": 1,
        "corrected": None,
        "features": "t1.npz",
    }
    return row | changes


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    np.savez(
        folder / "t1.npz",
        mel=np.zeros((N_FRAMES, 128), np.float16),
        chroma=np.ones((N_FRAMES, 24), np.float16),
        loudness_db=np.zeros(N_FRAMES, np.float16),
    )
    return path


def at(seconds: float) -> int:
    return int(seconds / HOP_S)


def test_a_liked_window_is_wanted_more_than_what_nobody_judged(tmp_path: Path) -> None:
    (song,) = load_listeners(write(tmp_path, line()))
    assert song.spans == ((30.0, 60.0),)
    assert song.interest.shape == (N_FRAMES,)
    assert song.interest[at(45)] > song.interest[at(90)]
    assert song.chroma.shape == (N_FRAMES, 24)
    assert song.mel is not None
    assert song.mel.shape == (N_FRAMES, 128)


def test_a_correction_lifts_the_new_place_and_a_thumb_down_lowers_the_old(tmp_path: Path) -> None:
    row = line(rating=-1, corrected={"start_s": 80.0, "end_s": 110.0})
    (song,) = load_listeners(write(tmp_path, row))
    assert song.spans == ((80.0, 110.0),)
    assert song.interest[at(45)] < song.interest[at(10)] < song.interest[at(95)]


def test_more_votes_count_more(tmp_path: Path) -> None:
    one = load_listeners(write(tmp_path, line()))[0].interest[at(45)]
    three = load_listeners(write(tmp_path, line(), line(), line()))[0].interest[at(45)]
    split = load_listeners(write(tmp_path, line(), line(rating=-1)))[0].interest[at(45)]
    assert split < one < three <= 1


def test_labels_without_features_or_without_anything_liked_are_not_trained_on(tmp_path: Path) -> None:
    path = write(tmp_path, line(features=None), line(track_id="t2", rating=-1))
    assert load_listeners(path) == []
    assert len(read_labels(path)) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": 2}, "schema"),
        ({"rating": 5}, "rating"),
        ({"rating": 0}, "neither"),
        ({"window": {"start_s": 50.0, "end_s": 40.0}}, "span"),
        ({"window": {"start_s": 100.0, "end_s": 130.0}}, "span"),
        ({"duration_s": "long"}, "long"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = write(tmp_path, line(), line(**changes))
    with pytest.raises(LabelError, match=rf"labels\.jsonl:2: .*{reason}"):
        read_labels(path)
