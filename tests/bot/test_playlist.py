"""/playlist over HTTP with the real mixer: choose, see, change, hear a transition, get the mix."""

from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
from sqlalchemy import select

from bot.app import App
from bot.db.mix_models import MixRow
from sandbox.client import FRIEND_ID, GROUP_CHAT_ID, LISTENER_ID, MessageView
from sandbox.song import write_song
from sandbox.testing import RunningSandbox
from tests.bot.conftest import running_app
from tests.fakes import ThreadPool

pytestmark = pytest.mark.slow
TEMPI = (120.0, 97.0, 124.0)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The project's own song at three tempi."""
    folder = tmp_path_factory.mktemp("songs")
    paths = [folder / f"song-{n}.mp3" for n in range(len(TEMPI))]
    for n, path in enumerate(paths):
        write_song(path, tempo_bpm=TEMPI[n], seed=n)
    return paths


@pytest.fixture
async def app(sandbox: RunningSandbox, database_url: str) -> AsyncIterator[App]:
    async with running_app(sandbox, database_url, ThreadPool()) as app:  # type: ignore[arg-type]
        yield app


async def send_all(sandbox: RunningSandbox, songs: list[Path]) -> None:
    for n, song in enumerate(songs):
        await sandbox.send_audio(song, fields={"title": f"Song {n}", "performer": "Band"})
        await sandbox.wait_for_all(lambda found, n=n: len([m for m in found if m.kind == "voice"]) == n + 1)


async def menu(sandbox: RunningSandbox, text: str = "Which tracks") -> MessageView:
    return await sandbox.wait_for(lambda m: text in m.text and bool(m.buttons))


async def planned(sandbox: RunningSandbox) -> MessageView:
    await sandbox.send_text("/playlist")
    await sandbox.press(await menu(sandbox), "Next")
    return await menu(sandbox, "3 tracks")


async def test_several_tracks_become_one_tagged_file_with_a_tappable_tracklist(
    app: App, sandbox: RunningSandbox, songs: list[Path], tmp_path: Path
) -> None:
    await send_all(sandbox, songs)
    shown = await planned(sandbox)
    lines = shown.text.splitlines()[2:]
    assert [line.split(" · ")[0].split(" ", 1)[1] for line in lines] == [
        f"Band — Song {n}"
        for n in (1, 0, 2)  # ascending tempo
    ]
    assert lines[0].startswith("0:00 ")
    await sandbox.press(shown, "🎚")
    mix = await sandbox.wait_for(lambda m: m.kind == "audio", timeout_s=120)
    assert mix.media["performer"] == "Audio Highlight"
    assert all(line in mix.text for line in lines)
    path = tmp_path / "mix.mp3"
    path.write_bytes(await sandbox.download(mix.file_id))
    with av.open(str(path)) as container:
        duration_s = float(container.duration or 0) / av.time_base
        assert container.streams.audio[0].channels == 2
    promised_m, promised_s = shown.text.splitlines()[0].rsplit(" ", 1)[1].split(":")
    assert duration_s == pytest.approx(60 * int(promised_m) + int(promised_s), abs=1.5)
    assert mix.media["duration"] == pytest.approx(duration_s, abs=1.0)
    await sandbox.wait_for(lambda m: "The mix is ready" in m.text)
    assert len(await sandbox.calls("getFile")) == 2 * len(songs)  # once to be heard, once to be mixed


async def test_the_choice_and_the_options_survive_a_restart(
    sandbox: RunningSandbox, database_url: str, songs: list[Path]
) -> None:
    async with running_app(sandbox, database_url, ThreadPool()):  # type: ignore[arg-type]
        await send_all(sandbox, songs)
        shown = await planned(sandbox)
        await sandbox.press(shown, "As sent")
        shown = await sandbox.wait_for(lambda m: any(b.text == "✓ As sent" for b in m.buttons))
    async with running_app(sandbox, database_url, ThreadPool()):  # type: ignore[arg-type]
        await sandbox.press(shown, "15")
        shown = await sandbox.wait_for(lambda m: {"✓ As sent", "✓ 15 s"} <= {b.text for b in m.buttons})
        lines = shown.text.splitlines()[2:]
        assert [line.split("Song ")[1][0] for line in lines] == ["0", "1", "2"]
        await sandbox.press(shown, "◂")
        chosen = await menu(sandbox)
        await sandbox.press(chosen, "☑ Band — Song 1")
        await sandbox.wait_for(lambda m: "2 chosen" in m.text)


