"""A token bucket: how often something may happen."""

import asyncio
from collections.abc import Awaitable, Callable

ROUNDING = 1e-6  # of a token: a wait worked out in floats may end a hair early


class Pace:
    """`burst` at once, then `per_s` a second. Waiters are served in the order in which they came."""

    def __init__(
        self,
        per_s: float,
        burst: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._tokens = burst
        self._at = clock()
        self._lock = asyncio.Lock()

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now

    @property
    def is_full(self) -> bool:
        self._refill()
        return self._tokens >= self._burst

    def try_take(self) -> bool:
        """Without waiting."""
        self._refill()
        if self._tokens < 1.0 - ROUNDING:
            return False
        self._tokens = max(0.0, self._tokens - 1.0)
        return True

    async def take(self) -> None:
        async with self._lock:
            while not self.try_take():
                await self._sleep((1.0 - self._tokens) / self._per_s)
