"""The ceiling knows what structure tells, and nothing more."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (make train installs it)")
pytest.importorskip("mido", reason="the training packages are not installed (make train installs them)")

import numpy as np

from training.billboard import load_billboard
from training.ceiling import told_the_structure

HOP_S = 0.5
SECTION_S = 15.0
FORM = "ABABCB"


def write_songs(data: Path, chorus_of: dict[int, str]) -> None:
    folder = data / "billboard"
    folder.mkdir()
    labels, chroma = {}, {}
    for number, chorus in chorus_of.items():
        segments = [
            [k * SECTION_S, (k + 1) * SECTION_S, "chorus" if letter == chorus else "verse", letter]
            for k, letter in enumerate(FORM)
        ]
        name = f"{number:04d}"
        entry = {"title": f"song {name}", "artist": f"band {name}", "hop_s": HOP_S, "segments": segments}
        labels[name] = entry
        chroma[name] = np.ones((int(len(FORM) * SECTION_S / HOP_S), 24), np.float16)
    (folder / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    np.savez(folder / "chroma_0.npz", **chroma)


def test_a_chorus_that_the_form_gives_away_is_found(tmp_path: Path) -> None:
    write_songs(tmp_path, dict.fromkeys(range(40), "B"))
    scores = told_the_structure(tmp_path, load_billboard(tmp_path)).scores
    assert len(scores) == 40
    assert np.mean([s.auc for s in scores]) > 0.99
    assert np.mean([s.of_best for s in scores]) > 0.95


def test_names_are_not_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_songs(tmp_path, {k: "AB"[int(rng.integers(2))] for k in range(60)})
    scores = told_the_structure(tmp_path, load_billboard(tmp_path)).scores
    assert np.mean([s.auc for s in scores]) < 0.8, "one form, two choruses: nobody can tell"
