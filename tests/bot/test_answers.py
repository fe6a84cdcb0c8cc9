"""A track in, its highlight out: the whole bot over HTTP, with the audio work faked."""

from pathlib import Path

from bot.app import App
from sandbox.testing import RunningSandbox
from tests.fakes import FakePool


async def test_an_audio_is_answered_with_a_captioned_voice_reply(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    track = await sandbox.send_audio(clips["mp3"], fields={"title": "Tom & <Jerry>", "performer": "A\nB"})
    voice = await sandbox.wait_for(lambda m: m.kind == "voice")
    assert voice.reply_to == track.message_id
    assert voice.text == (
        "A B — Tom & <Jerry>\n1:02–1:32 · 128 BPM · F# minor\nQuite sure this is the moment."
    )
    assert voice.media["duration"] == 30
    assert await sandbox.download(voice.file_id) == clips["ogg"].read_bytes()


async def test_the_same_track_again_is_answered_from_the_cache(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    first = await sandbox.send_audio(clips["mp3"])
    voice = await sandbox.wait_for(lambda m: m.kind == "voice")
    again = await sandbox.forward(first)
    second = await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == again.message_id)
    assert second.file_id == voice.file_id
    assert pool.calls == ["analyse_and_cut"]
    assert len(await sandbox.calls("getFile")) == 1
