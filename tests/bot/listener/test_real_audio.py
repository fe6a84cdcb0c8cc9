"""Buttons over a real track: the audio work itself, in a thread instead of worker processes."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from bot.app import App
from bot.services import audio_tasks
from bot.services.audio_tasks import ClipOrder
from inference.datatypes import InterestCurve, Rhythm, TrackAnalysis, Window
from inference.tags import id3_tag
from sandbox.song import TITLE, write_song
from sandbox.testing import RunningSandbox

pytestmark = pytest.mark.slow


class InThread:
    """An AudioPool without processes: nothing to warm up, and warnings are still errors."""

    workers = 1

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def run(self, fn: Callable[..., Any], *args: Any, timeout_s: float | None = None, **_: Any) -> Any:
        self.calls.append(fn.__name__)
        return await asyncio.to_thread(fn, *args)


@pytest.fixture
def pool() -> InThread:
    return InThread()


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("song") / "song.mp3"
    write_song(path)
    cover = io.BytesIO()
    Image.new("RGB", (900, 900), "teal").save(cover, "JPEG")
    path.write_bytes(id3_tag(TITLE, "Band", cover_jpeg=cover.getvalue()) + path.read_bytes())
    return path


def seconds(text: str) -> int:
    """The start in a caption such as `1:22–1:52 · 120 BPM`."""
    minutes, rest = text.splitlines()[1].split("–")[0].split(":")
    return 60 * int(minutes) + int(rest)


async def test_a_song_moved_by_a_bar_kept_as_mp3_and_drawn(
    app: App, sandbox: RunningSandbox, song: Path, pool: InThread
) -> None:
    await sandbox.send_audio(song)
    voice = await sandbox.wait_for(lambda m: m.kind == "voice", timeout_s=120)
    await sandbox.press(voice, "Later")
    moved = await sandbox.wait_for(
        lambda m: m.kind == "voice" and m.message_id > voice.message_id, timeout_s=120
    )
    assert seconds(moved.text) - seconds(voice.text) == 2  # a bar of four beats at 120 BPM
    await sandbox.press(moved, "15 s")
    short = await sandbox.wait_for(
        lambda m: m.kind == "voice" and m.message_id > moved.message_id, timeout_s=120
    )
    assert (seconds(short.text), short.media["duration"]) == (seconds(moved.text), 15)
    await sandbox.press(short, "📈")
    picture = await sandbox.wait_for(lambda m: m.kind == "photo", timeout_s=120)
    with Image.open(io.BytesIO(await sandbox.download(picture.file_id))) as image:
        assert image.width >= 1280
    await sandbox.press(short, "🎵")
    audio = await sandbox.wait_for(lambda m: m.kind == "audio" and m.is_from_bot, timeout_s=120)
    assert audio.media["file_name"].endswith(f"{TITLE}.mp3")
    assert audio.media["thumbnail"]["width"] == 320
    with av.open(io.BytesIO(await sandbox.download(audio.file_id))) as container:
        assert container.metadata["title"] == TITLE
        assert container.streams.video  # the cover
        assert container.duration is not None
        assert abs(container.duration / 1e6 - 15.0) < 0.2
    assert pool.calls.count("analyse_and_cut") == 1


@pytest.fixture
def analysis() -> TrackAnalysis:
    """Three minutes at 120 BPM with one clear moment at 60-90 s and a lesser one at 130-160 s."""
    import numpy as np

    values = np.full(180, 0.2, np.float32)
    values[60:90], values[130:160] = 0.9, 0.7
    values[65:80] = 1.0
    beats = tuple(np.arange(0, 180, 0.5).tolist())
    rhythm = Rhythm(120.0, beats, beats[::4], 4)
    curve = InterestCurve(values, 1.0)
    return TrackAnalysis(180.0, curve, rhythm, None, -14.0, 0.8, "v")


def test_choices_from_the_best_moment(analysis: TrackAnalysis) -> None:
    choices = audio_tasks._choices(analysis, Window(60.0, 90.0), 30.0)
    assert choices.starts["earlier"] == 58.0
    assert choices.starts["later"] == 62.0
    assert choices.starts["next"] == 130.0
    # The best of each length carries no start, so that it is found in the cache as what it is.
    assert [choices.starts[length] for length in ("15", "30", "60")] == [None, None, None]
    assert (choices.rank, choices.best) == (1, (60.0, 90.0))


def test_choices_from_a_moved_window_keep_its_start(analysis: TrackAnalysis) -> None:
    choices = audio_tasks._choices(analysis, Window(62.0, 92.0), 30.0)
    assert choices.rank == 0
    assert choices.starts["earlier"] is None  # back at the best one
    assert [choices.starts[length] for length in ("15", "60")] == [62.0, 62.0]


def test_choices_at_the_edges(analysis: TrackAnalysis) -> None:
    assert "earlier" not in audio_tasks._choices(analysis, Window(0.0, 30.0), 30.0).starts
    last = audio_tasks._choices(analysis, Window(150.0, 180.0), 30.0).starts
    assert "later" not in last
    assert last["60"] == 120.0


def test_choices_of_a_track_shorter_than_the_window(analysis: TrackAnalysis) -> None:
    short = TrackAnalysis(20.0, analysis.curve, Rhythm(None), None, None, 0.5, "v")
    choices = audio_tasks._choices(short, Window(0.0, 20.0), 30.0)
    assert not {"earlier", "later", "next"} & set(choices.starts)
    assert choices.n_moments == 1


def test_a_cover_that_is_no_picture_gives_no_thumbnail(tmp_path: Path, song: Path) -> None:
    path = tmp_path / "broken.mp3"
    path.write_bytes(id3_tag("T", "P", cover_jpeg=b"no picture") + song.read_bytes()[200_000:400_000])
    analysis = TrackAnalysis(5.0, InterestCurve(_ones(), 1.0), Rhythm(None), None, None, 0.5, "v")
    clip = audio_tasks.cut(
        str(path), str(tmp_path / "out.mp3"), ClipOrder(3.0, is_mp3=True), analysis.to_dict()
    )
    assert clip.thumbnail is None
    assert Path(clip.path).stat().st_size > 10_000


def _ones() -> Any:
    import numpy as np

    return np.ones(5, np.float32)
