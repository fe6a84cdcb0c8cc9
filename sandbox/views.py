"""What a user sees, as values for tests: messages, buttons, answers; and the bot's calls."""

from dataclasses import dataclass, field
from typing import Any, Self

from sandbox.refusals import ActionError, Json

KINDS = (
    "voice",
    "audio",
    "photo",
    "document",
    "video",
    "video_note",
    "animation",
    "sticker",
    "contact",
    "text",
)


@dataclass(frozen=True, slots=True)
class Button:
    """An inline button at (row, column), both from 0."""

    text: str
    row: int
    column: int
    callback_data: str | None = None
    raw: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The bot's answer to a press: a notice, an alert or nothing but the end of the spinner."""

    text: str | None
    is_alert: bool
    query: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as it stands. `raw`: the Bot API's JSON; `versions`: before each edit, oldest first."""

    chat_id: int
    raw: Json
    versions: tuple[Json, ...] = ()
    is_deleted: bool = False
    reactions: tuple[str, ...] = ()

    @classmethod
    def of(cls, chat_id: int, stored: Json) -> Self:
        reactions = [one.get("emoji", "") for given in stored.get("reactions", {}).values() for one in given]
        versions = tuple(stored.get("versions", ()))
        return cls(chat_id, stored["message"], versions, stored.get("is_deleted", False), tuple(reactions))

    @property
    def message_id(self) -> int:
        return int(self.raw["message_id"])

    @property
    def from_id(self) -> int:
        return int(self.raw["from"]["id"])

    @property
    def is_from_bot(self) -> bool:
        return bool(self.raw["from"]["is_bot"])

    @property
    def kind(self) -> str:
        """voice, audio, photo, document, video, ..., text."""
        return next((kind for kind in KINDS if kind in self.raw), "service")

    @property
    def text(self) -> str:
        """The text or the caption, plain."""
        return str(self.raw.get("text") or self.raw.get("caption") or "")

    @property
    def entities(self) -> list[Json]:
        found: list[Json] = self.raw.get("entities") or self.raw.get("caption_entities") or []
        return found

    @property
    def media(self) -> Json:
        """The media object; the largest size of a photo. {} for a text."""
        media = self.raw.get(self.kind)
        if isinstance(media, list):
            media = media[-1]
        return media if isinstance(media, dict) else {}

    @property
    def file_id(self) -> str:
        return str(self.media["file_id"])

    @property
    def reply_to(self) -> int | None:
        """The id of the message this one answers."""
        return self.raw["reply_to_message"]["message_id"] if "reply_to_message" in self.raw else None

    @property
    def buttons(self) -> list[Button]:
        rows = self.raw.get("reply_markup", {}).get("inline_keyboard", [])
        return [
            Button(button["text"], row, column, button.get("callback_data"), button)
            for row, buttons in enumerate(rows)
            for column, button in enumerate(buttons)
        ]

    def button(self, which: "str | Button | tuple[int, int]") -> Button:
        """A button by its text, the beginning of its text, its callback data or its place."""
        if isinstance(which, Button):
            return which
        if isinstance(which, tuple):
            found = [button for button in self.buttons if (button.row, button.column) == which]
        else:
            found = [button for button in self.buttons if which in {button.text, button.callback_data}]
            found = found or [button for button in self.buttons if button.text.startswith(which)]
        if not found:
            raise ActionError(f"no button {which!r}; there are {[button.text for button in self.buttons]}")
        return found[0]

    def __repr__(self) -> str:
        sender = "bot" if self.is_from_bot else self.raw["from"]["first_name"]
        gone = ", deleted" if self.is_deleted else ""
        buttons = f" {[button.text for button in self.buttons]}" if self.buttons else ""
        return f"<{self.message_id} {sender}: {self.kind}{gone} {self.text[:160]!r}{buttons}>"


@dataclass(frozen=True, slots=True)
class CallView:
    """One call of the bot with its answer; `fault` names the injected trouble it met."""

    id: int
    method: str
    params: Json
    started_at: float
    answer: Json
    status: int
    elapsed_ms: float
    fault: str | None = None

    @property
    def is_ok(self) -> bool:
        return bool(self.answer.get("ok"))

    @property
    def result(self) -> Any:
        return self.answer.get("result")
