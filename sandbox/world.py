"""People, chats and messages: what the sandbox remembers.

Messages are kept as the Bot API's own JSON, so that what a test reads is what the bot was told. As on the
real server, all private chats and basic groups of the bot number their messages in one sequence, and a
supergroup has its own: a `message_id` says nothing without its chat.
"""

import asyncio
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.feed import Feed
from sandbox.files import FileStore
from sandbox.refusals import ActionError, Json, bad_request, forbidden

LISTENER_ID = 1001
FRIEND_ID = 1002
TEAM_ID = 2001
ADMIN_CHAT_ID = -1_000_000_002_001
GROUP_CHAT_ID = -3001
BOT_USERNAME = "audio_highlight_sandbox_bot"


@dataclass(slots=True)
class Person:
    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "en"
    has_blocked_bot: bool = False
    forbids_voice: bool = False

    def to_json(self) -> Json:
        """The Bot API's User."""
        user = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        optional = {
            "last_name": self.last_name,
            "username": self.username,
            "language_code": self.language_code,
        }
        return {**user, **{key: value for key, value in optional.items() if value}}


@dataclass(slots=True)
class StoredMessage:
    """`versions`: what it was before each edit, oldest first."""

    message: Json
    versions: list[Json] = field(default_factory=list)
    is_deleted: bool = False
    reactions: Json = field(default_factory=dict)  # user or bot id as text -> list of reactions

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(slots=True)
class Chat:
    """`bot_status`: the bot's ChatMember status; in a private chat `kicked` means blocked."""

    id: int
    type: str
    title: str = ""
    member_ids: list[int] = field(default_factory=list)
    bot_status: str = "member"
    messages: dict[int, StoredMessage] = field(default_factory=dict)
    last_message_id: int = 0


@dataclass(slots=True)
class BotProfile:
    """What the bot registered about itself. `commands`: (scope, language) -> list of commands."""

    id: int
    name: str = "Audio Highlight"
    username: str = BOT_USERNAME
    reads_all_group_messages: bool = True
    commands: dict[str, list[Json]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> Json:
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}


