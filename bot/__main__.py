"""The bot's composition root: settings, storage, pool, services, Dispatcher; start, supervision, orderly
stop.
"""

import asyncio
import gc
import importlib
import logging
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from bot.logs import configure_logging
from bot.settings import Settings, SettingsError, load_settings
from inference.pool import WorkerPool

logger = logging.getLogger("bot")


FILE_THREADS = 8

# `python -m bot NAME ...`: the module whose `main(arguments)` does it.
COMMANDS = {
    "check": "bot.check",
    "backup": "bot.backup",
    "restore": "bot.backup",
    "labels": "bot.labels",
}


def stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def started_threads() -> ThreadPoolExecutor:
    """The threads for files, all running: whoever starts one stands still until it had a core."""
    threads = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="files")
    all_there = threading.Barrier(FILE_THREADS + 1)
    for _ in range(FILE_THREADS):
        threads.submit(all_there.wait)
    all_there.wait()
    return threads


def forget_the_loaded() -> None:
    """Once everything is loaded: the garbage collector never looks at it again.

    Modules and models are a quarter of a million objects. A full collection walked through them all: a
    quarter of a second of CPU with the event loop standing still, when many users wrote at once.
    """
    gc.collect()
    gc.freeze()


async def serve(settings: Settings) -> None:
    stop = stop_on_signal()
    asyncio.get_running_loop().set_default_executor(started_threads())
    # Where workers are elsewhere, one process stays for what must not travel.
    pool = WorkerPool(settings.workers or (1 if settings.queue == "taskiq" else None))
    try:
        # aiogram takes seconds to import, and so do the workers to warm up: side by side.
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pool.start())
            room = await asyncio.to_thread(importlib.import_module, "bot.app")
        async with room.App.opened(settings, pool) as app:
            await app.database.open_connections()
            forget_the_loaded()
            await app.run(stop)
    finally:
        await pool.close()


async def serve_orders(settings: Settings) -> None:
    from bot.remote_worker import run

    await run(settings, stop_on_signal())


def main() -> int:
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in COMMANDS:
        code: int = importlib.import_module(COMMANDS[command]).main(sys.argv[1:])
        return code
    try:
        settings = load_settings()
    except SettingsError as exc:
        print(f"Cannot start: {exc}", file=sys.stderr)
        return 2
    configure_logging(
        settings.log_level,
        as_json=settings.log_format == "json",
        secret=settings.bot_token.get_secret_value(),
    )
    logger.info("starting")
    asyncio.run(serve_orders(settings) if command == "worker" else serve(settings))
    logger.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
