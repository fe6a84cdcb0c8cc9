"""The bot as processes of their own for tests that kill them: the real App, with an audio pool that a file
can hold.

    python -m tests.bot.bot_process

loads the libraries once (seconds), then reads one JSON object a line: `{"start": {...}}` forks a bot and
prints its pid, `{"wait": pid}` prints its exit status (negative: the signal). While `<folder>/hold` exists a
job stays in the pool; each job that enters writes its line to `<folder>/entered`.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from bot.app import App
from bot.db.migrate import migrate  # noqa: F401  # and with it all that a start loads
from bot.logs import configure_logging
from bot.services.sender import Limits
from bot.settings import load_settings
from tests.fakes import FakePool


class HeldPool(FakePool):
    def __init__(self, ogg: bytes, mp3: bytes, folder: Path) -> None:
        super().__init__(ogg, mp3)
        self._folder = folder

    async def run(self, fn: Any, *args: Any, **options: Any) -> Any:
        if fn.__name__ != "model_version":
            with (self._folder / "entered").open("a") as entered:
                entered.write(f"{fn.__name__}\n")
            while (self._folder / "hold").exists():  # noqa: ASYNC110  # another process removes it
                await asyncio.sleep(0.02)
        return await super().run(fn, *args, **options)


async def run_bot(ogg: Path, mp3: Path, folder: Path) -> None:
    settings = load_settings()
    configure_logging(settings.log_level, as_json=False, secret=settings.bot_token.get_secret_value())
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    limits = Limits(chat_per_s=100, chat_burst=100)
    async with App.opened(settings, HeldPool(ogg.read_bytes(), mp3.read_bytes(), folder), limits) as app:
        await app.run(stop)


def fork_bot(order: dict[str, Any]) -> int:
    if pid := os.fork():
        return pid
    status = 1
    try:
        os.environ.update(order["environment"])
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        asyncio.run(run_bot(*(Path(order[name]) for name in ("ogg", "mp3", "folder"))))
        status = 0
    finally:
        if status:
            import traceback

            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    import alembic.command  # noqa: F401  # loaded before the fork, once

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            print(fork_bot(order["start"]), flush=True)
        else:
            _, status = os.waitpid(order["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
