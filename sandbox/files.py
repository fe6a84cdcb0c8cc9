"""Files that users and the bot sent: content on disk, names as the Bot API gives them.

`file_unique_id` follows from the content and the kind; `file_id` also from the bot, so that another bot's
token cannot use it.
"""

import base64
import hashlib
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.refusals import Json, Refusal, bad_request

DOWNLOAD_LIMIT_BYTES = 20 * 1024 * 1024
UPLOAD_LIMIT_BYTES = 50 * 1024 * 1024
LOCAL_UPLOAD_LIMIT_BYTES = 2000 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`content` is the hash that names the bytes; None for a file that only pretends its size."""

    file_id: str
    file_unique_id: str
    kind: str
    size_bytes: int
    file_path: str
    content: str | None
    media: Json  # the object of the message: Audio, Voice, Document, ... as the Bot API shows it


def _short(*parts: object) -> str:
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class FileStore:
    """All files of one bot, by `file_id`. Content lies in `directory`, each byte sequence once."""

    def __init__(self, directory: Path, bot_id: int, *, is_local: bool = False) -> None:
        self._directory = directory
        self._bot_id = bot_id
        self.is_local = is_local
        self._by_id: dict[str, StoredFile] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def keep(
        self,
        kind: str,
        media: Json,
        *,
        source: Path | None,
        suffix: str,
        declared_size_bytes: int | None = None,
    ) -> StoredFile:
        """Store a copy of `source` as `kind` (audio, voice, ...).

        `declared_size_bytes` overrides the true size, so that a test can play a 30 MB file without its bytes;
        with `source=None` there is nothing to download.
        """
        content = hash_file(source) if source else None
        size_bytes = declared_size_bytes if declared_size_bytes is not None else 0
        if source and content:
            target = self._directory / content
            if not target.exists():
                shutil.copyfile(source, target)
            if declared_size_bytes is None:
                size_bytes = source.stat().st_size
        identity = content or f"pretended {sorted(media.items())} {size_bytes}"
        unique = "AgAD" + _short(identity, kind)[:12]
        # A file_id is written anew at each sending, as Telegram does: only file_unique_id may be compared.
        file_id = f"{kind[:3].upper()}CAg" + _short(self._bot_id, identity, kind, len(self._by_id))[:40]
        stored = StoredFile(
            file_id=file_id,
            file_unique_id=unique,
            kind=kind,
            size_bytes=size_bytes,
            file_path=f"{_FOLDERS.get(kind, 'documents')}/file_{len(self._by_id)}{suffix}",
            content=content,
            media={"file_id": file_id, "file_unique_id": unique, **media, "file_size": size_bytes},
        )
        self._by_id[file_id] = stored
        return stored

    def get(self, file_id: str) -> StoredFile:
        stored = self._by_id.get(file_id)
        if stored is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        return stored

    def describe(self, file_id: str) -> Json:
        """The answer of getFile."""
        stored = self._by_id.get(file_id)
        if stored is None:
            raise bad_request("invalid file_id")
        if stored.size_bytes > DOWNLOAD_LIMIT_BYTES and not self.is_local:
            raise bad_request("file is too big")
        path = str(self._directory / (stored.content or "missing")) if self.is_local else stored.file_path
        return {
            "file_id": stored.file_id,
            "file_unique_id": stored.file_unique_id,
            "file_size": stored.size_bytes,
            "file_path": path,
        }

    def open_path(self, file_path: str) -> Path:
        """The content behind a `file_path` of getFile, or behind a `file_id`."""
        for stored in self._by_id.values():
            if file_path in {stored.file_path, stored.file_id} and stored.content:
                return self._directory / stored.content
        raise Refusal(404, "Not Found")

    def to_json(self) -> list[Json]:
        return [asdict(stored) for stored in self._by_id.values()]

    def restore(self, rows: list[Json]) -> None:
        self._by_id = {row["file_id"]: StoredFile(**row) for row in rows}


_FOLDERS = {
    "audio": "music",
    "voice": "voice",
    "photo": "photos",
    "video": "videos",
    "video_note": "video_notes",
    "sticker": "stickers",
}
