"""One sandbox: the Bot API, the control API and the page on one loopback address."""

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.bot_api import BotApi
from sandbox.control import Control
from sandbox.faults import CallLog, Faults
from sandbox.methods import Desk
from sandbox.page import Page
from sandbox.updates import UpdateQueue
from sandbox.world import World

log = logging.getLogger(__name__)

DEFAULT_TOKEN = "424242:SANDBOX-token-that-opens-nothing-else"  # noqa: S105
DEFAULT_PORT = 8081
SAVE_PAUSE_S = 0.5


class Sandbox:
    """State and routes; `serving` brings it to life.

    `directory` keeps chats and files across restarts; None forgets them at the end. `is_local` plays a Bot
    API server with `--local`: no size limits, absolute file paths.
    """

    def __init__(
        self, directory: Path | None = None, *, token: str = DEFAULT_TOKEN, is_local: bool = False
    ) -> None:
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="sandbox-")
        self.directory = directory or Path(self._temporary.name)  # type: ignore[union-attr]
        self.token = token
        self.world = World(self.directory, int(token.partition(":")[0]), is_local=is_local)
        self.updates = UpdateQueue(self.world.feed)
        faults, calls = Faults(self.world.feed), CallLog(self.world.feed)
        self.desk = Desk(self.world, self.updates, faults, calls)
        self.bot_api = BotApi(self.desk, token)
        self._is_kept = directory is not None
        self._saved_revision = 0
        self.url = ""
        if self._is_kept:
            self._restore()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_same_origin_only], client_max_size=2**31)
        app.add_routes(self.bot_api.routes())
        app.add_routes(Page(self.desk).routes())
        app.add_routes(Control(self.desk).routes())
        return app

    @property
    def _state_file(self) -> Path:
        return self.directory / "state.json"

    def _restore(self) -> None:
        if self._state_file.exists():
            saved = json.loads(self._state_file.read_text("utf-8"))
            self.world.restore(saved["world"])
            self.updates.waiting = saved["updates"]
            self.updates.last_id = saved["last_update_id"]

    def save(self) -> None:
        """Write the state when it changed; whole or not at all."""
        if not self._is_kept or self._saved_revision == self.world.feed.revision:
            return
        self._saved_revision = self.world.feed.revision
        saved = {
            "world": self.world.to_json(),
            "updates": self.updates.waiting,
            "last_update_id": self.updates.last_id,
        }
        fresh = self._state_file.with_suffix(".new")
        fresh.write_text(json.dumps(saved, ensure_ascii=False), "utf-8")
        fresh.replace(self._state_file)

    async def _save_changes(self) -> None:
        while True:
            await self.world.feed.wait(self._saved_revision, 3600.0)
            self.save()
            await asyncio.sleep(SAVE_PAUSE_S)

    @asynccontextmanager
    async def serving(self, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
        """Serve on loopback; yields the address. Port 0 takes a free one."""
        runner = web.AppRunner(self.app(), shutdown_timeout=1.0, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        address = runner.addresses[0]
        self.url = f"http://{address[0]}:{address[1]}"
        background = asyncio.TaskGroup()
        await background.__aenter__()
        tasks = [background.create_task(self.bot_api.push_webhooks())]
        if self._is_kept:
            tasks.append(background.create_task(self._save_changes()))
        try:
            yield self.url
        finally:
            for task in tasks:
                task.cancel()
            # No exception is passed on: one of the body is the caller's own, not to be wrapped in a group.
            await background.__aexit__(None, None, None)
            self.updates.close()
            await runner.cleanup()
            self.save()
            if self._temporary is not None:
                self._temporary.cleanup()


@web.middleware
async def _same_origin_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Other sites open in the same browser must not play with the sandbox."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise web.HTTPForbidden(text="the sandbox talks to its own page only")
    return await handler(request)
