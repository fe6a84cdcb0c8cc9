"""The same migrations on a real PostgreSQL: up, down and up again, and the models match."""

from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from bot.db.engine import create_engine
from bot.db.migrate import SCRIPTS, migrate
from bot.db.models import Base

pytestmark = pytest.mark.services


def _schema(connection: Connection) -> dict[str, Any]:
    """Tables with their columns and indices."""
    inspector = inspect(connection)
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            ],
            sorted(str(index["name"]) for index in inspector.get_indexes(table)),
        )
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


async def test_every_migration_goes_up_down_and_up_again(postgres_url: str) -> None:
    def climb(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        before = _schema(connection)
        scripts = ScriptDirectory(str(SCRIPTS)).walk_revisions()
        for revision in reversed([script.revision for script in scripts]):
            command.upgrade(config, revision)
            after = _schema(connection)
            assert after != before
            command.downgrade(config, "-1")
            assert _schema(connection) == before
            command.upgrade(config, revision)
            assert _schema(connection) == after
            before = after

    engine = create_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.run_sync(climb)
    await engine.dispose()


async def test_models_match_migrations(postgres_url: str) -> None:
    await migrate(postgres_url)

    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    engine = create_engine(postgres_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
