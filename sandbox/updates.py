"""How updates reach the bot: by long polling with confirmation, or by webhook."""

import asyncio
import logging
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, ClientError, ClientResponse, ClientSession, ClientTimeout, MultipartReader

from sandbox.feed import Bell, Feed
from sandbox.refusals import Json, conflict

log = logging.getLogger(__name__)

# Without `allowed_updates` the server leaves these out.
_OPT_IN = {"chat_member", "message_reaction", "message_reaction_count"}
WEBHOOK_TIMEOUT_S = 60.0
WEBHOOK_PAUSE_S = 1.0  # before a refused update is sent again


@dataclass(slots=True)
class Webhook:
    url: str
    secret_token: str | None = None
    max_connections: int = 40
    last_error: str | None = None
    last_error_date: int | None = None


@dataclass(slots=True)
class UpdateQueue:
    """Updates that the bot has not confirmed yet, oldest first."""

    feed: Feed
    waiting: list[Json] = field(default_factory=list)
    last_id: int = 100_000_000
    allowed: list[str] | None = None
    webhook: Webhook | None = None
    n_polls: int = 0
    bell: Bell = field(default_factory=Bell)
    _poller: int = 0

    def add(self, kind: str, payload: Json) -> int:
        """Queue one update; its id."""
        self.last_id += 1
        self.waiting.append({"update_id": self.last_id, kind: payload})
        self.bell.ring()
        return self.last_id

    def is_wanted(self, update: Json) -> bool:
        kind = next(key for key in update if key != "update_id")
        return kind in self.allowed if self.allowed else kind not in _OPT_IN

    def confirm(self, update_id: int) -> None:
        """Forget updates up to and including `update_id`."""
        before = len(self.waiting)
        self.waiting = [update for update in self.waiting if update["update_id"] > update_id]
        if len(self.waiting) != before:
            self.feed.publish("confirmed", {"update_id": update_id, "pending": len(self.waiting)})

    async def poll(
        self, offset: int | None, limit: int, timeout_s: float, allowed: list[str] | None
    ) -> list[Json]:
        """getUpdates. A newer poller ends an older one that still waits, with 409."""
        if self.webhook is not None:
            raise conflict(
                "can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first"
            )
        self._poller += 1
        me = self._poller
        self.bell.ring()  # an older poller wakes and finds that it was replaced
        if allowed is not None:
            self.allowed = allowed
        if offset is not None and offset < 0:
            self.waiting = self.waiting[offset:]
        elif offset is not None:
            self.confirm(offset - 1)
        self.n_polls += 1
        if self.n_polls == 1:
            self.feed.publish("polling", {"webhook": False})
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            self.waiting = [update for update in self.waiting if self.is_wanted(update)]
            left_s = deadline - asyncio.get_running_loop().time()
            if self.waiting or left_s <= 0 or self.feed.is_closed:
                return self.waiting[: max(1, min(limit, 100))]
            await self.bell.wait(left_s)
            if me != self._poller:
                raise conflict(
                    "terminated by other getUpdates request; make sure that only one bot instance is running"
                )

    def set_webhook(self, webhook: Webhook | None, *, drops_pending: bool, allowed: list[str] | None) -> None:
        if drops_pending:
            self.confirm(self.last_id)
        if allowed is not None:
            self.allowed = allowed
        self.webhook = webhook
        self._poller += 1
        self.bell.ring()
        if webhook is not None:
            self.feed.publish("polling", {"webhook": True})

    def describe_webhook(self) -> Json:
        """The Bot API's WebhookInfo."""
        about: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": len(self.waiting)}
        if self.allowed:
            about["allowed_updates"] = self.allowed
        if self.webhook is not None:
            about |= {"url": self.webhook.url, "max_connections": self.webhook.max_connections}
            if self.webhook.last_error:
                about["last_error_message"] = self.webhook.last_error
                about["last_error_date"] = self.webhook.last_error_date
        return about

    def close(self) -> None:
        self.feed.close()
        self.bell.ring()


async def deliver(session: ClientSession, webhook: Webhook, update: Json) -> tuple[bool, Json]:
    """POST one update. (True, the method call in the answer or {}) when the bot took it with a 2xx status."""
    headers = {"X-Telegram-Bot-Api-Secret-Token": webhook.secret_token} if webhook.secret_token else {}
    try:
        async with session.post(
            webhook.url, json=update, headers=headers, timeout=ClientTimeout(total=WEBHOOK_TIMEOUT_S)
        ) as response:
            if response.status // 100 != 2:
                webhook.last_error = f"Wrong response from the webhook: {response.status} {response.reason}"
                return False, {}
            return True, await _read_call(response)
    except (ClientError, TimeoutError, OSError) as exc:
        webhook.last_error = f"Connection failed: {type(exc).__name__}"
        log.debug("webhook delivery failed", exc_info=exc)
        return False, {}


async def _read_call(response: ClientResponse) -> Json:
    """The method call that a bot may put into its answer, as JSON or as a form without files."""
    if response.content_type == "application/json":
        answer = await response.json()
        return answer if isinstance(answer, dict) else {}
    if not response.content_type.startswith("multipart/"):
        return {}
    call: Json = {}
    reader = MultipartReader(response.headers, response.content)
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader) and part.name:
            call[part.name] = await part.text()
    return call
