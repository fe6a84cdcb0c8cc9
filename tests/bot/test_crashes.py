"""The bot is killed with SIGKILL at each stage of a job and started again: every job is answered, none
twice.
"""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.client import FRIEND_ID, LISTENER_ID, MessageView
from sandbox.testing import RunningSandbox

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


async def eventually(claim: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """What happens in another process's files can only be looked at again and again."""
    async with asyncio.timeout(timeout_s):
        while not claim():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Nursery:
    """The process that forks the bots: it has loaded the libraries, so a start takes a moment."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.bot.bot_process"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the nursery died"
        return line

    def ask(self, order: dict[str, object]) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


class BotProcess:
    """Starts, kills and starts again one bot on one database."""

    def __init__(
        self, nursery: Nursery, sandbox: RunningSandbox, folder: Path, clips: dict[str, Path]
    ) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self._nursery = nursery
        self._clips = clips
        self.pid: int | None = None
        self.log = folder / "bot.log"

    def start(self, grace_s: float = 10.0, **environment: str) -> None:
        environment = {
            "BOT_TOKEN": self.sandbox.token,
            "TELEGRAM_API_BASE": self.sandbox.url,
            "DATA_DIR": str(self.folder),
            "GRACE_S": str(grace_s),
            "LOG_LEVEL": "INFO",
            **environment,
        }
        files = {name: str(path) for name, path in self._clips.items()}
        order = {**files, "folder": str(self.folder), "log": str(self.log), "environment": environment}
        self.pid = self._nursery.ask({"start": order})

    async def end(self, number: signal.Signals) -> int:
        assert self.pid is not None
        os.kill(self.pid, number)
        pid, self.pid = self.pid, None
        return await asyncio.to_thread(self._nursery.ask, {"wait": pid})

    async def restart_after_kill(self) -> None:
        await self.end(signal.SIGKILL)
        self.start()

    def states(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "bot.db")) as connection:
            try:
                return [row[0] for row in connection.execute("SELECT state FROM jobs ORDER BY id")]
            except sqlite3.OperationalError:  # not migrated yet
                return []

    async def until(self, *states: str) -> None:
        """Until the jobs in storage are in these states."""
        await eventually(lambda: self.states() == list(states))

    def hold_pool(self, is_held: bool = True) -> None:
        hold = self.folder / "hold"
        hold.touch() if is_held else hold.unlink()

    async def until_struck(self) -> None:
        """Until the injected faults have met their calls."""
        await eventually(lambda: not self.sandbox.sandbox.desk.faults.active)

    async def until_in_pool(self, n_entered: int = 1) -> None:
        entered = self.folder / "entered"
        await eventually(lambda: entered.exists() and len(entered.read_text().splitlines()) >= n_entered)


@pytest.fixture
async def bot(
    nursery: Nursery, sandbox: RunningSandbox, tmp_path: Path, clips: dict[str, Path]
) -> AsyncIterator[BotProcess]:
    bot = BotProcess(nursery, sandbox, tmp_path, clips)
    bot.start()
    yield bot
    if bot.pid is not None:
        await bot.end(signal.SIGKILL)


async def voices(sandbox: RunningSandbox, track: MessageView) -> list[MessageView]:
    """The answers to a track, those that were deleted again included."""
    found = await sandbox.messages(track.chat_id, from_bot=True, with_deleted=True)
    return [message for message in found if message.kind == "voice" and message.reply_to == track.message_id]


async def answered_once(bot: BotProcess, *tracks: MessageView) -> None:
    await bot.until(*["done"] * len(tracks))
    for track in tracks:
        assert len(await voices(bot.sandbox, track)) == 1, bot.log.read_text()


async def test_a_track_sent_while_the_bot_is_down(bot: BotProcess, clips: dict[str, Path]) -> None:
    await bot.sandbox.wait_for_polling()
    await bot.end(signal.SIGKILL)
    track = await bot.sandbox.send_audio(clips["mp3"])
    bot.start()
    await answered_once(bot, track)


async def test_killed_before_the_download(bot: BotProcess, clips: dict[str, Path]) -> None:
    await bot.sandbox.inject("getFile", "hang_after", delay_s=60)
    track = await bot.sandbox.send_audio(clips["mp3"])
    await bot.until_struck()
    assert bot.states() == ["running"]
    await bot.restart_after_kill()
    await answered_once(bot, track)


async def test_killed_in_the_pool(bot: BotProcess, clips: dict[str, Path]) -> None:
    bot.hold_pool()
    track = await bot.sandbox.send_audio(clips["mp3"])
    await bot.until_in_pool()
    await bot.end(signal.SIGKILL)
    bot.hold_pool(False)
    bot.start()
    await answered_once(bot, track)


async def test_killed_between_the_intent_and_the_send(bot: BotProcess, clips: dict[str, Path]) -> None:
    await bot.sandbox.inject_flood("sendVoice", retry_after_s=60)
    track = await bot.sandbox.send_audio(clips["mp3"])
    await bot.until_struck()
    assert bot.states() == ["sending"]
    await bot.restart_after_kill()
    await answered_once(bot, track)


async def test_killed_between_the_send_and_its_record(bot: BotProcess, clips: dict[str, Path]) -> None:
    await bot.sandbox.inject("sendVoice", "hang_after", delay_s=60)
    track = await bot.sandbox.send_audio(clips["mp3"])
    await bot.sandbox.wait_for(lambda m: m.kind == "voice")
    assert bot.states() == ["sending"]
    # Others write meanwhile, so that the answer's number is not simply the next one.
    await bot.sandbox.send_text("hello", user=FRIEND_ID)
    await bot.sandbox.send_text("hello", user=LISTENER_ID)
    await bot.restart_after_kill()
    await answered_once(bot, track)


async def test_killed_while_an_error_is_told(bot: BotProcess, clips: dict[str, Path], tmp_path: Path) -> None:
    await bot.sandbox.inject("getFile", error_code=400, description="Bad Request: file is too big")
    await bot.sandbox.inject("sendMessage", "hang_after", delay_s=60)
    track = await bot.sandbox.send_audio(clips["mp3"])
    await bot.sandbox.wait_for(lambda m: m.kind == "text")
    await bot.restart_after_kill()
    await bot.until("failed")
    told = await bot.sandbox.messages(from_bot=True, with_deleted=True)
    assert [(m.kind, m.reply_to) for m in told] == [("text", track.message_id)], bot.log.read_text()


async def test_killed_again_and_again_with_many_tracks(bot: BotProcess, clips: dict[str, Path]) -> None:
    tracks = []
    for n in range(12):
        user = (LISTENER_ID, FRIEND_ID)[n % 2]
        body = clips["mp3"].read_bytes() + bytes([n])  # a file of its own each: nothing from the cache
        tracks.append(await bot.sandbox.send_audio(body, user=user, file_name=f"{n}.mp3"))
        await asyncio.sleep(0)
    for n_done in (1, 5, 9):
        await eventually(lambda: bot.states().count("done") >= n_done)  # noqa: B023
        await bot.restart_after_kill()
    await answered_once(bot, *tracks)


async def test_sigterm_lets_the_running_job_finish_and_takes_no_new_one(
    bot: BotProcess, clips: dict[str, Path]
) -> None:
    bot.hold_pool()
    track = await bot.sandbox.send_audio(clips["mp3"])
    await bot.until_in_pool()
    ending = asyncio.get_running_loop().create_task(bot.end(signal.SIGTERM))
    await eventually(lambda: "waiting up to" in bot.log.read_text())
    late = await bot.sandbox.send_audio(clips["ogg"])
    bot.hold_pool(False)
    assert await ending == 0
    assert len(await voices(bot.sandbox, track)) == 1
    assert await voices(bot.sandbox, late) == []
    bot.start()
    await answered_once(bot, track, late)


async def test_sigterm_puts_back_what_does_not_finish_in_time(
    bot: BotProcess, clips: dict[str, Path]
) -> None:
    await bot.sandbox.wait_for_polling()
    await bot.end(signal.SIGKILL)
    bot.hold_pool()
    bot.start(grace_s=0.2)
    track = await bot.sandbox.send_audio(clips["mp3"])
    await bot.until_in_pool()
    assert await bot.end(signal.SIGTERM) == 0
    assert bot.states() == ["queued"]
    bot.hold_pool(False)
    bot.start()
    await answered_once(bot, track)


async def test_the_token_is_in_no_output_and_not_in_storage(bot: BotProcess, clips: dict[str, Path]) -> None:
    """At DEBUG, through success, refusals, broken lines, a kill, and a token that Telegram does not know."""
    sandbox = bot.sandbox
    await sandbox.wait_for_polling()
    await bot.end(signal.SIGKILL)
    bot.start(LOG_LEVEL="DEBUG")
    for method, fault in (("download", "error"), ("download", "drop"), ("sendVoice", "drop_after")):
        await sandbox.inject(method, fault)
    await sandbox.inject("getUpdates", error_code=502, description="Bad Gateway")
    track = await sandbox.send_audio(clips["mp3"])
    await answered_once(bot, track)
    await sandbox.inject("getFile", error_code=400, description="Bad Request: wrong file_id")
    await sandbox.send_audio(clips["ogg"])
    await bot.until("done", "failed")
    bot.hold_pool()
    last = await sandbox.send_audio(clips["mp3"].read_bytes() + b"1", file_name="1.mp3")
    await bot.until_in_pool(2)
    await bot.end(signal.SIGKILL)
    bot.hold_pool(False)
    bot.start(LOG_LEVEL="DEBUG")
    await bot.until("done", "failed", "done")
    assert len(await voices(sandbox, last)) == 1
    await bot.end(signal.SIGTERM)

    unknown = "424242:a-secret-that-nobody-has-heard-of"
    bot.start(LOG_LEVEL="DEBUG", BOT_TOKEN=unknown)
    await eventually(lambda: "Unauthorized" in bot.log.read_text())
    await bot.end(signal.SIGKILL)
    files = [bot.log, *bot.folder.glob("bot.db*")]
    for token in (sandbox.token, unknown):
        secret = token.partition(":")[2].encode()
        assert [path.name for path in files if secret in path.read_bytes()] == []
