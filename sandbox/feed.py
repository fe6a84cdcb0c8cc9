"""What happened, in order: the source of live pages and of waiting without sleeping."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from sandbox.refusals import Json


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `revision` counts up; `kind` names the shape of `payload`."""

    revision: int
    kind: str
    payload: Json

    def to_json(self) -> Json:
        return {"revision": self.revision, "kind": self.kind, "payload": self.payload}


class Bell:
    """Wakes everybody who waits; whoever starts to wait after a ring waits for the next one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """True when it rang, False after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Feed:
    """A numbered log of events, of which the last `keep` can be read again."""

    def __init__(self, keep: int = 5000) -> None:
        self._events: deque[Event] = deque(maxlen=keep)
        self._bell = Bell()
        # A server that starts again counts on above its predecessor: who asks for something older
        # is told to read everything anew.
        self.revision = time.time_ns() // 1_000_000
        self.is_closed = False

    def publish(self, kind: str, payload: Json) -> int:
        self.revision += 1
        self._events.append(Event(self.revision, kind, payload))
        self._bell.ring()
        return self.revision

    def since(self, revision: int) -> list[Event] | None:
        """Events after `revision`; None when some of them are no longer kept (read everything again)."""
        if revision > self.revision:
            return None
        missing = self.revision - revision
        if missing > len(self._events):
            return None
        return list(self._events)[len(self._events) - missing :] if missing else []

    async def wait(self, revision: int, timeout_s: float) -> bool:
        """Wait until something newer than `revision` is there; False after `timeout_s` or when closing."""
        if self.revision > revision or self.is_closed:
            return not self.is_closed
        return await self._bell.wait(timeout_s)

    def close(self) -> None:
        """Let every waiting request go home."""
        self.is_closed = True
        self._bell.ring()
