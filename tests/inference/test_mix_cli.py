"""`python -m inference mix` as a user runs it."""

import json

import av
import numpy as np
import pytest
from PIL import Image

from inference.__main__ import main

SR = 48_000
pytestmark = pytest.mark.slow  # each starts worker processes of its own


def song(bpm: float, seed: int) -> np.ndarray:
    t = np.arange(20 * SR) / SR
    y = 0.05 * sum(np.sin(2 * np.pi * hz * t) for hz in (220.0 + seed, 277.2, 329.6))
    click = 0.6 * np.sin(2 * np.pi * 80 * t[: SR // 10]) * np.exp(-t[: SR // 10] * 60)
    for beat in np.arange(0.25, 19.8, 60.0 / bpm):
        y[round(beat * SR) :][: len(click)] += click
    return np.stack([y, y])


@pytest.fixture
def songs(write) -> list[str]:
    return [
        str(write("first.flac", song(126, 0), SR, tags={"title": "One", "artist": "A"})),
        str(write("second.flac", song(120, 3), SR)),
    ]


def test_two_songs_become_one_file_with_a_tracklist_and_a_picture(songs, tmp_path, capsys):
    out, picture = tmp_path / "mix.mp3", tmp_path / "mix.png"

    status = main(["mix", *songs, "-o", str(out), "--length", "10", "--plot", str(picture)])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0].startswith("0:00 second")  # the slower one first
    assert lines[1].split(" ", 1)[1].startswith("A - One")
    assert str(out) in lines[2]
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name.startswith("mp3")
    with Image.open(picture) as image:
        assert image.width > 600


def test_json_names_every_track_and_transition(songs, tmp_path, capsys):
    out = tmp_path / "mix.mp3"

    status = main(
        ["mix", *songs, "-o", str(out), "--order", "sent", "--crossfade", "off", "--length", "8", "--json"]
    )

    row = json.loads(capsys.readouterr().out)
    assert status == 0
    assert [track["name"] for track in row["tracks"]] == ["A - One", "second"]
    assert [transition["kind"] for transition in row["transitions"]] == ["cut"]
    assert row["duration_s"] == pytest.approx(16.0, abs=1.5)
    assert row["size_bytes"] == out.stat().st_size


def test_a_broken_track_is_named_and_left_out(songs, tmp_path, capsys):
    broken = tmp_path / "broken.mp3"
    broken.write_text("not a song")
    out = tmp_path / "mix.mp3"

    status = main(["mix", songs[0], str(broken), songs[1], "-o", str(out), "--length", "5"])

    captured = capsys.readouterr()
    assert status == 1
    assert "broken.mp3" in captured.err
    assert len(captured.out.splitlines()) == 3
    assert out.stat().st_size > 0


def test_without_two_usable_tracks_there_is_no_mix(songs, tmp_path, capsys):
    out = tmp_path / "mix.mp3"

    status = main(["mix", songs[0], str(tmp_path / "missing.mp3"), "-o", str(out)])

    assert status == 2
    assert "two tracks" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [["one.mp3", "-o", "x.mp3"], ["a.mp3", "b.mp3"], ["a", "b", "-o", "x", "--length", "0"]],
    ids=["one track", "no output", "no length"],
)
def test_wrong_arguments_are_explained(arguments: list[str], capsys):
    with pytest.raises(SystemExit) as caught:
        main(["mix", *arguments])

    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit):
        main(["mix", "--help"])

    text = capsys.readouterr().out
    assert all(option in text for option in ("--order", "--crossfade", "--length", "--plot", "--out"))
