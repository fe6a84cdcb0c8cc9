"""Run the migrations at start, so that an upgrade is a restart. A SQLite file is copied before."""

import asyncio
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import Connection

from bot.backup import back_up, sqlite_file
from bot.db.engine import create_engine

UPGRADE_LOCK = 5_213_497  # any number: PostgreSQL's advisory locks have no names

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to `revision` inside the connection's transaction."""
    from alembic import command  # slow to import, and needed once
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def pending(connection: Connection) -> bool:
    """Whether rows of an older schema are here. A new database has none, and needs no copy."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    now = set(MigrationContext.configure(connection).get_current_heads())
    return bool(now) and now != set(ScriptDirectory(str(SCRIPTS)).get_heads())


async def migrate(url: str, backups: Path | None = None) -> None:
    """To the newest schema. A second process waits for the first one's write lock, then finds nothing to do.

    Where rows of an older schema are to be changed, a copy is put into `backups` first.

    SQLite's foreign keys are off meanwhile: batch mode drops the table that it rebuilds, and with them on
    that would delete the rows that point to it.
    """
    engine = create_engine(url, foreign_keys=False)
    file = sqlite_file(url)
    try:
        async with engine.connect() as connection:
            is_pending = await connection.run_sync(pending)
        if is_pending and file is not None and backups is not None:
            await asyncio.to_thread(back_up, file, backups, reason="before-upgrade")
        async with engine.execution_options(writes=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()
