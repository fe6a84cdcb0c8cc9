"""What Telegram may do to us, over real HTTP: the job is answered all the same, and once."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.app import App
from bot.db import jobs, people
from bot.db.models import ChatRow, JobRow
from bot.services import aftermath, delivery, worker
from inference.errors import InputRejected, Rejection, WorkerLost, WorkerTimeout
from sandbox.client import FRIEND_ID, LISTENER_ID, MessageView
from sandbox.testing import RunningSandbox
from tests.fakes import FakePool


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real delays, shortened."""
    monkeypatch.setattr(aftermath, "BACKOFF_S", 0.05)
    monkeypatch.setattr(worker, "STORAGE_PAUSE_S", 0.05)
    monkeypatch.setattr(delivery, "SETTLE_S", 0.05)


async def answers(sandbox: RunningSandbox, track: MessageView) -> list[str]:
    found = await sandbox.messages(track.chat_id, from_bot=True, with_deleted=True)
    return [message.kind for message in found if message.reply_to == track.message_id]


async def settled(app: App, n_jobs: int = 1) -> list[tuple[str, str | None, int]]:
    """(state, error code, attempts) of all jobs once none is active."""
    async with asyncio.timeout(60):
        while True:
            rope = app.jobs.bell.rope
            async with app.database.read() as session:
                rows = list(await session.scalars(select(JobRow).order_by(JobRow.id)))
                if len(rows) >= n_jobs and await jobs.count_active(session) == 0:
                    return [(row.state, row.error_code, row.attempts) for row in rows]
            try:
                async with asyncio.timeout(0.2):
                    await rope.wait()
            except TimeoutError:
                continue


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("sendVoice", {"kind": "error", "error_code": 502, "description": "Bad Gateway"}),
        ("sendVoice", {"kind": "drop"}),
        ("sendVoice", {"kind": "drop_after"}),
        ("getFile", {"kind": "error", "error_code": 502, "description": "Bad Gateway"}),
        ("download", {"kind": "error", "error_code": 500}),
        ("download", {"kind": "drop"}),
        ("setMessageReaction", {"kind": "error", "error_code": 400, "description": "Bad Request: X"}),
        ("sendChatAction", {"kind": "error", "error_code": 500, "times": None}),
        ("getUpdates", {"kind": "error", "error_code": 502, "description": "Bad Gateway"}),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
async def test_trouble_that_passes_costs_no_answer_and_doubles_none(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], method: str, fault: dict[str, object]
) -> None:
    await sandbox.inject(method, **fault)  # type: ignore[arg-type]
    track = await sandbox.send_audio(clips["mp3"])
    await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == track.message_id)
    assert [state for state, _, _ in await settled(app)] == ["done"]
    assert await answers(sandbox, track) == ["voice"]


async def test_flood_control_is_waited_for(app: App, sandbox: RunningSandbox, clips: dict[str, Path]) -> None:
    await sandbox.inject_flood("sendVoice", retry_after_s=1)
    track = await sandbox.send_audio(clips["mp3"])
    await sandbox.wait_for(lambda m: m.kind == "voice")
    assert await answers(sandbox, track) == ["voice"]
    refused, sent = await sandbox.calls("sendVoice")
    assert sent.started_at - refused.started_at >= 1.0


