"""The command line of the workshop, as far as it goes without hours of training."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (make train installs it)")
pytest.importorskip("mido", reason="the training packages are not installed (make train installs them)")

import numpy as np

from training.__main__ import main
from training.commands import Workshop
from training.evaluate import Row, markdown
from training.listeners import LabelError
from training.metrics import Scores

LINE = {
    "schema": 1,
    "track_id": "t",
    "duration_s": 100.0,
    "model_version": "1",
    "window": {"start_s": 10.0, "end_s": 40.0},
    "rating": 1,
    "features": None,
}


def test_labels_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps(LINE) + "\n" + json.dumps(LINE | {"rating": -1}), encoding="utf-8")
    assert main(["labels", str(path), "--work", str(tmp_path / "work")]) == 0
    assert capsys.readouterr().out == "2 labels, 1 liked, 0 songs to train on\n"


def test_a_wrong_label_stops_the_command(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps(LINE | {"schema": 7}), encoding="utf-8")
    with pytest.raises(LabelError, match=r"labels\.jsonl:1"):
        main(["labels", str(path), "--work", str(tmp_path / "work")])


def test_the_data_hash_follows_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "labels.json").write_text("{}")
    first = Workshop(data, tmp_path / "work").data_sha256()
    assert Workshop(data, tmp_path / "work").data_sha256() == first
    (data / "labels.json").write_text("[]")
    assert Workshop(data, tmp_path / "work").data_sha256() != first


def test_a_table_row_has_means_with_intervals_and_dashes_for_what_is_not_known() -> None:
    scores = [Scores(float("nan"), 0.5, 0.4, 0.6, 0.3, hit) for hit in (0.0, 1.0)]
    table = markdown([Row("fixed start", scores)])
    cells = table.splitlines()[-1].split(" | ")
    assert cells[0] == "| fixed start"
    assert cells[1] == "-"
    assert cells[2] == "0.500 (0.500-0.500)"
    assert cells[-1].startswith("0.500 (0.000-1.000)")
    assert np.all(["|" not in cell for cell in cells[1:-1]])