async def test_a_transition_can_be_heard_before(app: App, sandbox: RunningSandbox, songs: list[Path]) -> None:
    await send_all(sandbox, songs[:2])
    await sandbox.send_text("/playlist")
    await sandbox.press(await menu(sandbox), "Next")
    await sandbox.press(await menu(sandbox, "2 tracks"), "🎧")
    heard = await sandbox.wait_for(lambda m: m.kind == "audio", timeout_s=60)
    assert heard.media["title"] == "Transition 1 → 2"
    assert 8 <= heard.media["duration"] <= 35


async def test_a_mix_that_is_being_made_can_be_cancelled(
    app: App, sandbox: RunningSandbox, songs: list[Path]
) -> None:
    await send_all(sandbox, songs[:2])
    await sandbox.send_text("/playlist")
    await sandbox.press(await menu(sandbox), "Next")
    shown = await menu(sandbox, "2 tracks")
    await sandbox.inject("getFile", "slow", delay_s=5.0)
    await sandbox.press(shown, "🎚")
    making = await menu(sandbox, "the mix")
    await sandbox.press(making, "✖️")
    await sandbox.wait_for(lambda m: "was cancelled" in m.text)
    answer = await sandbox.press(shown, "🎚")
    assert answer.is_alert
    assert [m for m in await sandbox.messages(from_bot=True) if m.kind == "audio"] == []


async def test_a_track_that_is_gone_is_left_out_and_said_so(
    app: App, sandbox: RunningSandbox, songs: list[Path]
) -> None:
    await send_all(sandbox, songs)
    shown = await planned(sandbox)
    await sandbox.inject(
        "getFile", error_code=400, description="Bad Request: wrong file_id or the file is gone"
    )
    await sandbox.press(shown, "🎚")
    mix = await sandbox.wait_for(lambda m: m.kind == "audio", timeout_s=120)
    assert "1 track could not be read" in mix.text
    assert "2 tracks" in mix.text


async def test_an_album_becomes_a_mix_by_replying_to_it(
    app: App, sandbox: RunningSandbox, songs: list[Path]
) -> None:
    await send_all(sandbox, songs[:1])
    album = await sandbox.send_album(songs[1:])
    await sandbox.wait_for_all(lambda found: len([m for m in found if m.kind == "voice"]) == 3)
    await sandbox.send_text("/playlist", reply_to=album[0])
    shown = await menu(sandbox)
    assert "2 chosen" in shown.text
    assert sum("☑" in b.text for b in shown.buttons) == 2


async def test_with_fewer_than_two_tracks_the_way_is_told(app: App, sandbox: RunningSandbox) -> None:
    await sandbox.send_text("/playlist")
    await sandbox.wait_for(lambda m: "at least two tracks" in m.text)


async def test_a_mix_of_somebody_else_cannot_be_touched(
    app: App, sandbox: RunningSandbox, songs: list[Path]
) -> None:
    await send_all(sandbox, songs[:2])
    await sandbox.send_text("/playlist")
    shown = await menu(sandbox)
    data = next(b for b in shown.buttons if b.text.startswith("Next")).callback_data
    await sandbox.send_text("/start", user=FRIEND_ID)
    theirs = await sandbox.wait_for(lambda m: m.kind == "text", chat=FRIEND_ID)
    stored = sandbox.sandbox.world.chat(FRIEND_ID).messages[theirs.message_id].message
    stored["reply_markup"] = {"inline_keyboard": [[{"text": "forged", "callback_data": data}]]}
    [forged] = [m for m in await sandbox.messages(FRIEND_ID) if m.message_id == theirs.message_id]
    await sandbox.press(forged, "forged", user=FRIEND_ID)
    async with app.database.read() as session:
        assert list(await session.scalars(select(MixRow.state))) == ["choosing"]


async def test_in_a_group_the_private_chat_is_pointed_to(app: App, sandbox: RunningSandbox) -> None:
    await sandbox.set_bot_status(GROUP_CHAT_ID, "member")
    await sandbox.send_text("/playlist", user=LISTENER_ID, chat=GROUP_CHAT_ID)
    await sandbox.wait_for(lambda m: "our own chat" in m.text, chat=GROUP_CHAT_ID)
