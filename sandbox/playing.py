"""Acting as the users: writing, sending files, pressing buttons, and setting the scene."""

import asyncio
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import FormData

from sandbox.refusals import Json
from sandbox.views import Answer, Button, MessageView
from sandbox.wire import DEFAULT_TIMEOUT_S, POLL_S, Wire, read_result
from sandbox.world import FRIEND_ID, LISTENER_ID

Source = Path | bytes | None


class Playing(Wire):
    """Without `user` the listener acts; without `chat` it is the user's private chat with the bot."""

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
            return [self._view(message) for message in read_result(await response.json())]

    async def _query(self, query: str, timeout_s: float) -> Json:
        async with asyncio.timeout(timeout_s):
            while True:
                found = await self._do("query", {"query": query, "timeout_s": min(timeout_s, POLL_S)})
                if found["answer"] is not None:
                    answer: Json = found["answer"]
                    return answer


def _name(source: Source, otherwise: str) -> str:
    return source.name if isinstance(source, Path) else otherwise
