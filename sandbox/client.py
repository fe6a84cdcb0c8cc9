"""Play the users of the bot: the control client for tests, the demonstration and scripts.

    async with SandboxClient(url) as sandbox:
        await sandbox.wait_for_polling()
        track = await sandbox.send_audio(Path("song.mp3"))
        voice = await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == track.message_id)
        answer = await sandbox.press(voice, "30 s")

Without `user` the listener acts; without `chat` it is the user's private chat with the bot. The team member
writes in the admin chat: `user=TEAM_ID, chat=ADMIN_CHAT_ID`.
"""

import asyncio
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession, ClientTimeout, FormData

from sandbox.refusals import ActionError, Json
from sandbox.views import Answer, Button, CallView, MessageView
from sandbox.world import ADMIN_CHAT_ID, FRIEND_ID, GROUP_CHAT_ID, LISTENER_ID, TEAM_ID

__all__ = [
    "ADMIN_CHAT_ID",
    "FRIEND_ID",
    "GROUP_CHAT_ID",
    "LISTENER_ID",
    "TEAM_ID",
    "ActionError",
    "Answer",
    "Button",
    "CallView",
    "MessageView",
    "SandboxClient",
]

DEFAULT_TIMEOUT_S = 30.0
_POLL_S = 20.0
Source = Path | bytes | None