class World:
    """The state of one sandbox. All changes go through here and are told to the feed."""

    def __init__(self, directory: Path, bot_id: int, *, is_local: bool = False) -> None:
        self.directory = directory
        self.feed = Feed()
        self.files = FileStore(directory / "files", bot_id, is_local=is_local)
        self.bot = BotProfile(bot_id)
        self.people: dict[int, Person] = {}
        self.chats: dict[int, Chat] = {}
        self.last_serial = 0
        self._song_lock = asyncio.Lock()
        for person in (
            Person(LISTENER_ID, "Ada", "Listener", "ada_listens", "en"),
            Person(FRIEND_ID, "Борис", "Друг", "boris_slushaet", "ru"),
            Person(TEAM_ID, "Team", "Member", "team_member", "en"),
        ):
            self.add_person(person)
        self.chats[ADMIN_CHAT_ID] = Chat(
            ADMIN_CHAT_ID, "supergroup", "Highlight team", [TEAM_ID], "administrator"
        )
        self.chats[GROUP_CHAT_ID] = Chat(GROUP_CHAT_ID, "group", "Friends", [LISTENER_ID, FRIEND_ID])

    def add_person(self, person: Person) -> None:
        """A person and their private chat with the bot."""
        self.people[person.id] = person
        self.chats.setdefault(person.id, Chat(person.id, "private", "", [person.id]))
        self.feed.publish("people", {"user": person.id})

    def serial(self) -> int:
        """A number that was not given before: for queries, albums and the like."""
        self.last_serial += 1
        return self.last_serial

    # Looking things up

    async def sample_song(self) -> Path:
        """The project's own song as MP3; made once."""
        async with self._song_lock:
            path = self.directory / "sample-song.mp3"
            if not path.exists():
                await asyncio.to_thread(_write_song, path)
            return path

    def person(self, user_id: int) -> Person:
        if user_id not in self.people:
            raise ActionError(f"no user {user_id} in the sandbox")
        return self.people[user_id]

    def chat(self, chat_id: int | str) -> Chat:
        """The chat a bot names, by id or @username; refused like the server does."""
        number = int(chat_id) if str(chat_id).lstrip("-").isdigit() else None
        if number is None:
            name = str(chat_id).removeprefix("@").lower()
            number = next((p.id for p in self.people.values() if p.username.lower() == name), None)
        if number is None or number not in self.chats:
            raise bad_request("chat not found")
        return self.chats[number]

    def reachable_chat(self, chat_id: int | str) -> Chat:
        """The chat when the bot may write to it."""
        chat = self.chat(chat_id)
        if chat.type == "private":
            if self.people[chat.id].has_blocked_bot:
                raise forbidden("bot was blocked by the user")
            if not chat.messages:
                raise forbidden("bot can't initiate conversation with a user")
        elif chat.bot_status == "kicked":
            raise forbidden(f"bot was kicked from the {chat.type} chat")
        elif chat.bot_status == "left":
            raise forbidden(f"bot is not a member of the {chat.type} chat")
        return chat

    def message(self, chat: Chat, message_id: int | None, what: str) -> StoredMessage:
        """A message that is still there, or `message <what> not found`."""
        stored = chat.messages.get(message_id or 0)
        if stored is None or stored.is_deleted:
            raise bad_request(f"message {what} not found")
        return stored

    def describe_chat(self, chat: Chat) -> Json:
        """The Bot API's Chat."""
        if chat.type == "private":
            person = self.people[chat.id]
            names = {"first_name": person.first_name, "last_name": person.last_name}
            names["username"] = person.username
            return {"id": chat.id, "type": "private", **{k: v for k, v in names.items() if v}}
        return {"id": chat.id, "type": chat.type, "title": chat.title}

    # Changing things

    def post(self, chat: Chat, sender: Json, content: Json, reply_to: int | None = None) -> Json:
        """Add a message to a chat and return it."""
        number = 1 + max(mate.last_message_id for mate in self._numbered_with(chat))
        chat.last_message_id = number
        message: Json = {
            "message_id": number,
            "from": sender,
            "chat": self.describe_chat(chat),
            "date": int(time.time()),
        }
        if reply_to is not None and (original := chat.messages.get(reply_to)):
            quoted = deepcopy(original.message)
            quoted.pop("reply_to_message", None)
            message["reply_to_message"] = quoted
        message |= content
        chat.messages[number] = StoredMessage(message)
        self._tell(chat, number)
        return message

    def _numbered_with(self, chat: Chat) -> list[Chat]:
        """The chats that share one sequence of message ids with this one."""
        if chat.type not in {"private", "group"}:
            return [chat]
        return [mate for mate in self.chats.values() if mate.type in {"private", "group"}]

    def edit(self, chat: Chat, message_id: int, message: Json) -> Json:
        stored = chat.messages[message_id]
        stored.versions.append(stored.message)
        stored.message = {**message, "edit_date": int(time.time())}
        self._tell(chat, message_id)
        return stored.message

    def delete(self, chat: Chat, message_id: int) -> None:
        chat.messages[message_id].is_deleted = True
        self._tell(chat, message_id)

    def react(self, chat: Chat, message_id: int, actor_id: int, reaction: list[Json]) -> list[Json]:
        """Set somebody's reaction; returns the old one."""
        reactions = chat.messages[message_id].reactions
        old: list[Json] = reactions.pop(str(actor_id), [])
        if reaction:
            reactions[str(actor_id)] = reaction
        self._tell(chat, message_id)
        return old

    def _tell(self, chat: Chat, message_id: int) -> None:
        self.feed.publish("message", {"chat": chat.id, **chat.messages[message_id].to_json()})

    # Keeping

    def to_json(self) -> Json:
        return {
            "bot": asdict(self.bot),
            "people": [asdict(person) for person in self.people.values()],
            "chats": [asdict(chat) for chat in self.chats.values()],
            "files": self.files.to_json(),
            "last_serial": self.last_serial,
        }

    def restore(self, saved: Json) -> None:
        self.bot = BotProfile(**saved["bot"])
        self.people = {row["id"]: Person(**row) for row in saved["people"]}
        self.chats = {}
        for row in saved["chats"]:
            messages = {int(key): StoredMessage(**value) for key, value in row["messages"].items()}
            self.chats[row["id"]] = Chat(**{**row, "messages": messages})
        self.files.restore(saved["files"])
        self.last_serial = saved["last_serial"]


def _write_song(path: Path) -> None:
    from sandbox.song import write_song  # its numerics are heavy to import

    fresh = path.with_name("sample-song.new.mp3")
    write_song(fresh)
    fresh.replace(path)
