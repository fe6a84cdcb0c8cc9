"""The chat page: static files and the live stream that keeps it fresh."""

import json
from pathlib import Path

from aiohttp import web

from sandbox.methods import Desk

WEB = Path(__file__).parent / "web"
HEARTBEAT_S = 15.0
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """Serves `web/` and `/sandbox/api/events`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.on_index),
            web.get("/web/{path:.+}", self.on_static),
            web.get("/sandbox/api/events", self.on_events),
        ]

    async def on_index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "index.html", headers=_HEADERS)

    async def on_static(self, request: web.Request) -> web.StreamResponse:
        path = (WEB / request.match_info["path"]).resolve()
        if not path.is_relative_to(WEB.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=_HEADERS)

    async def on_events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events from `since` or `Last-Event-ID` on; `resync` when those are no longer kept."""
        feed = self.desk.world.feed
        since = int(request.headers.get("Last-Event-ID") or request.query.get("since") or feed.revision)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        try:
            await response.write(b"retry: 1000\n\n")
            while not feed.is_closed:
                events = feed.since(since)
                if events is None:
                    await response.write(f"id: {feed.revision}\nevent: resync\ndata: {{}}\n\n".encode())
                    since = feed.revision
                    continue
                for event in events:
                    body = json.dumps(event.to_json(), ensure_ascii=False)
                    await response.write(f"id: {event.revision}\ndata: {body}\n\n".encode())
                    since = event.revision
                if not await feed.wait(since, HEARTBEAT_S) and not feed.is_closed:
                    await response.write(b": still here\n\n")
        except ConnectionError:
            pass  # the window was closed
        return response
