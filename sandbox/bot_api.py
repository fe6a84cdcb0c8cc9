"""The Bot API's HTTP side: `/bot<token>/<method>` and `/file/bot<token>/<path>`."""

import asyncio
import logging
from typing import Any

from aiohttp import ClientSession, web

from sandbox.faults import Fault
from sandbox.files import LOCAL_UPLOAD_LIMIT_BYTES, UPLOAD_LIMIT_BYTES
from sandbox.methods import HANDLERS, Desk, answering, editing, profile, sending
from sandbox.refusals import Json, Refusal, bad_request
from sandbox.requests import RawCall, build_call, method_models, read_request
from sandbox.updates import WEBHOOK_PAUSE_S, deliver

log = logging.getLogger(__name__)

ROOMS = (answering, editing, profile, sending)  # importing them registers their methods
HANG_LIMIT_S = 600.0


class BotApi:
    """Answers one bot's calls."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk = desk
        self.token = token

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/bot{token}/{method}", self.on_call),
            web.get("/file/bot{token}/{path:.+}", self.on_download),
        ]

    async def on_call(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        try:
            self._check_token(request)
            files = self.desk.world.files
            limit_bytes = LOCAL_UPLOAD_LIMIT_BYTES if files.is_local else UPLOAD_LIMIT_BYTES
            async with read_request(request, limit_bytes) as raw:
                model = method_models().get(name.lower())
                status, answer = await self.run(model.__api_method__ if model else name, raw, request)
        except Refusal as refusal:
            status, answer = refusal.error_code, refusal.to_json()
        return web.json_response(answer, status=status)

    def _check_token(self, request: web.Request) -> None:
        if request.match_info["token"] != self.token:
            raise Refusal(401, "Unauthorized")

    async def run(self, name: str, raw: RawCall, request: web.Request | None = None) -> tuple[int, Json]:
        """Carry out one call, faults included; (HTTP status, answer)."""
        call = self.desk.calls.open(name, raw.to_json())
        fault = self.desk.faults.take(name, _chat_id(raw.params.get("chat_id")))
        call.fault = fault.kind if fault else None
        try:
            if fault is not None and fault.kind == "error":
                raise fault.refusal()
            if fault is not None and fault.kind == "drop":
                _break(request)
            result = await self._carry_out(name, raw)
            status, answer = 200, {"ok": True, "result": result}
        except Refusal as refusal:
            status, answer = refusal.error_code, refusal.to_json()
        self.desk.calls.close(call, status, answer)
        if fault is not None:
            await self._disturb(fault, request)
        return status, answer

    async def _carry_out(self, name: str, raw: RawCall) -> Any:
        model = build_call(name, raw)
        handler = HANDLERS.get(name.lower())
        if handler is None:
            raise bad_request(f"the sandbox does not play {name} yet")
        return await handler(self.desk, model)

    async def _disturb(self, fault: Fault, request: web.Request | None) -> None:
        if fault.kind == "drop_after":
            _break(request)
        elif fault.kind in {"slow", "hang_after"}:
            delay_s = fault.delay_s or (HANG_LIMIT_S if fault.kind == "hang_after" else 1.0)
            feed = self.desk.world.feed
            deadline = asyncio.get_running_loop().time() + delay_s
            while not feed.is_closed and (left_s := deadline - asyncio.get_running_loop().time()) > 0:
                await feed.wait(feed.revision, left_s)
            if fault.kind == "hang_after":
                _break(request)

    async def on_download(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_token(request)
            fault = self.desk.faults.take("download", None)
            if fault is not None and fault.kind == "error":
                raise fault.refusal()
            if fault is not None:
                await self._disturb(fault, request)
            return web.FileResponse(self.desk.world.files.open_path(request.match_info["path"]))
        except Refusal as refusal:
            return web.json_response(refusal.to_json(), status=refusal.error_code)

    async def push_webhooks(self) -> None:
        """Deliver updates to the webhook, in order, until cancelled."""
        updates = self.desk.updates
        async with ClientSession() as session:
            while True:
                webhook = updates.webhook
                update = next(filter(updates.is_wanted, updates.waiting), None) if webhook else None
                if webhook is None or update is None:
                    await updates.bell.wait(60.0)
                    continue
                was_taken, call = await deliver(session, webhook, update)
                if was_taken:
                    updates.confirm(update["update_id"])
                    if name := call.pop("method", None):
                        await self.run(name, RawCall(call))
                else:
                    await updates.bell.wait(WEBHOOK_PAUSE_S)


def _chat_id(value: Any) -> int | None:
    return int(value) if str(value).lstrip("-").isdigit() else None


def _break(request: web.Request | None) -> None:
    if request is not None and request.transport is not None:
        request.transport.abort()
    raise web.HTTPServiceUnavailable(reason="connection broken on purpose")
