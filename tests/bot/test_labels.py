"""Listeners' verdicts leave the bot in the form that training reads."""

import json
from pathlib import Path

from bot.app import App
from bot.labels import export
from sandbox.client import LISTENER_ID
from sandbox.testing import RunningSandbox
from training.listeners import read_labels


async def test_thumbs_and_moved_windows_are_exported_without_who_gave_them(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], database_url: str, tmp_path: Path
) -> None:
    await sandbox.send_audio(clips["mp3"], fields={"title": "Song", "performer": "Band"})
    voice = await sandbox.wait_for(lambda m: m.kind == "voice")
    await sandbox.press(voice, "👍")
    await sandbox.press(voice, next(b for b in voice.buttons if "arlier" in b.text))
    moved = await sandbox.wait_for(lambda m: m.kind == "voice", after=voice)
    await sandbox.press(moved, next(b for b in moved.buttons if "mix" in b.text))  # waits for storage
    out_path = tmp_path / "labels.jsonl"
    assert await export(database_url, out_path) == 1
    [label] = read_labels(out_path)
    assert (label.title, label.performer, label.rating) == ("Song", "Band", 1)
    assert label.window == (62.4, 92.4)
    assert label.corrected == (60.4, 90.4)
    text = out_path.read_text()
    assert str(LISTENER_ID) not in text
    assert set(json.loads(text)).isdisjoint({"user_id", "chat_id", "name", "created_at"})
