"""Start the watchdog: `python -m watchdog`. Settings come from the environment, see `watchdog.settings`."""

import asyncio
import json
import logging
import signal
import sys
import time

from pydantic import ValidationError

from watchdog.lean import import_aiogram
from watchdog.settings import Settings


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logs(settings: Settings) -> None:
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s")
    handler.setFormatter(JsonLines() if settings.log_format == "json" else text)
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    for chatty in ("apscheduler", "aiogram.event", "urllib3", "docker"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


def main() -> int:
    try:
        settings = Settings()
    except ValidationError as exc:
        for error in exc.errors():
            print("watchdog:", ".".join(map(str, error["loc"])), error["msg"], file=sys.stderr)
        return 2
    set_up_logs(settings)
    import_aiogram()  # before anything that imports aiogram in its own way
    from watchdog.app import run_watchdog

    async def run_until_asked() -> None:
        loop, this = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            if this is not None:
                loop.add_signal_handler(number, this.cancel)
        await run_watchdog(settings)

    try:
        asyncio.run(run_until_asked())
    except asyncio.CancelledError:
        logging.getLogger("watchdog").info("asked to stop at %s", time.strftime("%H:%M:%S"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
