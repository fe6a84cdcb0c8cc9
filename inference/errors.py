"""What can go wrong while a track becomes a highlight.

    HighlightError
    ├── InputRejected         the user can act: the code says how, the bot's texts say it in words
    │   └── MixTrackRejected  the same, for one track of a mix
    ├── ModelContractError    the weights and the code disagree: a person of the team must look
    └── EngineError           the worker could not do its work
        ├── WorkerTimeout     a stage ran past its time limit; the worker was ended
        └── WorkerLost        the worker died (crash, memory limit, kill)

Errors cross from a worker process by pickle, so every argument is positional and goes to `super().__init__`.
"""

from enum import StrEnum


class Rejection(StrEnum):
    """Why an input was refused. Stable: stored, counted, and mapped to a sentence in each language."""

    NOT_AUDIO = "not_audio"  # nothing a decoder recognises
    NO_AUDIO_STREAM = "no_audio_stream"  # a video or picture without sound
    DAMAGED = "damaged"  # recognised, yet (almost) nothing decodes
    EMPTY = "empty"  # a valid file with no samples
    TOO_SHORT = "too_short"  # under the shortest highlight
    TOO_LONG = "too_long"  # over the limit on decoded seconds
    TOO_BIG = "too_big"  # over the limit on bytes
    SILENT = "silent"  # nothing to hear in any channel


class HighlightError(Exception):
    """Base of every error that this package raises on purpose."""


class InputRejected(HighlightError):
    """The file cannot become a highlight; `detail` is for logs and the command line, never for a chat.

    `duration_s`: seconds that were decoded before the refusal, None where nothing was.
    """

    def __init__(self, code: Rejection, detail: str = "", duration_s: float | None = None) -> None:
        super().__init__(code, detail, duration_s)
        self.code = code
        self.detail = detail
        self.duration_s = duration_s

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else str(self.code)


class MixTrackRejected(InputRejected):
    """One track of a mix cannot be used; `track` is its index among those given. The others are fine."""

    def __init__(self, track: int, code: Rejection, detail: str = "") -> None:
        super().__init__(code, detail)
        self.args = (track, code, detail)
        self.track = track


class ModelContractError(HighlightError):
    """The model file's metadata, inputs or outputs are not what this version of the code works with."""


class EngineError(HighlightError):
    """The work could not be done for a reason that lies with us."""


class WorkerTimeout(EngineError):
    """A stage ran past its time limit; its worker process was ended."""


class WorkerLost(EngineError):
    """The worker process died in the middle of the work: crash, memory limit or kill."""
