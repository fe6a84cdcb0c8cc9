"""The bot's own nouns: no aiogram, no ORM. Rows of `bot.db` leave it as these.

A job's life:

    QUEUED -> RUNNING -> SENDING -> DONE | FAILED
       \\-> CANCELLED <-/

SENDING is written, with what is about to be sent, before the request leaves; the last two after Telegram's
answer is stored. What a restart does with each state is told in `bot.services.delivery`.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    """What a job makes. A new kind needs a member here and a `Recipe`, no migration."""

    HIGHLIGHT = "highlight"
    RECUT = "recut"  # another window of a track that was answered before; its keyboard asked for it
    CURVE = "curve"  # a picture of the interest curve
    LETTER = "letter"  # a message from a user to the team or back
    NOTICE = "notice"  # tells a letter's writer what became of it
    BROADCAST = "broadcast"  # one recipient's copy
    STATS = "stats"  # the team's picture of the last 30 days
    MIX_PLAN = "mix_plan"  # order and length of a mix, into its menu
    MIX_PREVIEW = "mix_preview"  # one transition
    MIX = "mix"
    TRACKLIST = "tracklist"  # of a mix whose caption is too short for it


# Nobody waits for these in their chat: they take no place in a user's queue, /cancel leaves them alone, and
# what goes wrong with them is not apologised for there.
BACKGROUND = (JobKind.LETTER, JobKind.NOTICE, JobKind.BROADCAST)


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
    DRAWING = "drawing"
    MIXING = "mixing"
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
    TOO_MANY_LETTERS = "too_many_letters"
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
        """Short and stable: part of the cache key and of a job's identity, where `#...` may follow to tell
        apart jobs with equal options.
        """
        start = "" if self.start_s is None else f"@{self.start_s:.2f}"
        return f"{self.answer_kind}:{self.length_s:g}{start}"

    @classmethod
    def from_key(cls, key: str) -> "HighlightOptions":
        kind, _, span = key.partition("#")[0].partition(":")
        length, _, start = span.partition("@")
        return cls(float(length), AnswerKind(kind), float(start) if start else None)


@dataclass(frozen=True, slots=True)
class RecutOrder:
    """A job's payload for another window of an answered track. `reply_to`: the message to answer, where it is
    not the job's own; `replaces`: the answer whose place the new one takes; `revision`: of the new one;
    `is_export`: a file to keep, without buttons; `is_correction`: the listener moved the window.
    """

    reply_to: int | None = None
    replaces: int | None = None
    revision: int = 0
    is_export: bool = False
    is_correction: bool = False

    def to_payload(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "RecutOrder":
        return cls(**{key: value for key, value in payload.items() if key in cls.__slots__})


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
    finished_at: datetime | None = None
    intent: Intent | None = None
    error_code: str | None = None
    owner: str | None = None  # the front end that claimed it


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
class Choices:
    """Where the buttons under a window lead, worked out while it was cut: pressing one needs no audio work.

    `starts`: `earlier`, `later`, `next` and the lengths in seconds (`15`, `30`, `60`) -> the start of that
    window, None for the best one of its length; a name that is missing leads nowhere. `best`: the span of
    the model's own choice at this length. `rank`: which of the track's `n_moments` moments this is, 0 for a
    window that was moved by hand.
    """

    starts: dict[str, float | None]
    best: tuple[float, float]
    rank: int
    n_moments: int


@dataclass(frozen=True, slots=True)
class Highlight:
    """A window that was cut. `file_id` re-sends it for free, as `curve_file_id` does its picture; None until
    Telegram confirmed the first send.
    """

    id: int
    analysis_id: int
    options: str
    start_s: float
    end_s: float
    score: float
    file_id: str | None
    choices: Choices
    curve_file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of ours that holds a highlight, and all that its buttons need to know.

    `source_message_id`: the listener's message that it answers. `revision` counts changes made in place, so
    that a press on an older state is recognised.
    """

    user_id: int
    chat_id: int
    message_id: int
    source_message_id: int
    revision: int
    track: Track
    highlight: Highlight
    model_version: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a listener said of a window: `rating` 1, -1 or None; `is_in_mix`: its track waits in their mix."""

    rating: int | None = None
    is_in_mix: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a user is in the middle of; `state` is the topic's own."""

    topic: str
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message between a user and the team. `user_id`: the user, whoever wrote; `content`: the Telegram
    message as JSON.
    """

    id: int
    thread_id: int
    user_id: int
    is_from_team: bool
    content: dict[str, Any]
    source_chat_id: int
    source_message_id: int
    ack_message_id: int | None
    is_delivered: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """One matter that a user wrote about; `content`: its first letter's."""

    id: int
    user_id: int
    user_name: str
    contact: str | None
    created_at: datetime
    content: dict[str, Any]


class BroadcastState(StrEnum):
    DRAFT = "draft"
    SENDING = "sending"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A message of the team to everybody. `cursor`: users up to this id have their job; `locale`: its
    sender's.
    """

    id: int
    content: dict[str, Any]
    state: BroadcastState
    locale: str
    chat_id: int
    source_message_id: int
    status_message_id: int | None
    cursor: int


@dataclass(frozen=True, slots=True)
class BroadcastProgress:
    sent: int
    blocked: int
    failed: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The last 30 days. `thumbs`: per model version the ups, the downs and the windows moved by hand."""

    users: int
    users_week: int
    days: tuple[date, ...]
    answered: tuple[int, ...]
    failed: tuple[int, ...]
    median_s: float | None
    p95_s: float | None
    failures: tuple[tuple[str, int], ...]
    thumbs: tuple[tuple[str, int, int, int], ...]


class MixState(StrEnum):
    CHOOSING = "choosing"
    PLANNED = "planned"
    MAKING = "making"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class MixTrack:
    """A track on offer for a mix; `span`: the window that the listener chose for it."""

    track_id: str
    span: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class MixSettings:
    """`order`: tempo, smooth, sent; `crossfade`: beats, plain, off: the mixer's own names."""

    order: str = "tempo"
    crossfade: str = "beats"
    length_s: float = 30.0


@dataclass(frozen=True, slots=True)
class MixDraft:
    """A mix in the making. `chosen`: indices into `candidates`, in the order they were sent; `revision`
    counts changes, so that what was worked out for an older state is recognised; `plan` is the mixer's.
    """

    id: int
    user_id: int
    chat_id: int
    menu_message_id: int | None
    state: MixState
    candidates: tuple[MixTrack, ...]
    chosen: tuple[int, ...]
    settings: MixSettings
    page: int
    revision: int
    plan: dict[str, Any] | None
