"""The whole product over real HTTP: a song goes in through the sandbox, `python -m bot` answers, the OGG is
measured.

Real songs where they lie beside the checkout, else the synthesised one; in the encodings in which people send
them.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import pytest_asyncio
from scipy.signal import correlate

from inference.config import TARGET_LUFS, VOICE_SR
from sandbox.client import FRIEND_ID, MessageView
from sandbox.launch import running_bot
from sandbox.song import write_audio
from sandbox.testing import RunningSandbox, running_sandbox
from tests.inference.test_cases import REJECTED

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
FloatArray = npt.NDArray[np.float32]
SHARED = Path(__file__).resolve().parents[3] / "shared"


@dataclass(frozen=True)
class Promise:
    """What the bot wrote down of the highlight that it sent."""

    start_s: float
    end_s: float


def songs() -> list[str]:
    """One real MP3 and one real OGG, or the song that the project makes itself."""
    folder = SHARED / "gold" / "audio"
    found = [next(iter(sorted(folder.glob(f"*.{suffix}"))), None) for suffix in ("mp3", "ogg")]
    return [str(path) for path in found if path] or ["synthesised"]


def decode(path: Path) -> FloatArray:
    """(2, n_samples) at 48 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=VOICE_SR)
        frames = [
            resampled.to_ndarray()
            for frame in container.decode(audio=0)
            for resampled in resampler.resample(frame)
        ]
        frames += [resampled.to_ndarray() for resampled in resampler.resample(None)]
    return np.concatenate(frames, axis=1)


def found_at_s(part: FloatArray, whole: FloatArray) -> float:
    """Where the middle 10 s of `part` lie in `whole`, as the start of `part`, by cross-correlation."""
    middle = part.shape[1] // 2
    probe = part[:, middle - 5 * VOICE_SR : middle + 5 * VOICE_SR].mean(axis=0)
    likeness = correlate(whole.mean(axis=0), probe, mode="valid", method="fft")
    return float((np.argmax(np.abs(likeness)) - (middle - 5 * VOICE_SR)) / VOICE_SR)


@dataclass(frozen=True)
class Live:
    """The real bot polling a sandbox; `var` is its DATA_DIR."""

    sandbox: RunningSandbox
    var: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    async with (
        running_sandbox() as sandbox,
        running_bot(sandbox.url, folder / "var", log_path=folder / "bot.log"),
    ):
        await sandbox.wait_for_polling(timeout_s=240)
        yield Live(sandbox, folder / "var")


async def ask(live: Live, path: Path) -> tuple[MessageView, MessageView, Promise]:
    track = await live.sandbox.send_audio(path)
    voice = await live.sandbox.wait_for(lambda m: m.reply_to == track.message_id, timeout_s=60)
    with closing(sqlite3.connect(live.var / "bot.db")) as connection:
        query = "SELECT start_s, end_s FROM highlights ORDER BY id DESC LIMIT 1"
        return track, voice, Promise(*connection.execute(query).fetchone())


async def test_a_song_comes_back_as_its_highlight(
    live: Live, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for name in songs():
        path = request.getfixturevalue("song_path") if name == "synthesised" else Path(name)
        track, voice, promise = await ask(live, path)
        ogg = tmp_path / "answer.ogg"
        ogg.write_bytes(await live.sandbox.download(voice.file_id))

        assert (voice.kind, voice.reply_to) == ("voice", track.message_id)
        with av.open(str(ogg)) as container:
            assert container.format.name == "ogg"
            [stream] = container.streams
            assert (stream.type, stream.codec_context.name) == ("audio", "opus")
            assert stream.codec_context.sample_rate == VOICE_SR
        sound, original = decode(ogg), decode(path)
        promised_s = promise.end_s - promise.start_s
        assert sound.shape[1] / VOICE_SR == pytest.approx(promised_s, abs=0.05)
        assert 25.0 <= promised_s <= 35.0
        sent = (await live.sandbox.calls("sendVoice"))[-1]
        assert int(sent.params["duration"]) == voice.media["duration"] == round(promised_s)
        lufs = pyloudnorm.Meter(VOICE_SR).integrated_loudness(sound.T.astype(np.float64))
        assert lufs == pytest.approx(TARGET_LUFS, abs=1.0)
        assert found_at_s(sound, original) == pytest.approx(promise.start_s, abs=0.02)
        minutes, seconds = divmod(int(promise.start_s), 60)
        assert f"{minutes}:{seconds:02}–" in voice.text
        assert voice.media["file_size"] < 1024 * 1024  # above it clients show no waveform


async def test_others_are_answered_while_a_long_track_is_heard(
    live: Live, song: tuple[FloatArray, int, object], tmp_path: Path
) -> None:
    samples, sr, _ = song
    write_audio(tmp_path / "part.ogg", samples, sr, bit_rate=24_000)
    long = (tmp_path / "part.ogg").read_bytes() * 12  # a chain of 24 minutes: seconds of work
    listener = await live.sandbox.add_person(6900, "Somebody")
    track = await live.sandbox.send_audio(long, user=listener, file_name="long.ogg")
    await live.sandbox.wait_for_call(
        "sendChatAction", lambda call: int(call.params["chat_id"]) == track.chat_id, timeout_s=60
    )
    await live.sandbox.send_text("/start", user=FRIEND_ID)
    await live.sandbox.wait_for(lambda m: m.kind == "text", chat=FRIEND_ID, timeout_s=60)
    so_far = await live.sandbox.messages(track.chat_id, from_bot=True)
    assert [m.kind for m in so_far if m.reply_to == track.message_id] == []
    await live.sandbox.wait_for(
        lambda m: m.kind == "voice" and m.reply_to == track.message_id, chat=track.chat_id, timeout_s=120
    )


async def test_every_odd_file_gets_one_answer_in_words_or_sound(live: Live, shared_cases: Path) -> None:
    """Whatever is sent, one answer comes in time, and the bot lives on."""
    tracks: list[tuple[str, MessageView]] = []
    for n, path in enumerate(sorted(path for path in shared_cases.iterdir() if path.is_file())):
        user = await live.sandbox.add_person(7000 + n, "Somebody")
        # Sent as a plain file: the name decides that it is taken for music, so that the decoder meets all of
        # them.
        track = await live.sandbox.send_document(path, file_name=f"{path.stem}.mp3", user=user)
        tracks.append((path.name, track))
    answers = {}
    for name, track in tracks:
        await live.sandbox.wait_for(
            lambda m, track=track: m.reply_to == track.message_id,  # type: ignore[misc]
            chat=track.chat_id,
            timeout_s=120,
        )
        found = await live.sandbox.messages(track.chat_id, from_bot=True)
        answers[name] = [message.kind for message in found if message.reply_to == track.message_id]
    rejected = {name for name in answers if name.partition("_")[0].upper() in REJECTED}
    assert answers == {name: ["text"] if name in rejected else ["voice"] for name in answers}
    texts = {
        name: m.text
        for name, track in tracks
        for m in await live.sandbox.messages(track.chat_id, from_bot=True)
        if m.reply_to == track.message_id
    }
    assert [name for name, text in texts.items() if "Something went wrong" in text] == []
