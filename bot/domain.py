"""The bot's own nouns: no aiogram, no ORM. Rows of `bot.db` leave it as these.

A job's life:

    QUEUED -> RUNNING -> SENDING -> DONE | FAILED
       \\-> CANCELLED <-/

SENDING is written, with what is about to be sent, before the request leaves; the last two after Telegram's
answer is stored. What a restart does with each state is told in `bot.services.delivery`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    """What a job makes. A new kind needs a member here and a `Recipe`, no migration."""

    HIGHLIGHT = "highlight"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (JobState.QUEUED, JobState.RUNNING, JobState.SENDING)


class Lane(StrEnum):
    """LIGHT jobs need no audio work (a cached answer) and never wait behind HEAVY ones."""

    HEAVY = "heavy"
    LIGHT = "light"


class Stage(StrEnum):
    """What the user sees while a job runs; each has a sentence `stage-...` in the locales."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    LISTENING = "listening"
    CUTTING = "cutting"
    SENDING = "sending"


class AnswerKind(StrEnum):
    """How a listener wants highlights."""

    VOICE = "voice"
    AUDIO = "audio"


class Refusal(StrEnum):
    """Why a request is not accepted although nothing is wrong with the file. Stable; a sentence each in
    texts.
    """

    QUEUE_FULL = "queue_full"
    USER_QUEUE_FULL = "user_queue_full"
    FILE_TOO_BIG = "file_too_big"  # over what Telegram lets a bot download
    TRACK_TOO_LONG = "track_too_long"  # by the duration that Telegram states


class RequestRefused(Exception):
    """`args_` go into the sentence, for example the limit that was hit."""

    def __init__(self, code: Refusal, args_: dict[str, Any] | None = None) -> None:
        super().__init__(code, args_)
        self.code = code
        self.args_ = args_ or {}


@dataclass(frozen=True, slots=True)
class Listener:
    """A user as the handlers see them. `locale` is what to speak: their choice, else their Telegram
    language.
    """

    id: int
    locale: str
    length_s: float
    answer_kind: AnswerKind


@dataclass(frozen=True, slots=True)
class Track:
    """A file on Telegram. `id` is its file_unique_id (recognises, cannot download); the other way round
    `file_id`.
    """

    id: str
    file_id: str
    size_bytes: int | None = None
    duration_s: float | None = None
    title: str | None = None
    performer: str | None = None
    file_name: str | None = None
    mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class HighlightOptions:
    """What makes two highlights of one track differ. `start_s` None: the best moment."""

    length_s: float
    answer_kind: AnswerKind = AnswerKind.VOICE
    start_s: float | None = None

    @property
    def key(self) -> str:
        """Short and stable: part of the cache key and of a job's identity."""
        start = "" if self.start_s is None else f"@{self.start_s:.2f}"
        return f"{self.answer_kind}:{self.length_s:g}{start}"

    @classmethod
    def from_key(cls, key: str) -> "HighlightOptions":
        kind, _, span = key.partition(":")
        length, _, start = span.partition("@")
        return cls(float(length), AnswerKind(kind), float(start) if start else None)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One thing a user asked for. Unique on (chat_id, message_id, kind, options): asking twice is one job.

    `message_id` is the message to answer; `batch` the media_group_id of an album; `payload` is JSON, the
    recipe's own.
    """

    kind: JobKind
    user_id: int
    chat_id: int
    message_id: int
    options: str
    track: Track | None = None
    batch: str | None = None
    payload: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What a SENDING job was about to send: enough to recognise it in the chat after a crash.

    `floor`: the highest message id known before the send; the answer's id is above it. `text` is the caption
    or text, `markup` the keyboard as JSON. `final` is the state that the job takes once the answer has
    arrived.
    """

    method: str
    text: str
    floor: int
    final: JobState
    markup: dict[str, Any] | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    kind: JobKind
    state: JobState
    lane: Lane
    user_id: int
    chat_id: int
    message_id: int
    options: str
    track_id: str | None
    batch: str | None
    payload: dict[str, Any]
    attempts: int
    created_at: datetime
    intent: Intent | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """`is_new` is False when the same request was made before. `place`: 1 = next in the queue."""

    job: Job
    is_new: bool
    place: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What Telegram confirmed. `file_id` is None where only the message's existence could be established."""

    chat_id: int
    message_id: int
    method: str
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is kept of a track after its audio is gone. `document` is TrackAnalysis.to_dict()."""

    id: int
    track_id: str
    model_version: str
    duration_s: float
    tempo_bpm: float | None
    key: str | None
    confidence: float
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Highlight:
    """A window that was cut. `file_id` re-sends it for free; None until Telegram confirmed the first send."""

    id: int
    analysis_id: int
    options: str
    start_s: float
    end_s: float
    score: float
    file_id: str | None
