"""Run the migrations at start, so that an upgrade is a restart."""

from pathlib import Path

from sqlalchemy.engine import Connection

from bot.db.engine import create_engine

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to `revision` inside the connection's transaction."""
    from alembic import command  # slow to import, and needed once
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def migrate(url: str) -> None:
    """To the newest schema. A second process waits for the first one's write lock, then finds nothing to do.

    SQLite's foreign keys are off meanwhile: batch mode drops the table that it rebuilds, and with them on
    that would delete the rows that point to it.
    """
    engine = create_engine(url, foreign_keys=False)
    try:
        async with engine.execution_options(writes=True).begin() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()
