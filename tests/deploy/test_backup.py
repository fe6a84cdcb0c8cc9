"""Backups of a database in use, rotation, and the way back."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.backup import BackupError, back_up, main, restore, rotate, sqlite_file

NOW = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "bot.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY)")
        connection.commit()
    return path


def _add(connection: sqlite3.Connection, count: int) -> None:
    connection.executemany("INSERT INTO jobs DEFAULT VALUES", [()] * count)
    connection.commit()


def _count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])


def test_copy_holds_what_is_only_in_the_write_ahead_log(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        _add(writer, 7)
        assert database.with_name("bot.db-wal").stat().st_size > 0
        copy = back_up(database, tmp_path / "backups")
    assert _count(copy) == 7


def test_copy_is_made_beside_an_open_write_and_leaves_that_out(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO jobs DEFAULT VALUES")
        copy = back_up(database, tmp_path / "backups")
        writer.execute("COMMIT")
    assert (_count(copy), _count(database)) == (0, 1)


def test_rotation_keeps_the_newest_and_spares_other_copies(database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    upgrade = back_up(database, folder, reason="before-upgrade", now=NOW - timedelta(days=30))
    nightly = [back_up(database, folder, now=NOW + timedelta(days=day)) for day in range(5)]
    assert rotate(folder, keep=3) == nightly[:2]
    assert sorted(folder.iterdir()) == sorted([upgrade, *nightly[2:]])


def test_restore_brings_the_rows_back_and_keeps_what_it_replaced(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        _add(connection, 3)
    copy = back_up(database, tmp_path / "backups")
    with closing(sqlite3.connect(database)) as connection:
        _add(connection, 2)
        kept = restore(copy, database)
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (
            3,
        )  # an open connection sees it too
    assert kept is not None
    assert _count(kept) == 5


def test_restore_refuses_a_damaged_copy_and_touches_nothing(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        _add(connection, 4)
    copy = back_up(database, tmp_path / "backups")
    copy.write_bytes(b"not a database, for all its bytes " * 100)
    with pytest.raises(BackupError, match="not a database"):
        restore(copy, database)
    assert _count(database) == 4


def test_failed_copy_leaves_no_half_file(tmp_path: Path) -> None:
    broken = tmp_path / "bot.db"
    broken.write_bytes(b"x" * 5000)
    with pytest.raises((BackupError, sqlite3.DatabaseError)):
        back_up(broken, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite+aiosqlite:///var/bot.db", Path("var/bot.db")),
        ("sqlite+aiosqlite:////data/bot.db", Path("/data/bot.db")),
        ("sqlite+aiosqlite://", None),
        ("postgresql+asyncpg://u@h/highlight", None),
    ],
)
def test_sqlite_file_of_a_url(url: str, expected: Path | None) -> None:
    assert sqlite_file(url) == expected


def test_commands_back_up_and_restore_the_configured_file(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{database}")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    assert main(["backup"]) == 0
    copy = Path(capsys.readouterr().out.strip())
    assert copy.parent == tmp_path / "data" / "backups"
    with closing(sqlite3.connect(database)) as connection:
        _add(connection, 1)
    assert main(["restore", str(copy)]) == 0
    assert _count(database) == 0


def test_backup_command_explains_itself_on_postgresql(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://u@h/highlight")
    assert main(["backup"]) == 2
    assert "pg_dump" in capsys.readouterr().out
