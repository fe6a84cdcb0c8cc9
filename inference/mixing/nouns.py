"""What a mix is made of.

Two clocks: source time, in seconds of one track, and mix time, in seconds of the whole. A transition is a
grid of bar lines: `grid_s` in mix time after `start_s`, and for both tracks the source times that fall on
them. Between transitions a track plays at its own tempo.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from inference.config import DEFAULT_LENGTH_S
from inference.order import Order

MAX_TRACKS = 50


class Crossfade(StrEnum):
    """What the listener asks for."""

    BEATS = "beats"  # bars in step where both tracks have them, a plain fade elsewhere
    PLAIN = "plain"
    OFF = "off"


class Joint(StrEnum):
    """How two tracks meet."""

    BEATS = "beats"
    PLAIN = "plain"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class MixOptions:
    order: Order = Order.TEMPO
    crossfade: Crossfade = Crossfade.BEATS
    length_s: float = DEFAULT_LENGTH_S


@dataclass(frozen=True, slots=True)
class Segment:
    """One track's part: source time [enter_s, leave_s); `start_s`: mix time at which it takes over."""

    track: int  # index into the tracks that were given
    enter_s: float
    leave_s: float
    start_s: float
    tempo_bpm: float | None = None
    camelot: str | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """How a segment passes over into the next one. A cut has one line, a plain fade two."""

    joint: Joint
    start_s: float
    grid_s: tuple[float, ...]
    leaving_s: tuple[float, ...]
    entering_s: tuple[float, ...]

    @property
    def duration_s(self) -> float:
        return self.grid_s[-1]

    @property
    def n_bars(self) -> int:
        return len(self.grid_s) - 1 if self.joint is Joint.BEATS else 0


@dataclass(frozen=True, slots=True)
class MixPlan:
    """Segments in the order of play, and a transition between each two."""

    segments: tuple[Segment, ...]
    transitions: tuple[Transition, ...]
    total_s: float

    @property
    def order(self) -> tuple[int, ...]:
        return tuple(segment.track for segment in self.segments)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "MixPlan":
        """Raises KeyError, TypeError or ValueError on anything that `to_dict` did not write."""
        return cls(
            tuple(Segment(**segment) for segment in data["segments"]),
            tuple(
                Transition(
                    Joint(transition["joint"]),
                    transition["start_s"],
                    tuple(transition["grid_s"]),
                    tuple(transition["leaving_s"]),
                    tuple(transition["entering_s"]),
                )
                for transition in data["transitions"]
            ),
            data["total_s"],
        )


@dataclass(frozen=True, slots=True)
class MixResult:
    """A finished mix. `shifts_ms`: by how much each transition was lined up beyond the beats found before."""

    path: str
    duration_s: float
    size_bytes: int
    bit_rate: int
    lufs: float
    dbtp: float
    shifts_ms: tuple[float, ...]


def time_code(seconds: float) -> str:
    """`1:05`, or `1:01:05` from an hour on: what Telegram makes tappable under an audio file."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, whole = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


def tracklist(plan: MixPlan, names: Sequence[str]) -> list[str]:
    """A line for each segment: time code and the track's name; `names` in the order the tracks were given."""
    return [f"{time_code(segment.start_s)} {names[segment.track]}" for segment in plan.segments]
