"""The jobs of a mix: its plan into the menu, a preview of a transition, the mix itself, a long tracklist."""

import asyncio
import html
import logging
import time
from contextlib import suppress
from typing import Any

from aiogram.exceptions import TelegramAPIError, TelegramBadRequest
from aiogram.methods import EditMessageText, SendAudio, SendMessage, TelegramMethod
from aiogram.types import FSInputFile, Message
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db import jobs, mixes
from bot.db.models import utc_now
from bot.domain import (
    Job,
    JobKind,
    JobRequest,
    Lane,
    MixDraft,
    MixState,
    Sent,
    Stage,
)
from bot.mix_buttons import making_keyboard
from bot.services import mix_tasks
from bot.services.mix_desk import Material, MixDesk
from bot.services.mix_menu import MAX_CAPTION
from bot.services.mix_tasks import MixFile
from bot.services.mixes import MIN_TRACKS
from bot.services.recipes import Desk, InHeavyLane, InLightLane, KeepsNothing, reply_to
from bot.texts import Html, Texts, format_clock
from inference.errors import HighlightError, MixTrackRejected, Rejection

logger = logging.getLogger(__name__)

RENDER_LIMIT_S = 1500.0
TELL_EVERY_S = 3.0


class MixPlanRecipe(KeepsNothing):
    """Shows the draft as it is now, whenever that is: an edit may be repeated."""

    def __init__(self, mix_desk: MixDesk) -> None:
        self._desk = mix_desk

    async def lane(self, session: AsyncSession, request: JobRequest) -> Lane:
        mix_id = int((request.payload or {})["mix_id"])
        return Lane.HEAVY if await self._desk.lacks_analysis(session, mix_id) else Lane.LIGHT

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        mix = await self._desk.draft(job)
        locale = desk.listener.locale
        texts = self._desk.texts
        if mix.state is MixState.PLANNED:
            materials, left_out = await self._desk.materials(mix, desk)
            if len(materials) < MIN_TRACKS:
                text, keyboard = texts.get(locale, "mix-nothing-left"), None
            else:
                planned = await self._desk.plan(mix, materials, left_out)
                async with self._desk.database.write() as session:
                    await mixes.keep_plan(session, mix.id, mix.revision, planned)
                text, keyboard = await self._desk.menu.planned(mix, planned, locale)
        elif mix.state is MixState.CHOOSING:
            text, keyboard = await self._desk.menu.choosing(mix, locale)
        else:
            text, keyboard = texts.get(locale, f"mix-{mix.state}"), None
        return EditMessageText(  # type: ignore[return-value]  # Message | bool: True is for inline messages
            chat_id=job.chat_id, message_id=job.message_id, text=text, reply_markup=keyboard
        )


class MixPreviewRecipe(InHeavyLane, KeepsNothing):
    """Some twenty seconds around one transition."""

    def __init__(self, mix_desk: MixDesk) -> None:
        self._desk = mix_desk

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        mix = await self._desk.draft(job)
        texts, locale = self._desk.texts, desk.listener.locale
        materials, left_out = await self._desk.materials(mix, desk)
        planned = await self._desk.plan(mix, materials, left_out)
        index = int(job.payload["index"])
        if index >= len(planned["transitions"]):
            raise LookupError(f"no transition {index}")
        playing = {planned["segments"][index + offset]["track"] for offset in (0, 1)}
        paths = [
            await self._desk.file(one.track, desk) if i in playing else "" for i, one in enumerate(materials)
        ]
        desk.stage(Stage.MIXING)
        title = texts.get(locale, "mix-preview-title", first=index + 1, second=index + 2)
        made = await self._desk.pool.run(
            mix_tasks.preview,
            planned,
            index,
            paths,
            str(desk.folder / "preview.mp3"),
            title,
            timeout_s=RENDER_LIMIT_S,
        )
        joint = planned["transitions"][index]["joint"]
        return SendAudio(
            chat_id=job.chat_id,
            audio=FSInputFile(made.path),
            title=title,
            duration=round(made.duration_s),
            caption=texts.get(locale, f"mix-joint-{joint}"),
            reply_parameters=reply_to(job),
        )