async def test_voice_messages_forbidden_becomes_audio_with_a_line_why(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    await sandbox.forbid_voices()
    track = await sandbox.send_audio(clips["mp3"], fields={"title": "T", "performer": "P"})
    audio = await sandbox.wait_for(lambda m: m.kind == "audio")
    assert audio.reply_to == track.message_id
    assert audio.text.endswith("Voice messages are switched off here, so this comes as audio.")
    assert (audio.media["title"], audio.media["performer"]) == ("T", "P")
    assert len(await sandbox.calls("getFile")) == 1


async def test_a_blocked_bot_stops_writing_and_comes_back_when_unblocked(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    track = await sandbox.send_audio(clips["mp3"])
    await pool.entered.wait()
    await sandbox.block()
    pool.gate.set()
    assert [state[:2] for state in await settled(app)] == [("failed", "blocked")]
    async with app.database.read() as session:
        assert await people.blocked_chats(session) == {LISTENER_ID}
        assert (await session.get(ChatRow, LISTENER_ID)).blocked_at is not None  # type: ignore[union-attr]
    assert await answers(sandbox, track) == []
    await sandbox.block(is_blocked=False)
    again = await sandbox.forward(track)
    await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == again.message_id)


async def test_a_cached_file_id_that_telegram_refuses_is_made_again(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    first = await sandbox.send_audio(clips["mp3"])
    await sandbox.wait_for(lambda m: m.kind == "voice")
    await sandbox.inject(
        "sendVoice", error_code=400, description="Bad Request: wrong file identifier/HTTP URL specified"
    )
    again = await sandbox.forward(first)
    await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == again.message_id)
    assert pool.calls == ["analyse_and_cut", "cut"]


@pytest.mark.parametrize(
    ("failure", "text", "attempts"),
    [
        (InputRejected(Rejection.SILENT), "I hear only silence here", 1),
        (InputRejected(Rejection.NOT_AUDIO), "I can't find any sound", 1),
        (WorkerTimeout("stuck"), "took too long", 1),
        (ZeroDivisionError("secret detail"), "Something went wrong on my side", 1),
    ],
)
async def test_what_cannot_pass_is_told_once_and_not_tried_again(
    app: App,
    sandbox: RunningSandbox,
    clips: dict[str, Path],
    pool: FakePool,
    failure: Exception,
    text: str,
    attempts: int,
) -> None:
    pool.failure = failure
    track = await sandbox.send_audio(clips["mp3"])
    told = await sandbox.wait_for(lambda m: m.reply_to == track.message_id)
    assert text in told.text
    assert "secret" not in told.text
    [(state, _, made)] = await settled(app)
    assert (state, made) == ("failed", attempts)


@pytest.mark.parametrize(
    "failure",
    [WorkerLost("killed"), TimeoutError("storage does not answer"), OSError(28, "No space left on device")],
    ids=lambda failure: type(failure).__name__,
)
async def test_what_passes_is_tried_again(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool, failure: Exception
) -> None:
    """A worker process that died, a storage that fell silent, a disk that was full."""
    pool.failure = failure
    track = await sandbox.send_audio(clips["mp3"])
    await sandbox.wait_for(lambda m: m.kind == "voice")
    assert await answers(sandbox, track) == ["voice"]
    assert [attempts for _, _, attempts in await settled(app)] == [2]


async def test_retries_have_an_end(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.inject("download", times=None, error_code=500)
    track = await sandbox.send_audio(clips["mp3"])
    told = await sandbox.wait_for(lambda m: m.reply_to == track.message_id)
    assert "Something went wrong on my side" in told.text
    assert [attempts for _, _, attempts in await settled(app)] == [aftermath.MAX_ATTEMPTS]


async def test_an_update_delivered_twice_is_answered_once(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    track = await sandbox.send_audio(clips["mp3"])
    await sandbox.repeat_update(track)
    await sandbox.wait_for(lambda m: m.kind == "voice")
    await sandbox.wait_until_taken()
    assert len(await settled(app)) == 1
    assert await answers(sandbox, track) == ["voice"]


async def test_one_who_floods_is_told_once_and_the_others_are_served(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    for n in range(40):
        await sandbox.send_text(f"/help {n}")
    track = await sandbox.send_audio(clips["mp3"], user=FRIEND_ID)
    await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == track.message_id, chat=FRIEND_ID)
    await sandbox.wait_until_taken()
    told = [m.text for m in await sandbox.messages(from_bot=True) if "a lot at once" in m.text]
    assert len(told) == 1


async def test_many_users_at_once_are_all_answered_once(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    tracks = []
    for n in range(30):
        user = await sandbox.add_person(5000 + n, f"User {n}")
        body = clips["mp3"].read_bytes() + bytes([n])
        tracks.append(await sandbox.send_audio(body, user=user, file_name="t.mp3"))
    assert {state for state, _, _ in await settled(app, len(tracks))} == {"done"}
    for track in tracks:
        assert await answers(sandbox, track) == ["voice"]


async def test_too_big_by_the_message_alone_is_refused_without_a_download(
    app: App, sandbox: RunningSandbox
) -> None:
    track = await sandbox.send_audio(None, size_bytes=30 * 1024 * 1024, fields={"duration": 100})
    told = await sandbox.wait_for(lambda m: m.reply_to == track.message_id)
    assert "over 20 MB" in told.text
    assert await sandbox.calls("getFile") == []
