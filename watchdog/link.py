"""The standing line to the engine: listens for ever, reconnects with growing pauses, says what it missed."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Protocol

from watchdog.domain import ContainerEvent, EngineBack, EngineLost, Gap, Observation, Snapshot
from watchdog.engine import ENGINE_ERRORS

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 15.0


class Engine(Protocol):
    """What the link needs of an engine; see `watchdog.engine.DockerEngine`."""

    def now(self) -> float: ...
    async def connect(self) -> None: ...
    async def gap_since(self, last_seen_at: float) -> Gap: ...
    async def stream(self, since_ns: int, deliver: Callable[[ContainerEvent, int], None]) -> None: ...
    async def snapshot(self) -> Snapshot: ...
    async def look_at(self, container_id: str) -> Snapshot | None: ...


class Link:
    """Feeds observations, in order, into `put(observation, time_ns)`; time_ns is 0 for all but events."""

    def __init__(
        self,
        engine: Engine,
        put: Callable[[Observation, int], None],
        *,
        window_s: float,
        settle_s: float,
        on_alive: Callable[[], None],
        on_connected: Callable[[], None],
        max_pause_s: float = MAX_PAUSE_S,
    ) -> None:
        self._engine = engine
        self._put = put
        self._window_s = window_s
        self._settle_s = settle_s
        self._on_alive = on_alive
        self._on_connected = on_connected
        self._max_pause_s = max_pause_s
        self._cursor_ns = 0
        self._alive_at = 0.0
        self._n_connections = 0
        self.is_up = False
        self.was_tried = asyncio.Event()

    async def run(self, cursor_ns: int, last_seen_at: float | None) -> None:
        """Listen for ever. `last_seen_at`: when an earlier process last saw the engine, None for never."""
        self._cursor_ns = cursor_ns
        self._alive_at = last_seen_at or self._engine.now()
        is_lost, pause_s = last_seen_at is not None, FIRST_PAUSE_S
        if last_seen_at is not None:
            self._put(EngineLost(last_seen_at), 0)
        while True:
            try:
                await self._engine.connect()
                if is_lost:
                    gap = await self._engine.gap_since(self._alive_at)
                    log.info("engine connected, missed events: %s", gap)
                    self._put(EngineBack(self._engine.now(), gap), 0)
                is_lost, pause_s = False, FIRST_PAUSE_S
                self._up()
                await self._listen()
            except (*ENGINE_ERRORS, ValueError) as exc:
                self.is_up = False
                if not is_lost:
                    is_lost = True
                    log.warning("engine lost: %s", exc)
                    self._put(EngineLost(self._alive_at), 0)
                self.was_tried.set()
                await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  # only spreads the load
                pause_s = min(pause_s * 2, self._max_pause_s)

    def _up(self) -> None:
        if not self._cursor_ns:
            self._cursor_ns = int(self._engine.now() * 1e9)
        self._n_connections += 1
        self.is_up = True
        self.was_tried.set()
        self._on_connected()

    async def _listen(self) -> None:
        while True:
            started_at = self._alive_at = self._engine.now()
            self._on_alive()
            try:
                await self._engine.stream(self._cursor_ns + 1, self._on_event)
            except (*ENGINE_ERRORS, ValueError):
                if self._engine.now() - started_at <= self._window_s:
                    self._alive_at = (
                        self._engine.now()
                    )  # broken just now; else silent since the last sign of life
                raise

    def _on_event(self, event: ContainerEvent, time_ns: int) -> None:
        self._cursor_ns = max(self._cursor_ns, time_ns)
        self._alive_at = max(self._alive_at, event.at)
        self._put(event, time_ns)

    async def reconcile(self) -> bool:
        """Inspect everything; False if the engine went away meanwhile."""
        connection = self._n_connections
        snapshot = await self._engine.snapshot()
        # Events up to the snapshot's time come first, so that only what they did not tell counts as missed.
        await asyncio.sleep(self._settle_s)
        if not self.is_up or connection != self._n_connections:
            return False
        self._put(snapshot, 0)
        return True

    async def look_at(self, container_id: str) -> None:
        """Inspect one container."""
        connection = self._n_connections
        snapshot = await self._engine.look_at(container_id)
        await asyncio.sleep(self._settle_s)
        if snapshot is not None and self.is_up and connection == self._n_connections:
            self._put(snapshot, 0)
