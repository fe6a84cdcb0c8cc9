"""Consistent copies of the SQLite file while the bot works, their rotation, and the way back.

SQLite's own online backup copies a snapshot page by page: readers and the writer go on meanwhile, and what is
in the write-ahead log is in the copy. A copy of the file alone would miss it.
"""

import argparse
import logging
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from bot.settings import DatabaseSettings

logger = logging.getLogger(__name__)

SCHEDULED = "nightly"
POSTGRES_ADVICE = (
    "This bot keeps its rows in PostgreSQL, which brings its own tools:\n"
    "  back up   pg_dump --format=custom --file=bot.dump URL\n"
    "  restore   pg_restore --clean --dbname=URL bot.dump"
)


class BackupError(Exception):
    """The file is no sound SQLite database; the message says what SQLite found."""


def sqlite_file(url: str) -> Path | None:
    """The database's file, or None where the rows live elsewhere."""
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite") or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def back_up(database: Path, folder: Path, *, reason: str = SCHEDULED, now: datetime | None = None) -> Path:
    """Copy the database into `folder` under a name that sorts by time, and check the copy before naming it.

    Raises BackupError when the copy is not sound, OSError when there is no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = folder / f"{database.stem}-{stamp}-{reason}.db"
    unfinished = target.with_suffix(".part")
    try:
        _copy(database, unfinished)
        _make_single_file(unfinished)
        _check(unfinished)
        _flush(unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    logger.info("backed up to %s, %d bytes", target.name, target.stat().st_size)
    return target


def rotate(folder: Path, keep: int, *, reason: str = SCHEDULED) -> list[Path]:
    """Remove all but the newest `keep` copies made for `reason`; other copies (before an upgrade) stay."""
    copies = sorted(folder.glob(f"*-{reason}.db"))
    old = copies[: max(0, len(copies) - keep)]
    for copy in old:
        copy.unlink()
    return old


def restore(copy: Path, database: Path) -> Path | None:
    """Put a copy in the database's place; returns where the replaced content was kept (None: there was none).

    The content is written through SQLite, so a process that has the file open sees one state or the other.
    An older copy is brought to the present schema at the next start. Raises BackupError for a damaged copy.
    """
    _check(copy)
    kept = None
    if database.exists():
        kept = back_up(database, copy.parent, reason="before-restore")
    database.parent.mkdir(parents=True, exist_ok=True)
    _copy(copy, database)
    _check(database)
    return kept


def _copy(source: Path, target: Path) -> None:
    uri = f"file:{source}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True)) as reader,
        closing(sqlite3.connect(target, timeout=30)) as writer,
    ):
        reader.backup(writer)


def _make_single_file(copy: Path) -> None:
    """The copy of a database in WAL mode is in WAL mode too, and would grow side files when it is opened."""
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _check(database: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as exc:
        raise BackupError(f"{database}: {exc}") from exc
    if found != ["ok"]:
        raise BackupError(f"{database}: {'; '.join(found[:3])}")


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def main(arguments: list[str]) -> int:
    """`python -m bot backup [FOLDER]` and `python -m bot restore FILE`."""
    parser = argparse.ArgumentParser(prog="python -m bot")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("backup", help="copy the database while the bot works")
    making.add_argument("folder", nargs="?", type=Path, help="default: DATA_DIR/backups")
    bringing = commands.add_parser("restore", help="put a copy in the database's place; stop the bot first")
    bringing.add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    settings = DatabaseSettings()
    database = sqlite_file(settings.database)
    if database is None:
        print(POSTGRES_ADVICE)  # noqa: T201
        return 2
    try:
        if chosen.command == "backup":
            print(back_up(database, chosen.folder or settings.backups, reason="by-hand"))  # noqa: T201
        else:
            kept = restore(chosen.file, database)
            print(f"restored {chosen.file}" + (f"; the replaced content is in {kept}" if kept else ""))  # noqa: T201
    except (BackupError, OSError, sqlite3.Error) as exc:
        print(f"failed: {exc}")  # noqa: T201
        return 1
    return 0
