"""A listener's own highlights: the paged list, and what they drop into other chats."""

from dataclasses import dataclass

from bot.db import answers
from bot.db.answers import Heard
from bot.db.engine import Database
from bot.domain import HighlightOptions, JobKind, JobRequest, Listener, RecutOrder
from bot.services.jobs import JobService
from bot.texts import track_name

PAGE = 6
INLINE_PAGE = 30
SEARCHED = 500  # the latest ones, in which an inline query looks


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Heard]
    number: int
    n_pages: int


class HistoryService:
    def __init__(self, database: Database, jobs: JobService) -> None:
        self._database = database
        self._jobs = jobs

    async def page(self, user_id: int, number: int) -> Page:
        """The page, or the last one where there are fewer."""
        async with self._database.read() as session:
            n_pages = -(-await answers.count_heard(session, user_id) // PAGE)
            number = max(0, min(number, n_pages - 1))
            items = await answers.heard(session, user_id, offset=number * PAGE, limit=PAGE)
        return Page(items, number, n_pages)

    async def send_again(
        self, listener: Listener, chat_id: int, message_id: int, highlight_id: int, press: str
    ) -> bool:
        """Queue the answer as a reply to the list; False where it was just sent, or is not the listener's."""
        async with self._database.read() as session:
            found = await answers.heard_one(session, listener.id, highlight_id)
        if found is None:
            return False
        submission = await self._jobs.submit(
            JobRequest(
                kind=JobKind.RECUT,
                user_id=listener.id,
                chat_id=chat_id,
                message_id=message_id,
                options=f"{HighlightOptions.from_key(found.highlight.options).key}#h{highlight_id}",
                track=found.track,
                payload=RecutOrder().to_payload(),
            ),
            press=press,
        )
        return submission.is_new

    async def search(self, user_id: int, text: str, offset: int) -> tuple[list[Heard], int | None]:
        """Voice highlights whose name holds every word of `text`; and where the next page begins.

        Compared here and not in SQL: SQLite folds the case of ASCII letters only.
        """
        async with self._database.read() as session:
            found = await answers.heard(session, user_id, limit=SEARCHED)
        words = text.casefold().split()
        voices = [
            one
            for one in found
            if one.highlight.options.startswith("voice:")
            and all(word in (track_name(one.track) or "").casefold() for word in words)
        ]
        page = voices[offset : offset + INLINE_PAGE]
        following = offset + INLINE_PAGE
        return page, following if following < len(voices) else None
