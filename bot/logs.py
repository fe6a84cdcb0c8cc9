"""Logging of the bot process: one JSON object (or one text line) per fact, with the job it belongs to.

The token never reaches the log, whoever logs: the formatter replaces it in the finished line, tracebacks
included.
"""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

TOKEN = re.compile(r"(?<!\d)\d{5,}:[A-Za-z0-9_-]{20,}")
_context: ContextVar[dict[str, Any]] = ContextVar("log_context")
_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


@contextlib.contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Every line logged inside the block carries these fields."""
    token = _context.set({**_context.get({}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class Redacting(logging.Formatter):
    """Hides anything that looks like a bot token, and this bot's token even where it does not."""

    def __init__(self, secret: str, *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._secret = secret
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields = {**_context.get({}), **{k: v for k, v in record.__dict__.items() if k not in _PLAIN}}
        if self._as_json:
            line = self._json(record, fields)
        else:
            line = super().format(record) + "".join(f" {key}={value}" for key, value in fields.items())
        if self._secret:
            line = line.replace(self._secret, "<token>")
        return TOKEN.sub("<token>", line)

    def _json(self, record: logging.LogRecord, fields: dict[str, Any]) -> str:
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure_logging(level: str, *, as_json: bool, secret: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting(secret, as_json=as_json))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("aiogram.event", "aiosqlite", "alembic", "apscheduler", "matplotlib", "numba", "taskiq"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
