"""How Alembic reaches the database: the bot's own connection at start, else DATABASE_URL (or DATA_DIR) by
itself.

Batch mode rebuilds a table where SQLite cannot alter it.
"""

import asyncio
from typing import Literal

from alembic import context
from sqlalchemy.engine import Connection

from bot.db.engine import create_engine
from bot.db.models import Base, UtcDateTime
from bot.settings import DatabaseSettings


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Migrations stay readable without the bot's code: our types are written as what they are stored as."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_alone() -> None:
    engine = create_engine(DatabaseSettings().database, foreign_keys=False)
    async with engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(run_alone())
