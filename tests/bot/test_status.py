"""The progress message: told after a moment, edited in place, one for a chat, gone at the end."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import App
from bot.services import status
from sandbox.client import FRIEND_ID, LISTENER_ID, MessageView
from sandbox.testing import RunningSandbox
from tests.bot.conftest import StartApp
from tests.fakes import FakePool


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real pauses, shortened."""
    monkeypatch.setattr(status, "SHOW_AFTER", timedelta())
    monkeypatch.setattr(status, "EDIT_EVERY_S", 0.05)
    monkeypatch.setattr(status, "TICK_S", 0.05)
    monkeypatch.setattr(status, "REST_S", 0.02)


def is_status(text: str) -> "object":
    return lambda m: m.kind == "text" and text in m.text


async def song(
    sandbox: RunningSandbox, clips: dict[str, Path], n: int, user: int = LISTENER_ID
) -> MessageView:
    """A track of its own each time."""
    return await sandbox.send_audio(clips["mp3"].read_bytes() + bytes([n]), user=user, file_name=f"{n}.mp3")


async def test_the_stage_is_shown_in_one_message_that_goes_away(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    await song(sandbox, clips, 1)
    shown = await sandbox.wait_for(is_status("Listening"))  # type: ignore[arg-type]
    pool.gate.set()
    await sandbox.wait_for(lambda m: m.kind == "voice")
    gone = await sandbox.wait_for(lambda m: m.message_id == shown.message_id and m.is_deleted)
    texts = [m.text for m in await sandbox.messages(from_bot=True, with_deleted=True) if m.kind == "text"]
    assert len(texts) == 1
    assert gone.is_deleted


async def test_places_in_the_queue_are_told_and_move_up(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    for n in range(3):
        await song(sandbox, clips, n, user=await sandbox.add_person(6000 + n, "Somebody"))
        await sandbox.wait_until_taken()
    await song(sandbox, clips, 3, user=FRIEND_ID)
    await sandbox.wait_until_taken()
    await song(sandbox, clips, 4)
    waiting = await sandbox.wait_for(is_status("number 2 in the queue"))  # type: ignore[arg-type]
    pool.gate.set()
    await sandbox.wait_for(lambda m: m.kind == "voice")
    versions = next(
        stored.versions
        for stored in sandbox.sandbox.world.chats[LISTENER_ID].messages.values()
        if stored.message["message_id"] == waiting.message_id
    )
    assert versions == [] or versions[0]["text"].startswith("You are number 2")


async def test_an_album_has_one_progress_message_and_answers_in_its_order(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    bodies = [clips["mp3"].read_bytes() + bytes([n]) for n in range(3)]
    album = await sandbox.send_album(bodies, kind="audio")
    await sandbox.wait_for(is_status("2 more tracks after it"))  # type: ignore[arg-type]
    pool.gate.set()
    await sandbox.wait_for_all(lambda views: sum(m.kind == "voice" for m in views) == 3)
    answers = [m.reply_to for m in await sandbox.messages(from_bot=True) if m.kind == "voice"]
    assert answers == [track.message_id for track in album]
    every = await sandbox.messages(from_bot=True, with_deleted=True)
    assert len([m.text for m in every if m.kind == "text" and m.reply_to is None]) == 1


async def test_after_a_restart_the_same_message_goes_on(
    start_app: StartApp, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    async with start_app(grace_s=0.0):
        await song(sandbox, clips, 1)
        shown = await sandbox.wait_for(is_status("Listening"))  # type: ignore[arg-type]
    pool.gate.set()
    async with start_app():
        await sandbox.wait_for(lambda m: m.kind == "voice")
        await sandbox.wait_for(lambda m: m.message_id == shown.message_id and m.is_deleted)
    texts = [m for m in await sandbox.messages(from_bot=True, with_deleted=True) if m.kind == "text"]
    assert len(texts) == 1
