"""What `python -m bot worker` is made of: a process pool, a bot to download with, the stream; no database."""

import asyncio
import logging
from contextlib import AsyncExitStack

from bot.app import build_bot
from bot.metrics import Metrics, TelegramMeter
from bot.routine import prepare_folder
from bot.services.audio_worker import AudioWorker
from bot.services.stream import WorkStream
from bot.services.telegram_files import downloader
from bot.settings import Settings
from bot.web import Health, build_web, serving
from inference.pool import WorkerPool

logger = logging.getLogger(__name__)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop`."""
    metrics, health = Metrics(), Health()
    async with AsyncExitStack() as stack:
        if settings.http_port:
            web = build_web(health, metrics)
            await stack.enter_async_context(serving(web, settings.http_host, settings.http_port))
        pool = WorkerPool(settings.workers or None)
        stack.push_async_callback(pool.close)
        await pool.start()
        stream = WorkStream(settings.redis_url.get_secret_value())
        stack.push_async_callback(stream.close)
        bot = build_bot(settings)
        stack.push_async_callback(bot.session.close)
        bot.session.middleware(TelegramMeter(metrics))
        metrics.watch_stream(stream.backlog)
        health.checks["queue"] = stream.check
        health.is_ready = True
        await asyncio.to_thread(prepare_folder, settings.work)
        worker = AudioWorker(
            stream,
            pool,
            downloader(bot),
            slots=pool.workers + 1,  # one downloads while the others are worked on
            seconds=metrics.order_seconds,
            work_dir=settings.work,
        )
        await worker.run(stop, settings.grace_s)
