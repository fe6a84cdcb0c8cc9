"""The front end's side of QUEUE=taskiq: looks like the worker pool, and lets workers on any host do the work.

An order is named by its content. So a front end that was killed while it waited finds its answer, or waits
on, after the restart; and two users who send one track at the same moment have it analysed once.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bot.services.orders import REMOTE, Ticket, decode, decode_error, encode, find_tickets
from bot.services.recipes import AudioPool, Fetch
from bot.services.stream import WorkLost, WorkStream, persevere

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
POLL_S = 0.1
LOOK_AFTER = 20  # polls between two looks whether the order is still in the stream
TASK = "audio"


class RemotePool:
    """Orders go to the workers; what must not travel (large results) runs in the `local` pool."""

    def __init__(self, stream: WorkStream, local: AudioPool, fetch: Fetch, *, in_flight: int = 32) -> None:
        """`in_flight`: orders that this front end has with the workers at once, however many those are."""
        self.workers = in_flight
        self._stream = stream
        self._local = local
        self._fetch = fetch

    async def fetch(self, file_id: str, target: Path, max_bytes: int) -> None:
        """Instead of a download: the worker makes it, so that audio passes neither here nor through Redis."""
        Ticket(file_id, max_bytes).write(target)

    async def run(
        self, fn: Callable[..., Result], /, *args: Any, timeout_s: float | None = None, **kwargs: Any
    ) -> Result:
        """As `AudioPool.run`. `timeout_s` bounds the work, not the wait for a worker."""
        tickets = find_tickets(args)
        if not tickets or kwargs or fn.__name__ not in REMOTE:
            for path, ticket in tickets.items():
                await self._fetch(ticket.file_id, path, ticket.max_bytes)
            return await self._local.run(fn, *args, timeout_s=timeout_s, **kwargs)
        folder = next(iter(tickets)).parent
        order = {"function": fn.__name__, "args": encode(args, folder), "timeout_s": timeout_s}
        name = hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()[:32]
        while True:
            answer = await self._answer(name, order)
            if "error" in answer:
                await persevere(lambda: self._stream.results.forget(name), "forgetting a failure")
                raise decode_error(answer["error"])
            decoded = decode(answer["value"], folder)
            if await self._collect(name, decoded.outputs):
                await persevere(lambda: self._stream.results.let_go(name), "letting a result go")
                value: Result = decoded.value
                return value
            await persevere(lambda: self._stream.results.forget(name), "forgetting what expired")

    async def _answer(self, name: str, order: dict[str, Any]) -> dict[str, Any]:
        polls = 0
        while True:
            result = await persevere(lambda: self._stream.results.find(name), "waiting for a result")
            if result is not None:
                if isinstance(result.error, WorkLost):
                    return {"error": ["engine", str(result.error)]}  # not to be tried on yet more workers
                if result.is_err:
                    return {"error": ["engine", type(result.error).__name__]}
                answer: dict[str, Any] = result.return_value
                return answer
            if polls % LOOK_AFTER == 0:
                await self._see_to_it(name, order)
            polls += 1
            await asyncio.sleep(POLL_S)

    async def _see_to_it(self, name: str, order: dict[str, Any]) -> None:
        """Ask, unless it was asked for: by an earlier run, by another front end, or before Redis lost it."""
        if await persevere(lambda: self._stream.is_waiting(name), "looking for an order"):
            return
        if await persevere(lambda: self._stream.results.is_result_ready(name), "looking for a result"):
            return  # answered between the two looks
        await persevere(lambda: self._stream.ask(TASK, name, order), "asking for work")

    async def _collect(self, name: str, outputs: list[Path]) -> bool:
        """Write the files that came with the answer. False: one has expired meanwhile."""
        for path in outputs:
            content = await persevere(partial(self._stream.results.get_file, name, path.name), "fetching")
            if content is None:
                return False
            await asyncio.to_thread(path.write_bytes, content)
        return True
