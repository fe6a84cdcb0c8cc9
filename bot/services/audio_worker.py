"""`python -m bot worker`: takes orders from the stream, downloads, works in its process pool, answers."""

import asyncio
import logging
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from aiogram.exceptions import TelegramAPIError
from prometheus_client import Histogram
from taskiq import Context, TaskiqDepends
from taskiq.receiver import Receiver

from bot.logs import log_context
from bot.services.orders import REMOTE, decode, encode, encode_error
from bot.services.recipes import AudioPool, Fetch
from bot.services.remote import TASK
from bot.services.stream import WorkStream, persevere
from bot.services.telegram_files import DownloadFailed
from inference.errors import HighlightError

logger = logging.getLogger(__name__)


class AudioWorker:
    def __init__(
        self,
        stream: WorkStream,
        pool: AudioPool,
        fetch: Fetch,
        *,
        slots: int,
        seconds: Histogram | None = None,
        work_dir: Path | None = None,
    ) -> None:
        """`slots`: orders in work at once; one more than processes, so that one downloads meanwhile."""
        self._stream = stream
        self._pool = pool
        self._fetch = fetch
        self._slots = slots
        self._seconds = seconds
        self._work_dir = work_dir

        @stream.task(task_name=TASK)
        async def audio(order: dict[str, Any], context: Context = TaskiqDepends()) -> dict[str, Any]:  # noqa: B008
            return await self._work(context.message.task_id, order)

    async def run(self, stop: asyncio.Event, grace_s: float) -> None:
        """Until `stop`; then nothing new, `grace_s` for what runs, and the rest goes to other workers."""
        self._stream.is_worker_process = True
        await self._stream.startup()
        receiver = Receiver(
            self._stream, max_async_tasks=self._slots, run_startup=False, validate_params=False
        )
        async with asyncio.TaskGroup() as tasks:
            renewing = tasks.create_task(self._stream.renew_leases())
            listening = tasks.create_task(receiver.listen(stop))
            logger.info("ready")
            await stop.wait()
            logger.info("stopping")
            await asyncio.wait({listening}, timeout=grace_s)
            renewing.cancel()
            await self._stream.hand_over()
            listening.cancel()

    async def _work(self, name: str, order: dict[str, Any]) -> dict[str, Any]:
        """The answer to an order; an error is one too, and the front end knows what to do with its family."""
        started = asyncio.get_running_loop().time()
        outcome = "failed"
        if self._work_dir is not None:  # somebody may have tidied it away
            self._work_dir.mkdir(parents=True, exist_ok=True)
        with (
            log_context(order=name),
            tempfile.TemporaryDirectory(prefix="order-", dir=self._work_dir) as folder,
        ):
            try:
                value = await self._do(name, order, Path(folder))
                outcome = "done"
                return {"value": value}
            except TelegramAPIError as exc:
                logger.warning("could not download: %s", type(exc).__name__)
                return {"error": encode_error(DownloadFailed(type(exc).__name__))}
            except (HighlightError, DownloadFailed, OSError) as exc:
                logger.warning("order failed: %s", type(exc).__name__)
                return {"error": encode_error(exc)}
            except Exception as exc:  # the job loop of this process: the next order must not suffer
                logger.exception("order failed")
                return {"error": encode_error(exc)}
            finally:
                elapsed_s = asyncio.get_running_loop().time() - started
                logger.info("order %s", outcome, extra={"elapsed_ms": round(1000 * elapsed_s)})
                if self._seconds is not None:
                    self._seconds.labels(outcome).observe(elapsed_s)

    async def _do(self, name: str, order: dict[str, Any], folder: Path) -> Any:
        function = REMOTE[order["function"]]
        decoded = decode(order["args"], folder)
        for path, ticket in decoded.inputs.items():
            await self._fetch(ticket.file_id, path, ticket.max_bytes)
        value = await self._pool.run(function, *decoded.value, timeout_s=order["timeout_s"])
        for path in decoded.outputs:
            await self._send(name, path)
        return encode(value, folder)

    async def _send(self, name: str, path: Path) -> None:
        with suppress(FileNotFoundError):  # not every order fills every place
            content = await asyncio.to_thread(path.read_bytes)
            await persevere(
                partial(self._stream.results.put_file, name, path.name, content), "sending a file"
            )