class SandboxClient:
    """All methods raise `ActionError` when the sandbox cannot do it, TimeoutError when waiting is vain."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = ClientSession(timeout=ClientTimeout(total=120))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    # Writing as a user

    async def send_text(
        self,
        text: str,
        *,
        user: int = LISTENER_ID,
        chat: int | None = None,
        reply_to: "MessageView | int | None" = None,
        forwarded_from: str | None = None,
    ) -> MessageView:
        """Write a text or a command. `forwarded_from`: the shown name of a hidden author."""
        say = {"kind": "text", "text": text, "forwarded_from": forwarded_from}
        return (await self._send(say, (), user, chat, reply_to))[0]

    async def send_file(
        self,
        kind: str,
        source: Source,
        *,
        file_name: str | None = None,
        caption: str | None = None,
        fields: Mapping[str, Any] | None = None,
        size_bytes: int | None = None,
        user: int = LISTENER_ID,
        chat: int | None = None,
        reply_to: "MessageView | int | None" = None,
        forwarded_from: str | None = None,
    ) -> MessageView:
        """Send a file as audio, voice, document, video, video_note, photo, sticker, or auto (by its content).

        `fields` overrides what the client would write into the media object (title, performer, duration,
        mime_type, file_name, file_size); a None removes the field. `size_bytes` makes the server believe in
        that size: with `source=None` a 30 MB file can be played without its bytes.
        """
        say = {
            "kind": kind,
            "caption": caption,
            "file_name": file_name,
            "fields": dict(fields or {}),
            "size_bytes": size_bytes,
            "forwarded_from": forwarded_from,
        }
        files = [(file_name or _name(source, kind), source)] if source is not None else []
        return (await self._send(say, files, user, chat, reply_to))[0]

    async def send_audio(self, source: Source, **options: Any) -> MessageView:
        """As `send_file("audio", ...)`; likewise the next ones."""
        return await self.send_file("audio", source, **options)

    async def send_voice(self, source: Source, **options: Any) -> MessageView:
        return await self.send_file("voice", source, **options)

    async def send_document(self, source: Source, **options: Any) -> MessageView:
        return await self.send_file("document", source, **options)

    async def send_video(self, source: Source, **options: Any) -> MessageView:
        return await self.send_file("video", source, **options)

    async def send_video_note(self, source: Source, **options: Any) -> MessageView:
        return await self.send_file("video_note", source, **options)

    async def send_photo(self, source: Source, **options: Any) -> MessageView:
        return await self.send_file("photo", source, **options)

    async def send_sticker(self, source: Source = None, **options: Any) -> MessageView:
        return await self.send_file("sticker", source, **options)

    async def send_contact(
        self, phone_number: str, first_name: str, *, user: int = LISTENER_ID, chat: int | None = None
    ) -> MessageView:
        contact = {"phone_number": phone_number, "first_name": first_name, "user_id": user}
        return (await self._send({"kind": "contact", "contact": contact}, (), user, chat, None))[0]

    async def send_album(
        self,
        sources: Sequence[Path | bytes],
        *,
        kind: str = "auto",
        caption: str | None = None,
        files: Sequence[Mapping[str, Any]] | None = None,
        user: int = LISTENER_ID,
        chat: int | None = None,
        reply_to: "MessageView | int | None" = None,
    ) -> list[MessageView]:
        """Several files at once: separate messages with one `media_group_id`, the caption on the first.

        `files`: for each source `{"file_name": ..., "fields": {...}}` as in `send_file`.
        """
        say: Json = {"kind": kind, "caption": caption}
        if files is not None:
            say["files"] = [dict(about) for about in files]
        named = [(_name(source, f"file-{n}"), source) for n, source in enumerate(sources)]
        return await self._send(say, named, user, chat, reply_to)

    async def forward(
        self, message: MessageView, *, user: int = LISTENER_ID, chat: int | None = None
    ) -> MessageView:
        """Forward any message the sandbox knows into `chat`."""
        say = {
            "user": user,
            "chat": chat or user,
            "from_chat": message.chat_id,
            "message_id": message.message_id,
        }
        return self._view(await self._do("forward", say))

    async def edit_text(self, message: MessageView, text: str) -> MessageView:
        say = {
            "user": message.from_id,
            "chat": message.chat_id,
            "message_id": message.message_id,
            "text": text,
        }
        return self._view(await self._do("edit_text", say))

    async def press(
        self,
        message: MessageView,
        button: "str | Button | tuple[int, int]",
        *,
        user: int = LISTENER_ID,
        is_late: bool = False,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Answer:
        """Press a button and wait for the bot's answer to the press.

        `button`: its text (or the beginning of it), its callback data, or (row, column). A message from
        before an edit or deletion can be pressed too, as from an old window. `is_late`: the bot's answer is
        refused as too old; nothing is waited for then.
        """
        query = await self.press_only(message, button, user=user, is_late=is_late)
        return Answer(None, False, query) if is_late else await self.answer_to(query, timeout_s=timeout_s)

    async def press_only(
        self,
        message: MessageView,
        button: "str | Button | tuple[int, int]",
        *,
        user: int = LISTENER_ID,
        is_late: bool = False,
    ) -> str:
        """Press without waiting; the id of the query."""
        chosen = message.button(button)
        say = {"user": user, "chat": message.chat_id, "message_id": message.message_id, "is_late": is_late}
        pressed = await self._do("press", {**say, "data": chosen.callback_data})
        return str(pressed["query"])

    async def answer_to(self, query: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Answer:
        """What the bot answered to a press: the notice's text and whether it was an alert."""
        found = await self._query(query, timeout_s)
        return Answer(found.get("text") or None, bool(found.get("show_alert")), query)

    async def inline(
        self,
        text: str = "",
        *,
        user: int = LISTENER_ID,
        offset: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Json:
        """Type `@bot text`; the bot's results: {"query", "results", "button"}."""
        asked = await self._do("inline", {"user": user, "text": text, "offset": offset})
        return {"query": asked["query"], **await self._query(asked["query"], timeout_s)}

    async def choose_inline(
        self, query: str, result_id: str, *, user: int = LISTENER_ID, chat: int | None = None
    ) -> MessageView:
        say = {"user": user, "chat": chat or user, "query": query, "result_id": result_id}
        return self._view(await self._do("choose_inline", say))

    async def react(self, message: MessageView, emoji: str | None, *, user: int = LISTENER_ID) -> None:
        say = {"user": user, "chat": message.chat_id, "message_id": message.message_id, "emoji": emoji}
        await self._do("react", say)

    async def repeat_update(self, message: MessageView) -> None:
        """Deliver a user's message to the bot a second time, as happens when a confirmation was lost."""
        await self._do("repeat_update", {"chat": message.chat_id, "message_id": message.message_id})

    # The scene

    async def add_person(
        self, user: int, first_name: str, language_code: str = "en", username: str = ""
    ) -> int:
        """A new user with a private chat of the same id; returns the id."""
        say = {"id": user, "first_name": first_name, "language_code": language_code, "username": username}
        await self._do("add_person", say)
        return user

    async def set_language(self, language_code: str, *, user: int = LISTENER_ID) -> None:
        """Change the language that the user's Telegram reports."""
        await self._do("set_person", {"user": user, "language_code": language_code})

    async def forbid_voices(self, *, is_forbidden: bool = True, user: int = LISTENER_ID) -> None:
        await self._do("set_person", {"user": user, "forbids_voice": is_forbidden})

    async def block(self, *, is_blocked: bool = True, user: int = LISTENER_ID) -> None:
        """Block or unblock the bot."""
        await self._do("set_person", {"user": user, "blocked": is_blocked})

    async def add_group(
        self,
        chat: int,
        title: str,
        members: Iterable[int] = (LISTENER_ID, FRIEND_ID),
        kind: str = "supergroup",
    ) -> int:
        """A new group without the bot; add it with `set_bot_status`."""
        await self._do("add_chat", {"id": chat, "title": title, "member_ids": list(members), "type": kind})
        return chat

    async def set_bot_status(self, chat: int, status: str, *, user: int = LISTENER_ID) -> None:
        """`member`, `administrator`, `left` or `kicked`."""
        await self._do("set_bot_status", {"user": user, "chat": chat, "status": status})

    async def set_privacy(self, *, is_private: bool) -> None:
        """BotFather's privacy mode: in groups a member then sees commands, mentions and replies only."""
        await self._do("set_privacy", {"is_private": is_private})

    # Reading and waiting

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

    # The wire

    @property
    def _session(self) -> ClientSession:
        if self._http is None:
            raise RuntimeError("use `async with SandboxClient(url)`")
        return self._http

    async def _do(self, deed: str, say: Json) -> Any:
        async with self._session.post(f"{self.url}/sandbox/api/{deed}", json=say) as response:
            return _result(await response.json())

    async def _get(self, what: str, **query: Any) -> Json:
        async with self._session.get(f"{self.url}/sandbox/api/{what}", params=query) as response:
            found: Json = await response.json()
            return found

    async def _send(
        self,
        say: Json,
        files: Sequence[tuple[str, Path | bytes]],
        user: int,
        chat: int | None,
        reply_to: "MessageView | int | None",
    ) -> list[MessageView]:
        reply = reply_to.message_id if isinstance(reply_to, MessageView) else reply_to
        form = FormData(quote_fields=False)
        say = {**say, "user": user, "chat": chat or user, "reply_to": reply}
        form.add_field("say", json.dumps(say), content_type="application/json")
        for name, source in files:
            body = source if isinstance(source, bytes) else await asyncio.to_thread(source.read_bytes)
            form.add_field(
                "file",
                io.BytesIO(body),
                filename=name.replace('"', "'"),
                content_type="application/octet-stream",
            )
        async with self._session.post(f"{self.url}/sandbox/api/send", data=form) as response:
            return [self._view(message) for message in _result(await response.json())]

    @staticmethod
    def _view(message: Json) -> MessageView:
        return MessageView.of(message["chat"]["id"], {"message": message})

    async def _query(self, query: str, timeout_s: float) -> Json:
        async with asyncio.timeout(timeout_s):
            while True:
                found = await self._do("query", {"query": query, "timeout_s": min(timeout_s, _POLL_S)})
                if found["answer"] is not None:
                    answer: Json = found["answer"]
                    return answer

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

    async def _next_change(self, revision: int) -> None:
        await self._get("changes", since=revision, timeout_s=_POLL_S)


def _result(answer: Json) -> Any:
    if "error" in answer:
        raise ActionError(answer["error"])
    return answer["result"]


def _name(source: Source, otherwise: str) -> str:
    return source.name if isinstance(source, Path) else otherwise
