"""Reading a call strictly: query string, JSON, form or multipart -> aiogram's own model of the method.

The real server ignores what it does not know, which hides typing mistakes until a user meets them. Here an
unknown parameter, or an unknown key in a keyboard, is refused.
"""

import json
import secrets
import tempfile
import types
import typing
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import aiogram.methods
from aiogram.client.default import Default
from aiogram.methods import TelegramMethod
from aiogram.types import InputFile
from aiohttp import BodyPartReader, web
from pydantic import BaseModel, ValidationError

from sandbox.refusals import Json, Refusal, bad_request

_MEDIA_KEYS = {
    "media",
    "thumbnail",
    "cover",
    "photo",
    "audio",
    "voice",
    "video",
    "document",
    "animation",
    "sticker",
}
_EMPTY = {
    "text": "message text is empty",
    "chat_id": "chat_id is empty",
    "user_id": "user_id is empty",
}


class Upload(InputFile):
    """A file that came with the call; lies at `path` until the call is answered."""

    def __init__(self, path: Path, filename: str, size_bytes: int) -> None:
        super().__init__(filename=filename)
        self.path = path
        self.size_bytes = size_bytes

    async def read(self, bot: Any) -> AsyncIterator[bytes]:  # type: ignore[override]
        raise NotImplementedError("the sandbox reads uploads from disk")
        yield b""

    def __repr__(self) -> str:
        return f"<file {self.filename!r}, {self.size_bytes} bytes>"


@dataclass(slots=True)
class RawCall:
    """Parameters as text or JSON, and files by the name of their part."""

    params: Json = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def to_json(self) -> Json:
        """For the inspector: JSON fields opened up, files by their names."""
        shown = {key: _open_json(value) for key, value in self.params.items()}
        if self.uploads:
            shown["(files)"] = {key: repr(upload) for key, upload in self.uploads.items()}
        return shown


@asynccontextmanager
async def read_request(request: web.Request, limit_bytes: int) -> AsyncIterator[RawCall]:
    """The parameters of a request; uploaded files live as long as the context."""
    with tempfile.TemporaryDirectory(prefix="sandbox-upload-") as folder:
        call = RawCall(params=dict(request.query))
        if request.content_type == "application/json":
            body = await request.json()
            if not isinstance(body, dict):
                raise bad_request("can't parse request: JSON object expected")
            call.params |= body
        elif request.content_type == "multipart/form-data":
            async for part in await request.multipart():
                if isinstance(part, BodyPartReader) and part.name:
                    if part.filename is None:
                        call.params[part.name] = (await part.read()).decode()
                    else:
                        call.uploads[part.name] = await _save(part, Path(folder), limit_bytes)
        elif request.can_read_body:
            call.params |= dict(await request.post())
        yield call


async def _save(part: BodyPartReader, folder: Path, limit_bytes: int) -> Upload:
    path = folder / f"part-{secrets.token_hex(8)}"
    size_bytes = 0
    with path.open("wb") as target:
        while chunk := await part.read_chunk(256 * 1024):
            size_bytes += len(chunk)
            if size_bytes > limit_bytes:
                raise Refusal(413, "Request Entity Too Large")
            target.write(chunk)
    if not size_bytes:
        raise bad_request("file must be non-empty")
    return Upload(path, part.filename or "file", size_bytes)


@cache
def method_models() -> dict[str, type[TelegramMethod[Any]]]:
    """Every method of the Bot API that aiogram knows, by its name in lower case (the server ignores case)."""
    found = {}
    for name in aiogram.methods.__all__:
        model = getattr(aiogram.methods, name)
        if isinstance(model, type) and issubclass(model, TelegramMethod) and model is not TelegramMethod:
            found[model.__api_method__.lower()] = model
    return found


def build_call(method: str, raw: RawCall) -> TelegramMethod[Any]:
    """The checked call.

    Raises `Refusal`: 404 for an unknown method, 400 for missing, wrong or unknown parameters.
    """
    model = method_models().get(method.lower())
    if model is None:
        raise Refusal(404, "Not Found: method not found")
    values: Json = {}
    for key, value in raw.params.items():
        info = model.model_fields.get(key)
        is_structured = info is not None and _is_structured(cast("Hashable", info.annotation))
        opened = _open_json(value) if is_structured else value
        values[key] = _attach(key, opened, raw.uploads)
    for key, upload in raw.uploads.items():
        if key in model.model_fields and key not in values:
            values[key] = upload
    try:
        call = model.model_validate(values)
    except ValidationError as exc:
        raise _refuse(exc) from exc
    for path, key in unknown_keys(call):
        where = f" in {path}" if path else ""
        raise bad_request(f'unknown parameter "{key}"{where} of {model.__api_method__}')
    return call


def _open_json(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


@cache
def _is_structured(annotation: Hashable) -> bool:
    """Whether a parameter is a list or an object, which forms carry as JSON."""
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType, typing.Annotated}:
        return any(_is_structured(argument) for argument in typing.get_args(annotation))
    return origin in {list, dict} or (isinstance(annotation, type) and issubclass(annotation, BaseModel))


def _attach(key: str, value: Any, uploads: dict[str, Upload]) -> Any:
    """Put uploaded files where `attach://name` stands for them."""
    if isinstance(value, list):
        return [_attach(key, item, uploads) for item in value]
    if isinstance(value, dict):
        return {name: _attach(name, item, uploads) for name, item in value.items()}
    if key in _MEDIA_KEYS and isinstance(value, str) and value.startswith("attach://"):
        name = value.removeprefix("attach://")
        if name not in uploads:
            raise bad_request(f'file "{name}" is not attached')
        return uploads[name]
    return value


def unknown_keys(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(where, key) of everything that the models did not know."""
    if isinstance(value, BaseModel):
        for key in value.model_extra or {}:
            yield path, key
        for name in type(value).model_fields:
            yield from unknown_keys(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_keys(item, f"{path}[{index}]")


def given(value: Any) -> Any:
    """A parameter's value; None where the caller left it to the bot's defaults."""
    return None if isinstance(value, Default) else value


def to_json(value: Any) -> Any:
    """A model as the Bot API writes it: its aliases, nothing that was not given."""
    if isinstance(value, BaseModel):
        return {
            info.alias or name: to_json(item)
            for name, info in type(value).model_fields.items()
            if (item := given(getattr(value, name))) is not None
        }
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


def _refuse(error: ValidationError) -> Refusal:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "request"
    if first["type"] == "missing" and where in _EMPTY:
        return bad_request(_EMPTY[where])
    if where.startswith("reply_markup"):
        return bad_request(f"can't parse reply keyboard markup JSON object: {where}: {first['msg']}")
    return bad_request(f'parameter "{where}": {first["msg"]}')
