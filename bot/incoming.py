"""What Telegram sends, made safe to read: text that storage can keep, and one bad update apart from the good
ones.
"""

import json
import logging
import re
from typing import Any

from aiogram import Bot
from aiogram.types import Update
from aiogram.types.update import UpdateTypeLookupError
from pydantic import ValidationError

logger = logging.getLogger(__name__)

# Half of a UTF-16 pair without the other, or a NUL: neither can be written as UTF-8, or into PostgreSQL.
_UNWRITABLE = re.compile(
    r"\\u0000"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def loads(text: str | bytes) -> Any:
    """`json.loads` whose strings can all be encoded."""
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    value = json.loads(told)
    return _writable(value) if _UNWRITABLE.search(told) else value


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {key: _writable(item) for key, item in value.items()}
    return value


def is_known(update: Update) -> bool:
    """Whether this version has a name for what the update holds."""
    try:
        return bool(update.event_type)
    except UpdateTypeLookupError:
        return False


def readable_updates(answer: Any, bot: Bot) -> list[Update]:
    """The updates of a getUpdates answer that could not be read as a whole.

    One that this version cannot read keeps its number and loses its content, so that it is confirmed with the
    others instead of coming again for ever. Raises ValueError where the answer is no list of updates.
    """
    rows = answer.get("result") if isinstance(answer, dict) and answer.get("ok") else None
    if not isinstance(rows, list):
        raise ValueError("no list of updates")
    updates = []
    for row in rows:
        try:
            updates.append(Update.model_validate(row, context={"bot": bot}))
        except ValidationError as exc:
            update_id = row.get("update_id") if isinstance(row, dict) else None
            if not isinstance(update_id, int):
                raise ValueError("an update without its number") from None
            fields = sorted({".".join(map(str, error["loc"][:3])) for error in exc.errors()})
            logger.error("update %d cannot be read by this version: %s", update_id, ", ".join(fields[:5]))
            updates.append(Update(update_id=update_id))
    return updates
