"""Everything about a user, erased.

By the schema, not by a list: whatever table has a `user_id` is emptied of the user's rows, so that a new
table cannot be forgotten. Tracks go with the last row that points to them: what somebody else sent as well
(the same file, recognised by Telegram's own id) stays for them, with nothing that tells who sent it.
"""

from sqlalchemy import CompoundSelect, delete, func, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.models import AnalysisRow, AnswerRow, Base, ChatRow, HighlightRow, SentRow, TrackRow, UserRow

# Not about people: they hang on the track and go with it.
_OF_TRACKS = {"analyses"}


async def count_all(session: AsyncSession, user_id: int) -> dict[str, int]:
    """Rows about the user by table; tables without any are left out."""
    counts: dict[str, int] = {}
    for table in Base.metadata.sorted_tables:
        if "user_id" in table.c:
            query = select(func.count()).select_from(table).where(table.c.user_id == user_id)
            if (n := await session.scalar(query)) is not None and n > 0:
                counts[table.name] = n
    return counts


async def erase_user(session: AsyncSession, user_id: int) -> dict[str, int]:
    """Erase the user and what belongs to them; the numbers of rows by table."""
    counts = await count_all(session, user_id)
    tracks = set(await session.scalars(_tracks_of(user_id)))
    for table in reversed(Base.metadata.sorted_tables):
        if "user_id" in table.c:
            await session.execute(delete(table).where(table.c.user_id == user_id))
    await session.execute(delete(UserRow).where(UserRow.id == user_id))
    # A private chat has its user's number.
    await session.execute(delete(SentRow).where(SentRow.chat_id == user_id))
    await session.execute(delete(ChatRow).where(ChatRow.id == user_id))
    if lonely := tracks - set(await session.scalars(_tracks_of(None))):
        await session.execute(delete(TrackRow).where(TrackRow.id.in_(lonely)))
        counts["tracks"] = len(lonely)
    return counts


def _tracks_of(user_id: int | None) -> CompoundSelect[str]:
    """Ids of the tracks that a user's rows point to, or anybody's."""
    parts = []
    for table in Base.metadata.sorted_tables:
        if "track_id" not in table.c or table.name in _OF_TRACKS:
            continue
        query = select(table.c.track_id).where(table.c.track_id.is_not(None))
        if user_id is None:
            parts.append(query)
        elif "user_id" in table.c:
            parts.append(query.where(table.c.user_id == user_id))
    answered = (
        select(AnalysisRow.track_id)
        .join(HighlightRow, HighlightRow.analysis_id == AnalysisRow.id)
        .join(AnswerRow, AnswerRow.highlight_id == HighlightRow.id)
    )
    if user_id is not None:
        answered = answered.where(AnswerRow.user_id == user_id)
    return union(*parts, answered)
