"""Audio work as JSON, for a worker on another machine.

A job's folder stands on the front end and means nothing elsewhere, so paths in it are named by their role:
an input is a ticket (the file_id, so that the worker downloads it itself), an output is a file name. All else
is plain values and the dataclasses of `bot.services.audio_tasks`: what is decoded cannot name other code.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from bot.services import audio_tasks
from bot.services.telegram_files import DownloadFailed
from inference.errors import EngineError, InputRejected, Rejection, WorkerLost, WorkerTimeout

TICKET = b"highlight ticket\n"
# What may run elsewhere: the result is small. A mix is not, and is rendered at the front end.
REMOTE: dict[str, Callable[..., Any]] = {
    task.__name__: task for task in (audio_tasks.analyse, audio_tasks.analyse_and_cut, audio_tasks.cut)
}
_NOUNS: dict[str, type[Any]] = {
    name: noun for name, noun in vars(audio_tasks).items() if isinstance(noun, type) and is_dataclass(noun)
}
_ERRORS: dict[str, Callable[..., Exception]] = {
    "rejected": lambda code, *rest: InputRejected(Rejection(code), *rest),
    "timeout": WorkerTimeout,
    "lost": WorkerLost,
    "download": DownloadFailed,
    "engine": EngineError,
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """Stands in for a file that nobody has downloaded yet."""

    file_id: str
    max_bytes: int

    def write(self, target: Path) -> None:
        target.write_bytes(TICKET + json.dumps([self.file_id, self.max_bytes]).encode())

    @classmethod
    def read(cls, path: Path) -> "Ticket | None":
        """None: the path is no ticket."""
        try:
            with path.open("rb") as file:
                if file.read(len(TICKET)) != TICKET:
                    return None
                return cls(*json.loads(file.read()))
        except OSError:
            return None


def find_tickets(value: Any) -> dict[Path, Ticket]:
    """The tickets among a call's arguments, nested ones too."""
    if isinstance(value, list | tuple):
        return {path: ticket for item in value for path, ticket in find_tickets(item).items()}
    if isinstance(value, str | Path) and (path := Path(value)).is_absolute():
        ticket = Ticket.read(path)
        return {} if ticket is None else {path: ticket}
    return {}


def encode(value: Any, folder: Path) -> Any:
    """Values for JSON. Raises TypeError for what has no place in an order."""
    if is_dataclass(value) and type(value).__name__ in _NOUNS:
        content = {field.name: encode(getattr(value, field.name), folder) for field in fields(value)}
        return {"$noun": type(value).__name__, **content}
    if isinstance(value, str | Path) and (path := Path(value)).is_absolute() and path.is_relative_to(folder):
        ticket = Ticket.read(path)
        return (
            {"$out": path.name} if ticket is None else {"$in": [path.name, ticket.file_id, ticket.max_bytes]}
        )
    if isinstance(value, tuple):
        return {"$tuple": [encode(item, folder) for item in value]}
    if isinstance(value, list):
        return [encode(item, folder) for item in value]
    if isinstance(value, dict):
        return {key: encode(item, folder) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot travel to a worker")


@dataclass(slots=True)
class Decoded:
    """A decoded value, with the files that it speaks of."""

    value: Any
    inputs: dict[Path, Ticket]
    outputs: list[Path]


def decode(value: Any, folder: Path) -> Decoded:
    """The way back, with every file in `folder`. KeyError, TypeError or ValueError for what is not ours."""
    found = Decoded(None, {}, [])

    def walk(item: Any) -> Any:
        if isinstance(item, list):
            return [walk(part) for part in item]
        if not isinstance(item, dict):
            return item
        if "$noun" in item:
            return _NOUNS[item["$noun"]](**{key: walk(part) for key, part in item.items() if key != "$noun"})
        if "$tuple" in item:
            return tuple(walk(part) for part in item["$tuple"])
        if "$in" in item:
            name, *ticket = item["$in"]
            found.inputs[_inside(folder, name)] = Ticket(*ticket)
            return str(folder / name)
        if "$out" in item:
            found.outputs.append(_inside(folder, item["$out"]))
            return str(folder / item["$out"])
        return {key: walk(part) for key, part in item.items()}

    found.value = walk(value)
    return found


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise ValueError("a file name with a folder in it")
    return folder / name


def encode_error(exc: Exception) -> list[Any]:
    """An error that the job loop knows; any other becomes an EngineError with the class's name only."""
    if isinstance(exc, InputRejected):
        return ["rejected", exc.code, exc.detail, exc.duration_s]
    for name, kind in (("timeout", WorkerTimeout), ("lost", WorkerLost), ("download", DownloadFailed)):
        if isinstance(exc, kind):
            return [name, str(exc)]
    return ["engine", str(exc) if isinstance(exc, EngineError) else type(exc).__name__]


def decode_error(error: list[Any]) -> Exception:
    name, *args = error
    return _ERRORS[name](*args)
