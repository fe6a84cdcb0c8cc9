"""Every odd file of the shared collection, through the whole job, with the answer its table gives."""

import csv
import math
import unicodedata
from pathlib import Path

import av
import pytest

from inference.datatypes import Highlight, Window
from inference.decode import decode_span
from inference.errors import InputRejected, Rejection
from inference.loudness import measure_lufs
from inference.pipeline import cut_voice, make_highlight
from tests.conftest import SHARED

TABLE = SHARED / "cases" / "cases.csv"
LENGTH_S = 30.0

REJECTED = {
    "F12": Rejection.TOO_SHORT,
    "F18": Rejection.TOO_SHORT,
    "F22": Rejection.EMPTY,
    "F23": Rejection.NOT_AUDIO,
    "F25": Rejection.TOO_SHORT,
    "F27": Rejection.TOO_SHORT,
    "F31": Rejection.EMPTY,
    "F35": Rejection.TOO_SHORT,
    "F51": Rejection.DAMAGED,
    "F52": Rejection.TOO_SHORT,
    "F54": Rejection.DAMAGED,
    "F55": Rejection.SILENT,  # a valid file of 3.68 s of zeros
    "F59": Rejection.NO_AUDIO_STREAM,
    "G01": Rejection.NOT_AUDIO,
    "G02": Rejection.DAMAGED,
}
# The table describes some names in words.
NAMES = {"N02": "\u202egpj.song.ogg", "N11": "трек ё й.ogg"}


def rows() -> dict[str, dict[str, str]]:
    if not TABLE.is_file():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def path_of(case: str, folder: Path) -> Path:
    names = {_plain(path.name): path for path in folder.iterdir()}
    return names[_plain(NAMES.get(case, rows()[case]["file"]))]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def run(case: str, folder: Path, tmp_path: Path) -> Highlight:
    return make_highlight(path_of(case, folder), tmp_path / "voice.ogg", LENGTH_S)


def streams_of(path: Path) -> list[tuple[str, str, int, int]]:
    with av.open(str(path)) as container:
        return [
            (s.type, s.codec_context.name, s.codec_context.sample_rate, s.codec_context.channels)
            for s in container.streams
        ]


ACCEPTED = [case for case in rows() if case not in REJECTED]


@pytest.mark.slow
@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted_file_gives_a_voice_of_what_really_decodes(
    case: str, shared_cases: Path, tmp_path: Path
) -> None:
    true_s = float(rows()[case]["true_duration_s"])
    result = run(case, shared_cases, tmp_path)
    assert result.analysis.duration_s == pytest.approx(true_s, abs=0.05)
    window, voice = result.picks.window, result.voice
    assert voice is not None
    assert window.length_s == pytest.approx(min(LENGTH_S, true_s), abs=0.05)
    assert window.end_s <= result.analysis.duration_s + 1e-6
    [(kind, codec, sr, n_channels)] = streams_of(tmp_path / "voice.ogg")
    assert (kind, codec, sr) == ("audio", "opus", 48_000)
    assert n_channels in (1, 2)
    sent = decode_span(tmp_path / "voice.ogg", 0.0, 60.0)
    assert sent.duration_s == pytest.approx(window.length_s, abs=0.05)
    assert measure_lufs(sent) > -40.0, "a voice that nobody hears"


@pytest.mark.parametrize("case", REJECTED)
def test_rejected_file_says_why(case: str, shared_cases: Path, tmp_path: Path) -> None:
    with pytest.raises(InputRejected) as caught:
        run(case, shared_cases, tmp_path)
    assert caught.value.code == REJECTED[case]
    true_s = float(rows()[case]["true_duration_s"])
    if true_s:
        assert caught.value.duration_s == pytest.approx(true_s, abs=0.05)
    assert not (tmp_path / "voice.ogg").exists()


@pytest.mark.slow
def test_every_format_of_a_song_gives_the_same_moment(shared_cases: Path) -> None:
    starts = {
        case: make_highlight(path_of(case, shared_cases)).picks.window.start_s
        for case in ("F01", "F02", "F03", "G12")
    }
    assert max(starts.values()) - min(starts.values()) <= 0.5, starts


def test_track_just_over_the_window_keeps_its_start(shared_cases: Path, tmp_path: Path) -> None:
    window = run("G07c", shared_cases, tmp_path).picks.window
    assert 0.0 <= window.start_s <= 0.1001
    assert window.length_s == pytest.approx(30.0)


def test_antiphase_is_served_from_one_side(shared_cases: Path) -> None:
    piece = decode_span(path_of("G10", shared_cases), 10.0, 20.0)
    assert piece.samples.shape[0] == 1
    assert measure_lufs(piece) > -20.0


def test_covers_are_not_carried_into_the_voice(shared_cases: Path, tmp_path: Path) -> None:
    # Too short for a highlight of its own, so the cut is made directly.
    cut_voice(path_of("F18", shared_cases), Window(0.0, 0.862), tmp_path / "voice.ogg")
    assert [kind for kind, *_ in streams_of(tmp_path / "voice.ogg")] == ["audio"]


def test_tag_at_the_end_is_not_heard(shared_cases: Path) -> None:
    piece = decode_span(path_of("F20", shared_cases), 0.0, 60.0)
    assert piece.duration_s == pytest.approx(3.841, abs=0.01)
    tail = piece.samples[:, -2000:]
    assert not math.isnan(float(tail.max()))
    assert float(abs(tail).max()) <= float(abs(piece.samples).max())
