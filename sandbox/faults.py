"""Trouble on demand, and the record of every call: what the inspector shows and sets."""

import itertools
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase

from sandbox.feed import Feed
from sandbox.refusals import Json, Refusal


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` calls that match `method` (`*` and `?` allowed).

    `kind`:
    - `error`: refused with `error_code` and `description` (and `retry_after_s`); nothing happens;
    - `drop`: the connection breaks before anything happens;
    - `drop_after`: the work is done, then the connection breaks, so that the bot cannot know;
    - `hang_after`: the work is done, then no answer comes for `delay_s`;
    - `slow`: the answer comes `delay_s` later.
    `chat_id` limits the fault to one chat. `times` None means: until removed.
    """

    method: str
    kind: str = "error"
    times: int | None = 1
    error_code: int = 500
    description: str = "Internal Server Error"
    retry_after_s: int | None = None
    delay_s: float = 0.0
    chat_id: int | None = None
    id: int = 0

    def __post_init__(self) -> None:
        if self.kind not in {"error", "drop", "drop_after", "hang_after", "slow"}:
            raise ValueError(f"unknown kind of fault: {self.kind}")

    def refusal(self) -> Refusal:
        parameters = {"retry_after": self.retry_after_s} if self.retry_after_s else None
        return Refusal(self.error_code, self.description, parameters)

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(slots=True)
class Faults:
    feed: Feed
    active: list[Fault] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, fault: Fault) -> Fault:
        fault.id = next(self._ids)
        self.active.append(fault)
        self._tell()
        return fault

    def remove(self, fault_id: int | None = None) -> None:
        """Take back one fault, or all of them."""
        self.active = [fault for fault in self.active if fault_id is not None and fault.id != fault_id]
        self._tell()

    def take(self, method: str, chat_id: int | None) -> Fault | None:
        """The fault that strikes this call, counted down."""
        for fault in self.active:
            if fnmatchcase(method, fault.method) and fault.chat_id in {None, chat_id}:
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.active.remove(fault)
                self._tell()
                return fault
        return None

    def _tell(self) -> None:
        self.feed.publish("faults", {"active": [fault.to_json() for fault in self.active]})


@dataclass(slots=True)
class Call:
    """One request of the bot. `params` as sent (files by name and size), `answer` as returned."""

    id: int
    method: str
    params: Json
    started_at: float
    answer: Json = field(default_factory=dict)
    status: int = 0
    elapsed_ms: float = 0.0
    fault: str | None = None

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(slots=True)
class CallLog:
    """The last calls, all but getUpdates that brought nothing."""

    feed: Feed
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=20_000))
    n_calls: int = 0

    def open(self, method: str, params: Json) -> Call:
        self.n_calls += 1
        return Call(self.n_calls, method, params, time.time())

    def close(self, call: Call, status: int, answer: Json) -> None:
        call.status, call.answer = status, answer
        call.elapsed_ms = round((time.time() - call.started_at) * 1000, 2)
        if call.method == "getUpdates" and not answer.get("result", True):
            return
        self.calls.append(call)
        self.feed.publish("call", call.to_json())
