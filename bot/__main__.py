"""The bot's composition root: settings, storage, pool, services, Dispatcher; start, supervision, orderly
stop.
"""

import asyncio
import importlib
import logging
import signal
import sys

from bot.logs import configure_logging
from bot.settings import Settings, SettingsError, load_settings
from inference.pool import WorkerPool

logger = logging.getLogger("bot")


async def serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pool = WorkerPool(settings.workers or None)
    try:
        # aiogram takes seconds to import, and so do the workers to warm up: side by side.
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pool.start())
            room = await asyncio.to_thread(importlib.import_module, "bot.app")
        async with room.App.opened(settings, pool) as app:
            await app.run(stop)
    finally:
        await pool.close()


def main() -> int:
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
    asyncio.run(serve(settings))
    logger.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
