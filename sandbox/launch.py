"""Sandbox and bot side by side: what `make run` starts."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sandbox.server import Sandbox
from sandbox.settings import bot_environment

log = logging.getLogger(__name__)

STOP_S = 15.0  # the bot's own time to put its work down
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)  # before a bot that died is started again


class BotProcess:
    """`python -m bot` as a child process, started again whenever it ends."""

    def __init__(self, environment: dict[str, str], *, log_path: Path | None = None) -> None:
        self._environment = environment
        self._log_path = log_path
        self._process: asyncio.subprocess.Process | None = None
        self.n_starts = 0

    @property
    def pid(self) -> int:
        """Of the child that runs now, or ran last."""
        if self._process is None:
            raise RuntimeError("the bot was not started")
        return self._process.pid

    async def keep_alive(self) -> None:
        """Run until cancelled; the child is then asked to stop, and killed when it does not."""
        try:
            while True:
                status = await self._run_once()
                pause_s = PAUSES_S[min(self.n_starts - 1, len(PAUSES_S) - 1)]
                log.warning("the bot ended with status %s; starting it again in %g s", status, pause_s)
                await asyncio.sleep(pause_s)
        finally:
            await self._stop()

    async def _run_once(self) -> int:
        self.n_starts += 1
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self._log_path.open("ab")) if self._log_path else None
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", env=self._environment, stdout=output, stderr=output
            )
        return await self._process.wait()

    async def _stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running_bot(url: str, data_dir: Path, *, log_path: Path | None = None) -> AsyncIterator[BotProcess]:
    """The bot, pointed at the sandbox at `url`; kept alive inside the context."""
    data_dir.mkdir(parents=True, exist_ok=True)
    bot = BotProcess(bot_environment(url, data_dir.resolve()), log_path=log_path)
    tasks = asyncio.TaskGroup()
    await tasks.__aenter__()
    task = tasks.create_task(bot.keep_alive())
    try:
        yield bot
    finally:
        task.cancel()
        await tasks.__aexit__(None, None, None)


async def run_sandbox(directory: Path, port: int, *, has_bot: bool = True) -> None:
    """Serve the sandbox, and the bot in it, until interrupted."""
    async with contextlib.AsyncExitStack() as stack:
        sandbox = Sandbox(directory)
        try:
            url = await stack.enter_async_context(sandbox.serving(port))
        except OSError:
            sandbox = Sandbox(directory)
            url = await stack.enter_async_context(sandbox.serving(0))  # the usual port is taken
        if has_bot:
            await stack.enter_async_context(running_bot(url, directory))
        print(_WELCOME.format(url=url), flush=True)
        await sandbox.world.sample_song()  # ready before somebody asks for it
        await _interrupted()


async def _interrupted() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


_WELCOME = """
  No BOT_TOKEN: this is the sandbox, everything stays on this machine.

  Open   {url}   and send a track (or take the sample).
  Stop with Ctrl-C; chats are kept in var/sandbox. With BOT_TOKEN in .env the bot talks to Telegram instead.
"""
