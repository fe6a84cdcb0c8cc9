"""The command line, as a person and as a script call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inference.__main__ import main
from tests.conftest import SHARED

pytestmark = pytest.mark.slow
KEYS = {
    "file",
    "duration_s",
    "start_s",
    "end_s",
    "confidence",
    "tempo_bpm",
    "runners_up",
    "voice",
    "timings_s",
    "error",
}


def call(*args: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "inference", *args], capture_output=True, text=True, cwd=root, timeout=200
    )


def test_json_of_good_and_bad_files_in_order(song_path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("not a sound " * 50)
    files = [str(tmp_path / "text.mp3"), str(song_path), str(tmp_path / "none.mp3")]
    done = call(*files, "--json", "--length", "15", "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["file"] for row in rows] == files
    assert all(set(row) == KEYS for row in rows)
    bad, good, missing = rows
    assert bad["error"]["code"] == "not_audio"
    assert missing["error"] == {"code": "not_found", "message": "no such file"}
    assert good["error"] is None
    assert good["duration_s"] == pytest.approx(120.5, abs=0.01)
    assert good["end_s"] - good["start_s"] == pytest.approx(15.0, abs=0.01)
    assert good["tempo_bpm"] == pytest.approx(120.0, abs=0.5)
    assert 0.0 <= good["confidence"] <= 1.0
    assert all(set(other) == {"start_s", "end_s", "score"} for other in good["runners_up"])
    assert Path(good["voice"]).read_bytes().startswith(b"OggS")
    assert good["timings_s"]["total"] > 0
    assert done.stderr == "", "nothing but results without a terminal"


def test_words_picture_and_one_line_errors(song_path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    picture = tmp_path / "pictures" / "curve.png"
    done = call(str(song_path), str(tmp_path / "empty.mp3"), "--plot", str(picture))
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert "120 BPM" in done.stdout
    assert done.stderr.strip() == f"{tmp_path / 'empty.mp3'}: empty: 0 bytes"
    assert (tmp_path / "pictures" / "curve-song.png").read_bytes().startswith(b"\x89PNG")


def test_two_tracks_of_one_name_do_not_overwrite_each_other(tmp_path: Path, song_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "-y \u202egpj.ogg")
        files[-1].write_bytes(song_path.read_bytes())
    done = call("--out", str(tmp_path / "out"), "--", *map(str, files))
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "-y gpj-2.highlight.ogg",
        "-y gpj.highlight.ogg",
    ]


@pytest.mark.parametrize("args", [[], ["a.mp3", "--length", "0"], ["a.mp3", "--length", "x"]])
def test_wrong_call_is_refused(args: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2


def test_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["a.mp3", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.skipif(not (SHARED / "gold").is_dir(), reason="the labelled songs are not beside this checkout")
def test_real_song(gold_audio: Path) -> None:
    done = call(str(next(gold_audio.glob("002_*"))), "--json")
    row = json.loads(done.stdout)
    # Its choruses, by a karaoke author: 45.35-75.95 and 120.00-150.46.
    assert min(abs(row["start_s"] - 45.35), abs(row["start_s"] - 120.0)) < 5.0
