"""The control API: play the users, read the chats, cause trouble. `sandbox.client` documents and calls it.

Everything lives under `/sandbox/api`. Deeds are POSTed as JSON to `/sandbox/api/<deed>`; `send` also takes
a form with the JSON in the field `say` and files beside it.
"""

import asyncio
import itertools
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from sandbox import actions
from sandbox.faults import Fault
from sandbox.methods import Desk
from sandbox.methods.profile import commands_for, text_for
from sandbox.refusals import ActionError, Json, Refusal
from sandbox.world import Chat, Person

LONG_POLL_S = 25.0
ALBUM_LIMIT = 10
Deed = Callable[[Json], Awaitable[Any]]


class Control:
    """Routes of the control API over one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.deeds: dict[str, Deed] = {
            name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/api/state", self.on_state),
            web.get("/sandbox/api/messages", self.on_messages),
            web.get("/sandbox/api/changes", self.on_changes),
            web.get("/sandbox/api/calls", self.on_calls),
            web.get("/sandbox/files/{file_id}", self.on_file),
            web.post("/sandbox/api/send", self.on_send),
            web.post("/sandbox/api/{deed}", self.on_deed),
        ]

    # Reading

    async def on_state(self, request: web.Request) -> web.Response:
        """Everything a page needs to draw itself, as seen by `user`."""
        world = self.desk.world
        people = [
            {**p.to_json(), "blocked": p.has_blocked_bot, "no_voice": p.forbids_voice}
            for p in world.people.values()
        ]
        return web.json_response(
            {
                "revision": world.feed.revision,
                "bot": world.bot.to_json(),
                "people": people,
                "chats": [self._describe(chat) for chat in world.chats.values()],
                "faults": [fault.to_json() for fault in self.desk.faults.active],
                "polling": self.desk.updates.n_polls > 0 or self.desk.updates.webhook is not None,
            }
        )

    def _describe(self, chat: Chat) -> Json:
        world = self.desk.world
        languages = {"ru", "en"}
        return {
            **world.describe_chat(chat),
            "member_ids": chat.member_ids,
            "bot_status": chat.bot_status,
            "messages": [stored.to_json() for stored in chat.messages.values()],
            "keyboard": self.desk.keyboards.get(chat.id),
            "draft": self.desk.drafts.get(chat.id),
            "commands": {code: commands_for(self.desk, chat, code) for code in languages},
            "description": {code: text_for(self.desk, "description", code) for code in languages},
        }

    async def on_messages(self, request: web.Request) -> web.Response:
        chat = self._chat(int(request.query["chat"]))
        return web.json_response(
            {
                "revision": self.desk.world.feed.revision,
                "messages": [stored.to_json() for stored in chat.messages.values()],
            }
        )

    async def on_changes(self, request: web.Request) -> web.Response:
        """Events after `since`, waited for up to `timeout_s`; null: too long ago, read the state."""
        feed = self.desk.world.feed
        since = int(request.query.get("since", feed.revision))
        timeout_s = min(float(request.query.get("timeout_s", LONG_POLL_S)), LONG_POLL_S)
        if since == feed.revision:
            await feed.wait(since, timeout_s)
        events = feed.since(since)
        shown = None if events is None else [event.to_json() for event in events]
        return web.json_response({"revision": feed.revision, "events": shown})

    async def on_calls(self, request: web.Request) -> web.Response:
        method = request.query.get("method")
        since = int(request.query.get("since", 0))
        calls = [c for c in self.desk.calls.calls if c.id > since and method in {None, c.method}]
        limit = int(request.query.get("limit", 0))
        return web.json_response({"calls": [call.to_json() for call in calls[-limit:]]})

    async def on_file(self, request: web.Request) -> web.StreamResponse:
        """A file's content, for players and tests. Ranges work, so that one can seek."""
        try:
            stored = self.desk.world.files.get(request.match_info["file_id"])
            path = self.desk.world.files.open_path(stored.file_id)
        except Refusal as refusal:
            return web.json_response(refusal.to_json(), status=404)
        default = {"photo": "image/jpeg", "voice": "audio/ogg"}.get(stored.kind, "application/octet-stream")
        headers = {"Content-Type": stored.media.get("mime_type") or default, "Cache-Control": "max-age=3600"}
        # What users upload is shown inside the page's origin: never as a document of its own.
        headers["Content-Security-Policy"] = "sandbox"
        headers["X-Content-Type-Options"] = "nosniff"
        return web.FileResponse(path, headers=headers)

    # Doing

    async def on_deed(self, request: web.Request) -> web.Response:
        deed = self.deeds.get(request.match_info["deed"])
        if deed is None:
            return web.json_response({"error": f"unknown deed {request.match_info['deed']}"}, status=404)
        return await self._answer(deed(await request.json()))

    async def _answer(self, work: Awaitable[Any]) -> web.Response:
        try:
            return web.json_response({"result": await work})
        except (ActionError, Refusal, KeyError, TypeError, ValueError) as exc:
            reason = exc.description if isinstance(exc, Refusal) else f"{exc}"
            return web.json_response({"error": reason or type(exc).__name__}, status=400)

    async def on_send(self, request: web.Request) -> web.Response:
        with tempfile.TemporaryDirectory(prefix="sandbox-send-") as folder:
            say: Json = {}
            files: list[tuple[str, Path]] = []
            if request.content_type == "multipart/form-data":
                async for part in await request.multipart():
                    if not isinstance(part, BodyPartReader):
                        continue
                    if part.filename is None:
                        say = json.loads(await part.read())
                        continue
                    path = Path(folder) / f"file-{len(files)}"
                    with path.open("wb") as target:
                        while chunk := await part.read_chunk(256 * 1024):
                            target.write(chunk)
                    files.append((part.filename, path))
            else:
                say = await request.json()
            return await self._answer(self._send(say, files))

    async def _send(self, say: Json, files: list[tuple[str, Path]]) -> list[Json]:
        """Post one message, or one a file; files that fit together share a `media_group_id`."""
        chat, person = self._scene(say)
        contents = self._group(await self._contents(say, files))
        origin = actions.forward_origin(None, say.get("forwarded_from"))
        reply_to = say.get("reply_to")
        return [actions.say(self.desk, chat, person, {**c, **origin}, reply_to) for c in contents]

    def _group(self, contents: list[Json]) -> list[Json]:
        """Albums as a client makes them: neighbours of one sort, at most ten."""
        grouped: list[Json] = []
        for sort_name, neighbours in itertools.groupby(contents, _album_sort):
            sort = list(neighbours)
            for first in range(0, len(sort), ALBUM_LIMIT):
                album = sort[first : first + ALBUM_LIMIT]
                mark = (
                    {"media_group_id": str(12_000_000_000 + self.desk.world.serial())}
                    if len(album) > 1 and sort_name != "alone"
                    else {}
                )
                grouped += [content | mark for content in album]
        return grouped

    async def _contents(self, say: Json, files: list[tuple[str, Path]]) -> list[Json]:
        kind = say.get("kind", "auto" if files else "text")
        if kind == "text":
            return [actions.text_content(say["text"])]
        if kind == "contact":
            return [{"contact": say["contact"]}]
        caption = actions.caption_content(say.get("caption"))
        sources: list[tuple[str, Path | None]] = [*files] or [(say.get("file_name") or "file", None)]
        per_file: list[Json] = say.get("files") or [{}] * len(sources)
        contents = [
            await actions.file_content(
                self.desk,
                kind,
                path,
                about.get("file_name") or say.get("file_name") or name,
                overrides={**say.get("fields", {}), **about.get("fields", {})},
                size_bytes=say.get("size_bytes"),
            )
            for (name, path), about in zip(sources, per_file, strict=True)
        ]
        contents[0] |= caption
        return contents

    async def do_sample(self, say: Json) -> list[Json]:
        """Send the song that the project synthesises itself."""
        path = await self.desk.world.sample_song()
        return await self._send({**say, "kind": "audio"}, [(path.name, path)])

    async def do_forward(self, say: Json) -> Json:
        chat, person = self._scene(say)
        source = self._chat(say["from_chat"]).messages[say["message_id"]].message
        kept = {k: v for k, v in source.items() if k not in _NOT_FORWARDED}
        return actions.say(self.desk, chat, person, kept | actions.forward_origin(source, None))

    async def do_edit_text(self, say: Json) -> Json:
        chat, person = self._scene(say)
        return actions.edit_text(self.desk, chat, person, say["message_id"], say["text"])

    async def do_press(self, say: Json) -> Json:
        chat, person = self._scene(say)
        is_late = bool(say.get("is_late"))
        return {
            "query": actions.press(self.desk, chat, person, say["message_id"], say["data"], is_late=is_late)
        }

    async def do_inline(self, say: Json) -> Json:
        person = self.desk.world.person(say["user"])
        return {"query": actions.ask_inline(self.desk, person, say["text"], say.get("offset", ""))}

    async def do_choose_inline(self, say: Json) -> Json:
        chat, person = self._scene(say)
        return actions.choose_inline(self.desk, chat, person, say["query"], say["result_id"])

    async def do_query(self, say: Json) -> Json:
        """The bot's answer to a callback or inline query; waits for it up to `timeout_s`."""
        query = self.desk.queries[say["query"]]
        feed = self.desk.world.feed
        deadline = asyncio.get_running_loop().time() + min(say.get("timeout_s", 0.0), LONG_POLL_S)
        while query.answer is None and (left_s := deadline - asyncio.get_running_loop().time()) > 0:
            if not await feed.wait(feed.revision, left_s):
                break
        return {"answer": query.answer}

    async def do_react(self, say: Json) -> None:
        chat, person = self._scene(say)
        actions.react(self.desk, chat, person, say["message_id"], say.get("emoji"))

    async def do_add_person(self, say: Json) -> Json:
        person = Person(**say)
        self.desk.world.add_person(person)
        return person.to_json()

    async def do_set_person(self, say: Json) -> Json:
        """Change a person: `language_code`, `forbids_voice`, `blocked`."""
        person = self.desk.world.person(say["user"])
        if "language_code" in say:
            person.language_code = say["language_code"]
        if "forbids_voice" in say:
            person.forbids_voice = bool(say["forbids_voice"])
        if "blocked" in say:
            actions.set_blocked(self.desk, person, is_blocked=bool(say["blocked"]))
        self.desk.world.feed.publish("people", {"user": person.id})
        return person.to_json()

    async def do_add_chat(self, say: Json) -> Json:
        chat = Chat(say["id"], say.get("type", "supergroup"), say["title"], say["member_ids"], "left")
        self.desk.world.chats[chat.id] = chat
        self.desk.world.feed.publish("chat", {"chat": chat.id})
        return self.desk.world.describe_chat(chat)

    async def do_set_bot_status(self, say: Json) -> None:
        chat, person = self._scene(say)
        actions.set_bot_status(self.desk, chat, person, say["status"])

    async def do_set_privacy(self, say: Json) -> None:
        self.desk.world.bot.reads_all_group_messages = not say["is_private"]

    async def do_inject(self, say: Json) -> Json:
        return self.desk.faults.add(Fault(**say)).to_json()

    async def do_remove_faults(self, say: Json) -> None:
        self.desk.faults.remove(say.get("id"))

    async def do_repeat_update(self, say: Json) -> int:
        """Send a user's message to the bot once more, as Telegram does when a confirmation was lost."""
        chat = self._chat(say["chat"])
        return self.desk.updates.add("message", chat.messages[say["message_id"]].message)

    async def do_pending(self, say: Json) -> Json:
        """How many updates the bot has not confirmed, and how often it polled."""
        updates = self.desk.updates
        return {
            "pending": len(updates.waiting),
            "polls": updates.n_polls,
            "has_webhook": updates.webhook is not None,
            "last_update_id": updates.last_id,
        }

    def _chat(self, chat_id: int) -> Chat:
        return self.desk.world.chat(chat_id)

    def _scene(self, say: Json) -> tuple[Chat, Person]:
        person = self.desk.world.person(say["user"])
        return self._chat(say.get("chat") or person.id), person


def _album_sort(content: Json) -> str:
    if "photo" in content or "video" in content:
        return "picture"
    return next((kind for kind in ("audio", "document") if kind in content), "alone")


_NOT_FORWARDED = {
    "message_id",
    "from",
    "chat",
    "date",
    "edit_date",
    "reply_to_message",
    "reply_markup",
    "media_group_id",
    "forward_origin",
}
