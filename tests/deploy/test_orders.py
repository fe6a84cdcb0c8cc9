"""Work that travels: paths by role, values unchanged, nothing foreign."""

from pathlib import Path

import pytest

from bot.services.audio_tasks import AnalysisResult, Clip, ClipOrder
from bot.services.orders import Ticket, decode, decode_error, encode, encode_error, find_tickets
from inference.errors import InputRejected, Rejection, WorkerLost, WorkerTimeout

DOCUMENT = {"curve": [0.5, 1.0], "rhythm": {"tempo_bpm": None}, "title": "/etc/passwd"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Ticket("FILE", 1000).write(tmp_path / "track")
    return tmp_path


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("there")


def test_call_arrives_with_its_files_in_the_other_folder(folder: Path, there: Path) -> None:
    order = ClipOrder(30.0, start_s=1.5, is_mp3=True, title="Здравствуй")
    call = (str(folder / "track"), str(folder / "out.ogg"), order, DOCUMENT)
    decoded = decode(encode(call, folder), there)
    assert decoded.value == (str(there / "track"), str(there / "out.ogg"), order, DOCUMENT)
    assert decoded.inputs == {there / "track": Ticket("FILE", 1000)}
    assert decoded.outputs == [there / "out.ogg"]


def test_result_comes_back_with_paths_of_the_asking_folder(folder: Path, there: Path) -> None:
    analysis = AnalysisResult(DOCUMENT, "v1", 200.0, 120.0, "A minor", 0.7, None, "Band")
    result = (analysis, Clip(str(there / "out.ogg"), 30.0, 10.0, 40.0, 0.9))
    decoded = decode(encode(result, there), folder)
    assert decoded.value == (analysis, Clip(str(folder / "out.ogg"), 30.0, 10.0, 40.0, 0.9))
    assert decoded.outputs == [folder / "out.ogg"]


def test_tickets_are_found_among_nested_arguments_and_audio_is_none(folder: Path) -> None:
    (folder / "audio").write_bytes(b"ID3 not a ticket")
    found = find_tickets(([str(folder / "track")], str(folder / "audio"), str(folder / "absent"), 3))
    assert found == {folder / "track": Ticket("FILE", 1000)}


@pytest.mark.parametrize(
    "forged",
    [
        {"$noun": "Path", "x": 1},
        {"$out": "../../etc/passwd"},
        {"$in": ["/etc/passwd", "FILE", 5]},
    ],
)
def test_order_that_names_foreign_code_or_places_is_refused(
    forged: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises((KeyError, ValueError)):
        decode(forged, tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        InputRejected(Rejection.TOO_LONG, "3:10:00", 11400.0),
        WorkerTimeout("600 s"),
        WorkerLost("exit code -9"),
    ],
)
def test_errors_keep_their_family_and_reason(error: Exception) -> None:
    back = decode_error(encode_error(error))
    assert (type(back), str(back)) == (type(error), str(error))


def test_foreign_error_travels_without_its_text() -> None:
    assert "secret" not in str(decode_error(encode_error(ValueError("https://host/bot1:secret/file"))))
