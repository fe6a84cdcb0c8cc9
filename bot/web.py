"""The process's own HTTP side: /healthz, /metrics and, where Telegram calls us, the webhook."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from bot.metrics import Metrics

logger = logging.getLogger(__name__)

# What is wrong, in words; empty: healthy.
Examine = Callable[[], Awaitable[list[str]]]


class Health:
    """Answers for the whole process. A check that raises is itself what is wrong."""

    def __init__(self) -> None:
        self.checks: dict[str, Examine] = {}
        self.is_ready = False

    async def problems(self) -> list[str]:
        if not self.is_ready:
            return ["starting"]
        found = []
        for name, examine in self.checks.items():
            try:
                found += [f"{name}: {problem}" for problem in await examine()]
            except Exception as exc:  # noqa: BLE001  # whatever breaks a check is the finding
                found.append(f"{name}: {type(exc).__name__}")
        return found


def build_web(health: Health, metrics: Metrics) -> web.Application:
    app = web.Application(client_max_size=4 * 1024 * 1024)

    async def healthz(_: web.Request) -> web.Response:
        problems = await health.problems()
        body = json.dumps({"status": "unhealthy" if problems else "ok", "problems": problems})
        return web.Response(text=body, content_type="application/json", status=503 if problems else 200)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(
            body=await metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", scrape)
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """The port it listens on (0: a free one). The access log stays off: a webhook's line says nothing."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound: int = runner.addresses[0][1]
        logger.info("http on port %d", bound)
        yield bound
    finally:
        await runner.cleanup()
