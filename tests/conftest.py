"""Signals and songs with known answers, and the shared files beside the checkout where they are present."""

import os
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from sandbox.server import DEFAULT_TOKEN
from sandbox.song import Span, synthesise_song, write_audio

# The same examples each time, so that red means changed; HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

FloatArray = npt.NDArray[np.float32]
SHARED = Path(__file__).resolve().parents[2] / "shared"
WriteAudio = Callable[..., Path]
TOKEN_SECRET = DEFAULT_TOKEN.partition(":")[2]


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The folder of odd audio files."""
    folder = SHARED / "cases" / "files"
    if not folder.is_dir():
        pytest.skip("the odd audio files are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def gold_audio() -> Path:
    """The folder of labelled real songs."""
    folder = SHARED / "gold" / "audio"
    if not folder.is_dir():
        pytest.skip("the labelled songs are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def song() -> tuple[FloatArray, int, tuple[Span, ...]]:
    """The synthesised song: samples (2, n_samples), rate, choruses."""
    return synthesise_song(sr=48_000)


@pytest.fixture(scope="session")
def song_path(
    song: tuple[FloatArray, int, tuple[Span, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The synthesised song as a tagged Ogg/Opus file."""
    path = tmp_path_factory.mktemp("song") / "song.ogg"
    samples, sr, _ = song
    write_audio(path, samples, sr, tags={"title": "Paper Lanterns", "artist": "The Sandbox Band"})
    return path


@pytest.fixture
def write(tmp_path: Path) -> WriteAudio:
    """`write("a.flac", samples, sr, codec=...)`: an audio file in the test's folder."""

    def to_file(name: str, samples: FloatArray, sr: int, **options: object) -> Path:
        path = tmp_path / name
        write_audio(path, np.atleast_2d(samples).astype(np.float32), sr, **options)  # type: ignore[arg-type]
        return path

    return to_file


@pytest.fixture(scope="session")
def sine() -> Callable[..., FloatArray]:
    """`sine(440.0, 2.0, sr)`: (n_samples,) of amplitude 0.5."""

    def make(frequency_hz: float, length_s: float, sr: int, amplitude: float = 0.5) -> FloatArray:
        t = np.arange(round(length_s * sr)) / sr
        return (amplitude * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32)

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole bot over HTTP takes half a second a test: `make test-fast` leaves all but a few out."""
    for item in items:
        if "sandbox" in getattr(item, "fixturenames", ()) and item.path.name != "test_answers.py":
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whatever a test prints or logs, the bot's token is not in it."""
    report = yield
    if report.when == "teardown" and report.passed:
        leaks = [name for name, text in report.sections if TOKEN_SECRET in text]
        if leaks:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: the token's secret part is in {', '.join(leaks)}"
    return report
