"""Reading the chats, waiting for what happens, and causing trouble."""

import asyncio
from collections.abc import Callable
from typing import Any

from sandbox.refusals import ActionError, Json
from sandbox.views import CallView, MessageView
from sandbox.wire import DEFAULT_TIMEOUT_S, Wire
from sandbox.world import LISTENER_ID


class Watching(Wire):
    """Waiting is by event, never by sleeping, and ends with TimeoutError when it is in vain."""

    async def messages(
        self, chat: int = LISTENER_ID, *, from_bot: bool | None = None, with_deleted: bool = False
    ) -> list[MessageView]:
        """Messages of a chat, oldest first, as they stand now."""
        found = await self._get("messages", chat=chat)
        views = [MessageView.of(chat, stored) for stored in found["messages"]]
        return [
            view
            for view in views
            if (with_deleted or not view.is_deleted) and from_bot in {None, view.is_from_bot}
        ]

    async def wait_for(
        self,
        predicate: Callable[[MessageView], bool],
        *,
        chat: int = LISTENER_ID,
        after: "MessageView | int" = 0,
        from_bot: bool | None = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> MessageView:
        """The first message (with `message_id` above `after`) for which the predicate holds, now or later.

        Edits, deletions and reactions are looked at again. By default only the bot's messages count.
        """
        least = after if isinstance(after, int) else after.message_id
        found = await self.wait_for_all(
            lambda views: any(predicate(view) for view in views if view.message_id > least),
            chat=chat,
            from_bot=from_bot,
            timeout_s=timeout_s,
            asking=predicate,
        )
        return next(view for view in found if view.message_id > least and predicate(view))

    async def wait_for_all(
        self,
        predicate: Callable[[list[MessageView]], bool],
        *,
        chat: int = LISTENER_ID,
        from_bot: bool | None = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        asking: Any = None,
    ) -> list[MessageView]:
        """All messages of the chat (deleted ones included), once the predicate holds for the list."""
        views: list[MessageView] = []
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    found = await self._get("messages", chat=chat)
                    views = [MessageView.of(chat, stored) for stored in found["messages"]]
                    views = [view for view in views if from_bot in {None, view.is_from_bot}]
                    if predicate(views):
                        return views
                    await self._next_change(found["revision"])
        except TimeoutError:
            last = "; ".join(repr(view) for view in views[-8:]) or "nothing"
            raise TimeoutError(
                f"not within {timeout_s:g} s in chat {chat}: {asking or predicate}. Last messages: {last}"
            ) from None

    async def wait_for_polling(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Until the bot asks for updates for the first time (or sets a webhook)."""
        await self._until(lambda p: p["polls"] > 0 or p["has_webhook"], timeout_s, "the bot never polled")

    async def wait_until_taken(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Until the bot has confirmed every update sent so far."""
        await self._until(lambda p: p["pending"] == 0, timeout_s, "the bot did not take its updates")

    async def wait_for_call(
        self,
        method: str,
        predicate: Callable[[CallView], bool] = lambda _: True,
        *,
        after: "CallView | int" = 0,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> CallView:
        """The first call of `method` (after another call) for which the predicate holds."""
        least = after if isinstance(after, int) else after.id
        async with asyncio.timeout(timeout_s):
            while True:
                revision = (await self._get("changes", timeout_s=0))["revision"]
                for call in await self.calls(method, after=least):
                    if predicate(call):
                        return call
                await self._next_change(revision)

    async def calls(self, method: str | None = None, *, after: int = 0) -> list[CallView]:
        """What the bot called, oldest first; getUpdates only where it brought something."""
        query: dict[str, Any] = {"since": after, **({"method": method} if method else {})}
        found = await self._get("calls", **query)
        return [CallView(**row) for row in found["calls"]]

    async def download(self, file_id: str) -> bytes:
        """The bytes of a file that was sent by anybody."""
        async with self._session.get(f"{self.url}/sandbox/files/{file_id}") as response:
            if response.status != 200:
                raise ActionError(f"no file {file_id}")
            return await response.read()

    # Trouble

    async def inject(
        self,
        method: str,
        kind: str = "error",
        *,
        times: int | None = 1,
        error_code: int = 500,
        description: str = "Internal Server Error",
        retry_after_s: int | None = None,
        delay_s: float = 0.0,
        chat: int | None = None,
    ) -> int:
        """Make the next `times` calls of `method` (wildcards allowed; `download` for file contents) go wrong.

        `kind`: `error` (with `error_code`, `description`, `retry_after_s`), `drop` (connection breaks,
        nothing done), `drop_after` (done, then the connection breaks), `hang_after` (done, then silence for
        `delay_s`, or until the end), `slow` (the answer comes `delay_s` later). Returns the fault's id.
        `times=None`: until `clear_faults`.
        """
        say: Json = {
            "method": method,
            "kind": kind,
            "times": times,
            "error_code": error_code,
            "description": description,
        }
        say |= {"retry_after_s": retry_after_s, "delay_s": delay_s, "chat_id": chat}
        return int((await self._do("inject", say))["id"])

    async def inject_flood(self, method: str, retry_after_s: int = 1, *, times: int | None = 1) -> int:
        """429 Too Many Requests, as the server words it."""
        description = f"Too Many Requests: retry after {retry_after_s}"
        return await self.inject(
            method, error_code=429, description=description, retry_after_s=retry_after_s, times=times
        )

    async def clear_faults(self, fault_id: int | None = None) -> None:
        await self._do("remove_faults", {"id": fault_id})

    async def _until(self, predicate: Callable[[Json], bool], timeout_s: float, complaint: str) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    revision = (await self._get("changes", timeout_s=0))["revision"]
                    if predicate(await self._do("pending", {})):
                        return
                    await self._next_change(revision)
        except TimeoutError:
            raise TimeoutError(f"{complaint} within {timeout_s:g} s") from None
