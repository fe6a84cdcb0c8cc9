"""What the team's chat asks for that is neither a letter nor a broadcast."""

from aiogram import Bot
from aiogram.types import InlineKeyboardMarkup

from bot.db import feedback
from bot.db.engine import Database
from bot.domain import Broadcast, Thread
from bot.feedback_buttons import threads_keyboard
from bot.services.letters import render
from bot.texts import Html, Texts, clean_name

PAGE = 8
EXCERPT = 120


class TeamService:
    def __init__(self, *, bot: Bot, database: Database, texts: Texts) -> None:
        self._bot = bot
        self._database = database
        self.texts = texts

    async def open_threads(self, locale: str, *, page: int) -> tuple[str, InlineKeyboardMarkup | None]:
        """A page of what waits for the team, oldest first."""
        async with self._database.read() as session:
            threads, n_open = await feedback.open_threads(session, limit=PAGE, offset=PAGE * page)
        if not threads and page > 0:  # the last one of the last page was done
            return await self.open_threads(locale, page=max(0, -(-n_open // PAGE) - 1))
        if not threads:
            return self.texts.get(locale, "team-none-open"), None
        lines = "\n".join(self._line(locale, thread) for thread in threads)
        n_pages = -(-n_open // PAGE)
        return (
            self.texts.get(locale, "team-open", n=n_open, lines=Html(lines)),
            threads_keyboard(self.texts, locale, threads, page, n_pages),
        )

    def _line(self, locale: str, thread: Thread) -> str:
        words = thread.content.get("text") or thread.content.get("caption") or ""
        excerpt = " ".join(str(words).split())
        if len(excerpt) > EXCERPT:
            excerpt = excerpt[: EXCERPT - 1] + "…"
        return self.texts.get(
            locale,
            "team-thread",
            thread=str(thread.id),
            name=clean_name(thread.user_name) or "?",
            day=f"{thread.created_at:%d.%m}",
            words=excerpt or self.texts.get(locale, "team-no-words"),
        )

    async def close(self, thread_id: int) -> bool:
        async with self._database.write() as session:
            return await feedback.close_thread(session, thread_id)

    async def set_banned(self, user_id: int, *, is_banned: bool) -> None:
        async with self._database.write() as session:
            await feedback.set_banned(session, user_id, is_banned=is_banned)

    async def preview(self, broadcast: Broadcast, chat_id: int) -> None:
        """The message as its readers will get it."""
        await self._bot(render(broadcast.content, chat_id, None, 0))
