"""The bot's composition root: settings, storage, pool, services, Dispatcher; start, supervision, orderly
stop.
"""

import asyncio
import logging
import signal
import sys

from bot.logs import configure_logging
from bot.settings import Settings, SettingsError, load_settings

logger = logging.getLogger("bot")


async def serve(settings: Settings) -> None:
    # Heavy imports come after the first log line, so that a slow start is a visible one.
    from bot.app import App

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with App.opened(settings) as app:
        await app.run(stop)


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
