"""Which message shows which incident: one message for an incident, a shared one for those that come together.

Every method expects to be inside a store transaction, so that an incident and its message are never apart.
"""

from collections.abc import Iterable, Sequence

from watchdog.incidents import Change, ChangeType, Incident
from watchdog.store import ALL, Filed, Mute, Store
from watchdog.telling import Teller


class Desk:
    """Files what the judge found and writes the messages into the outbox."""

    def __init__(self, store: Store, teller: Teller, group_s: float) -> None:
        self._store = store
        self._teller = teller
        self._group_s = group_s

    async def take(self, changes: Iterable[Change], mutes: Sequence[Mute], now: float) -> None:
        """File the changes and bring the messages that show them up to date."""
        touched: dict[int, None] = {}
        for change in changes:
            incident = change.incident
            await self._store.file_incident(incident)
            if change.type is ChangeType.OPENED:
                if is_muted(incident.key, mutes, now):
                    await self._store.hold(incident.id)
                else:
                    await self._store.attach(incident.id, await self._card_for(incident, now))
            elif change.type is ChangeType.REMINDER and not is_muted(incident.key, mutes, now):
                await self._remind(incident, now)
            touched[incident.id] = None
        for incident_id in touched:
            await self.redraw(incident_id)

    async def redraw(self, incident_id: int) -> None:
        """Write the text of the message that shows this incident anew."""
        for filed in await self._store.incidents("id = ?", incident_id):
            if filed.message_id is not None:
                await self._redraw_message(filed.message_id)

    async def add_note(
        self, text: str, now: float, *, is_silent: bool = True, photo: bytes | None = None
    ) -> None:
        """A message that stands for itself."""
        await self._insert(now, now, now, is_silent=is_silent, text=text, photo=photo)

    async def open_collection(self, header: str, if_empty: str, now: float, wait_s: float) -> None:
        """A message that gathers every incident of the next seconds below a header, or says `if_empty`."""
        until = now + wait_s
        message_id = await self._insert(now, until, until, is_silent=True, text=if_empty)
        await self._store.db.execute("UPDATE messages SET header = ? WHERE id = ?", (header, message_id))

    async def release(self, header: str, mutes: Sequence[Mute], now: float) -> bool:
        """Tell what happened to containers that are not muted any more; False if nothing did.

        Incidents that are still open live on in this message.
        """
        held = await self._store.incidents("is_held = 1")
        held = [filed for filed in held if not is_muted(filed.incident.key, mutes, now)]
        if not held:
            return False
        is_silent = not any(filed.incident.is_open and not filed.incident.kind.is_quiet for filed in held)
        text = self._teller.card(header, held)
        message_id = await self._insert(now, now, now, is_silent=is_silent, text=text)
        await self._store.db.execute("UPDATE messages SET header = ? WHERE id = ?", (header, message_id))
        for filed in held:
            await self._store.attach(filed.incident.id, message_id)
        return True

    async def _card_for(self, incident: Incident, now: float) -> int:
        is_silent = incident.kind.is_quiet
        query = (
            "SELECT id, header FROM messages WHERE group_until > ? AND telegram_id IS NULL "
            "AND (header <> '' OR is_silent = ?) ORDER BY header = '', id LIMIT 1"
        )
        async with self._store.db.execute(query, (now, is_silent)) as rows:
            row = await rows.fetchone()
        if row is None:
            until = now + self._group_s
            return await self._insert(now, until, until, is_silent=is_silent, text="…")
        if not is_silent:
            await self._store.db.execute("UPDATE messages SET is_silent = 0 WHERE id = ?", (row[0],))
        return int(row[0])

    async def _remind(self, incident: Incident, now: float) -> None:
        filed = await self._store.incidents("id = ? AND message_id IS NOT NULL", incident.id)
        if filed:
            text = self._teller.reminder(incident, now)
            await self._insert(now, now, now, is_silent=False, text=text, reply_to=filed[0].message_id)

    async def _redraw_message(self, message_id: int) -> None:
        async with self._store.db.execute("SELECT header FROM messages WHERE id = ?", (message_id,)) as rows:
            row = await rows.fetchone()
        header = str(row[0]) if row is not None else ""
        shown: list[Filed] = await self._store.incidents("message_id = ?", message_id)
        text = self._teller.card(header, shown)
        await self._store.db.execute("UPDATE messages SET text = ? WHERE id = ?", (text, message_id))

    async def _insert(
        self,
        now: float,
        due_at: float,
        group_until: float,
        *,
        is_silent: bool,
        text: str,
        photo: bytes | None = None,
        reply_to: int | None = None,
    ) -> int:
        query = (
            "INSERT INTO messages (created_at, due_at, group_until, is_silent, text, photo, reply_to) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"
        )
        values = (now, due_at, group_until, is_silent, text, photo, reply_to)
        async with self._store.db.execute(query, values) as rows:
            row = await rows.fetchone()
        if row is None:
            raise RuntimeError("SQLite returned no id for a new message")
        return int(row[0])


def is_muted(key: str, mutes: Iterable[Mute], now: float) -> bool:
    """Whether alerts about this container are held back at this time."""
    return any(mute.key in (ALL, key) and (mute.until is None or mute.until > now) for mute in mutes)
