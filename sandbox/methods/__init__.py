"""What the bot may call. Each room registers its methods by the Bot API's name."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sandbox.faults import CallLog, Faults
from sandbox.refusals import Json
from sandbox.updates import UpdateQueue
from sandbox.world import World

QUERY_LIFETIME_S = 30.0  # after some such time Telegram calls a callback query "too old"


@dataclass(slots=True)
class Query:
    """A callback or inline query that waits for the bot's answer."""

    id: str
    user_id: int
    created_at: float
    is_expired: bool = False
    answer: Json | None = None


@dataclass(slots=True)
class Desk:
    """Everything a method may touch. `drafts`: the animated preview in a private chat, by chat."""

    world: World
    updates: UpdateQueue
    faults: Faults
    calls: CallLog
    queries: dict[str, Query] = field(default_factory=dict)
    drafts: dict[int, Json] = field(default_factory=dict)
    keyboards: dict[int, Json] = field(default_factory=dict)


Handler = Callable[[Desk, Any], Awaitable[Any]]
HANDLERS: dict[str, Handler] = {}
_H = TypeVar("_H", bound=Handler)


def method(name: str) -> Callable[[_H], _H]:
    """Register the handler of a Bot API method."""

    def register(handler: _H) -> _H:
        HANDLERS[name.lower()] = handler
        return handler

    return register