class MixRecipe(InHeavyLane):
    def __init__(self, mix_desk: MixDesk) -> None:
        self._desk = mix_desk

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        mix = await self._desk.draft(job)
        texts, locale = self._desk.texts, desk.listener.locale
        teller = _Teller(self._desk, mix, locale)
        made = None
        materials, left_out = await self._desk.materials(mix, desk, teller.heard)
        while len(materials) >= MIN_TRACKS and made is None:
            planned = await self._desk.plan(mix, materials, left_out)
            try:
                made = await self._render(planned, materials, desk, teller)
            except MixTrackRejected as exc:
                left_out = [*left_out, materials.pop(exc.track).track.id]
        desk.afterwards.append(lambda: teller.end(is_made=made is not None))
        if made is None:
            return SendMessage(
                chat_id=job.chat_id,
                text=texts.get(locale, "mix-nothing-left"),
                reply_parameters=reply_to(job),
            )
        caption, is_listed = await self._caption(planned, locale)
        async with self._desk.database.write() as session:
            await mixes.set_plan(session, mix.id, {**planned, "is_listed": is_listed})
        return SendAudio(
            chat_id=job.chat_id,
            audio=FSInputFile(made.path),
            title=_title(texts, locale),
            performer=texts.get(locale, "mix-performer"),
            duration=round(made.duration_s),
            thumbnail=FSInputFile(made.thumbnail) if made.thumbnail else None,
            caption=caption,
            reply_parameters=reply_to(job),
        )

    async def _render(
        self, planned: dict[str, Any], materials: list[Material], desk: Desk, teller: "_Teller"
    ) -> MixFile:
        paths = []
        for n, one in enumerate(materials):
            teller.fetched(n, len(materials))
            try:
                paths.append(await self._desk.file(one.track, desk))
            except TelegramBadRequest as exc:  # the file is gone from Telegram, or was never for bots
                raise MixTrackRejected(n, Rejection.DAMAGED, exc.message) from exc
            await teller.tell()
        desk.stage(Stage.MIXING)
        texts, locale = self._desk.texts, desk.listener.locale
        failure: HighlightError | None = None
        made: MixFile | None = None
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(teller.keep_telling())
            try:
                made = await self._desk.pool.run(
                    mix_tasks.render,
                    planned,
                    paths,
                    str(desk.folder / "mix.mp3"),
                    _title(texts, locale),
                    texts.get(locale, "mix-performer"),
                    timeout_s=RENDER_LIMIT_S,
                    on_progress=teller.rendered,
                )
            except HighlightError as exc:
                failure = exc
            telling.cancel()
        if failure is not None:
            raise failure
        assert made is not None  # noqa: S101  # no failure
        return made

    async def _caption(self, planned: dict[str, Any], locale: str) -> tuple[str, bool]:
        """With the tracklist where it fits; else that follows as a message of its own, and this is False."""
        head = self._head(planned, locale)
        lines = await self._desk.menu.tracklist(planned, locale)
        whole = "\n".join([head, "", *lines])
        fits = _plain_length(whole) <= MAX_CAPTION
        return (whole if fits else head), fits

    def _head(self, planned: dict[str, Any], locale: str) -> str:
        texts = self._desk.texts
        head = texts.get(
            locale, "mix-caption", n=len(planned["segments"]), total=format_clock(planned["total_s"])
        )
        if planned["left_out"]:
            head += "\n" + texts.get(locale, "mix-left-out", n=len(planned["left_out"]))
        return head

    async def confirm(self, session: AsyncSession, job: Job, sent: Sent) -> None:
        mix = await mixes.get(session, int(job.payload["mix_id"]))
        if mix is None:
            return
        if sent.method != "sendAudio" or mix.plan is None:
            await mixes.finish(session, mix.id, MixState.CANCELLED)
            return
        await mixes.finish(session, mix.id, MixState.DONE, sent.file_id)
        await mixes.empty_basket(session, mix.user_id, mix.plan["tracks"])
        if mix.plan["is_listed"]:
            return
        request = JobRequest(
            kind=JobKind.TRACKLIST,
            user_id=job.user_id,
            chat_id=job.chat_id,
            message_id=sent.message_id,
            options=str(mix.id),
            payload={"mix_id": mix.id},
        )
        await jobs.add(session, request, Lane.LIGHT)


class TracklistRecipe(InLightLane, KeepsNothing):
    """As a reply to the mix: then Telegram makes the time codes tappable."""

    def __init__(self, mix_desk: MixDesk) -> None:
        self._desk = mix_desk

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        mix = await self._desk.draft(job)
        if mix.plan is None:
            raise LookupError(f"mix {mix.id} has no plan")
        lines = await self._desk.menu.tracklist(mix.plan, desk.listener.locale)
        return SendMessage(chat_id=job.chat_id, text="\n".join(lines), reply_parameters=reply_to(job))


class _Teller:
    """Progress in the menu's message, edited seldom."""

    def __init__(self, mix_desk: MixDesk, mix: MixDraft, locale: str) -> None:
        self._desk = mix_desk
        self._mix = mix
        self._locale = locale
        self._line = mix_desk.texts.get(locale, "mix-making-begins")
        self._told = ""
        self._told_at = 0.0

    def heard(self, n: int, of: int) -> None:
        self._line = self._desk.texts.get(self._locale, "mix-making-listening", n=n + 1, of=of)

    def fetched(self, n: int, of: int) -> None:
        self._line = self._desk.texts.get(self._locale, "mix-making-fetching", n=n + 1, of=of)

    def rendered(self, progress: Any) -> None:
        share = progress.done_s / progress.total_s if progress.total_s else 0.0
        self._line = self._desk.texts.get(self._locale, "mix-making-mixing", percent=round(100 * share))

    async def keep_telling(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        if self._line == self._told or time.monotonic() - self._told_at < TELL_EVERY_S:
            return
        self._told, self._told_at = self._line, time.monotonic()
        await self._edit(self._line, making_keyboard(self._desk.texts, self._locale, self._mix))

    async def end(self, *, is_made: bool) -> None:
        await self._edit(self._desk.texts.get(self._locale, "mix-done" if is_made else "mix-cancelled"), None)

    async def _edit(self, text: str, keyboard: Any) -> None:
        if self._mix.menu_message_id is None:
            return
        with suppress(TelegramAPIError):
            await self._desk.bot.edit_message_text(
                text,
                chat_id=self._mix.chat_id,
                message_id=self._mix.menu_message_id,
                reply_markup=keyboard,
            )


def _title(texts: Texts, locale: str) -> str:
    now = utc_now()
    return texts.get(locale, "mix-title", day=f"{now:%d.%m.%Y}")


def _plain_length(text: str) -> int:
    return len(html.unescape(Html(text)).encode("utf-16-le")) // 2
