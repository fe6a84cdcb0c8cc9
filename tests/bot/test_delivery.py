"""Looking for an answer of unknown fate, over real HTTP: what is found, what is left alone."""

from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.methods import SendMessage, SendVoice
from aiogram.types import BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup
from sqlalchemy import select

from bot.app import build_bot
from bot.db import jobs, people
from bot.db.engine import Database
from bot.db.models import SentRow, utc_now
from bot.domain import Intent, Job, JobKind, JobRequest, JobState, Lane, Sent
from bot.services.delivery import SPAN, Delivery, JobGone
from bot.services.sender import DeliveryUncertain, Limits, Sender
from bot.settings import Settings
from sandbox.client import FRIEND_ID, LISTENER_ID
from sandbox.testing import RunningSandbox
from tests.fakes import FakeClock

KEYBOARD = InlineKeyboardMarkup(
    inline_keyboard=[[InlineKeyboardButton(text="Later", callback_data="later:1")]]
)
FAST = Limits(all_per_s=1000, all_burst=1000, chat_per_s=1000, chat_burst=1000)


class Post:
    """A bot with its sender and delivery; `job` is in work."""

    def __init__(self, bot: Bot, database: Database, sandbox: RunningSandbox, ogg: bytes) -> None:
        self.bot = bot
        self.database = database
        self.sandbox = sandbox
        self.sender = Sender(database, FAST)
        bot.session.middleware(self.sender)
        self.delivery = Delivery(bot, database, self.sender, FakeClock().sleep)
        self._ogg = ogg

    async def job(self, chat_id: int = LISTENER_ID) -> Job:
        asked = await self.sandbox.send_text("a track", user=chat_id)
        self.sender.note(chat_id, asked.message_id)
        async with self.database.write() as session:
            await people.meet(session, chat_id, "Ada", None, "en")
            await people.meet_chat(session, chat_id, "private")
            request = JobRequest(JobKind.HIGHLIGHT, chat_id, chat_id, asked.message_id, "voice:30")
            await jobs.add(session, request, Lane.HEAVY)
            job = await jobs.claim(session, Lane.HEAVY, 5, utc_now())
        assert job is not None
        return job

    def voice(self, job: Job, markup: InlineKeyboardMarkup | None = KEYBOARD) -> SendVoice:
        file = BufferedInputFile(self._ogg, "v.ogg")
        return SendVoice(
            chat_id=job.chat_id, voice=file, caption="<b>Song</b> &amp; dance", reply_markup=markup
        )

    async def state(self, job: Job) -> JobState:
        async with self.database.read() as session:
            found = await jobs.get(session, job.id)
        assert found is not None
        return found.state

    async def sent(self) -> list[SentRow]:
        async with self.database.read() as session:
            return list(await session.scalars(select(SentRow).where(SentRow.job_id.is_not(None))))

    async def kinds(self, chat_id: int = LISTENER_ID) -> list[str]:
        return [m.kind for m in await self.sandbox.messages(chat_id, from_bot=True)]


@pytest.fixture
async def post(database: Database, sandbox: RunningSandbox, clips: dict[str, object]) -> AsyncIterator[Post]:
    settings = Settings.model_validate({"bot_token": sandbox.token, "telegram_api_base": sandbox.url})
    bot = build_bot(settings)
    yield Post(bot, database, sandbox, clips["ogg"].read_bytes())  # type: ignore[attr-defined]
    await bot.session.close()


@pytest.mark.parametrize("markup", [KEYBOARD, None])
async def test_an_answer_that_arrived_unheard_is_found_with_its_keyboard(
    post: Post, markup: InlineKeyboardMarkup | None
) -> None:
    job = await post.job()
    await post.sandbox.inject("sendVoice", "drop_after")
    confirmed: list[Sent] = []

    async def confirm(_session: object, _job: Job, sent: Sent) -> None:
        confirmed.append(sent)

    await post.delivery.deliver(job, post.voice(job, markup), JobState.DONE, confirm=confirm)
    [voice] = await post.sandbox.messages(from_bot=True)
    assert voice.text == "Song & dance"
    assert [button.text for button in voice.buttons] == (["Later"] if markup else [])
    assert [sent.message_id for sent in confirmed] == [voice.message_id]
    assert confirmed[0].file_id == (voice.file_id if markup else None)
    assert await post.state(job) is JobState.DONE


async def test_an_answer_that_did_not_arrive_is_sent_again(post: Post) -> None:
    job = await post.job()
    await post.sandbox.inject("sendVoice", error_code=502, description="Bad Gateway")
    await post.delivery.deliver(job, post.voice(job), JobState.DONE)
    assert await post.kinds() == ["voice"]
    assert [row.job_id for row in await post.sent()] == [job.id]


async def test_other_messages_of_ours_around_it_are_neither_taken_for_it_nor_changed(post: Post) -> None:
    first = await post.job()
    await post.delivery.deliver(first, post.voice(first), JobState.DONE)
    job = await post.job()
    await post.bot(SendMessage(chat_id=LISTENER_ID, text="in between"))
    await post.job(FRIEND_ID)
    await post.sandbox.inject("sendVoice", "drop")
    await post.delivery.deliver(job, post.voice(job), JobState.DONE)
    shown = await post.sandbox.messages(from_bot=True)
    assert [m.kind for m in shown] == ["voice", "text", "voice"]
    assert [[b.text for b in m.buttons] for m in shown] == [["Later"], [], ["Later"]]
    assert len({row.message_id for row in await post.sent()}) == 2


async def test_a_text_that_arrived_unheard_is_found(post: Post) -> None:
    job = await post.job()
    await post.sandbox.inject("sendMessage", "drop_after")
    text = SendMessage(chat_id=LISTENER_ID, text="I hear only silence")
    await post.delivery.deliver(job, text, JobState.FAILED, error_code="silent")
    assert await post.kinds() == ["text"]
    assert await post.state(job) is JobState.FAILED


async def test_an_interrupted_answer_is_found_later_or_its_job_queued_again(post: Post) -> None:
    for fault, state in (("drop_after", JobState.DONE), ("drop", JobState.QUEUED)):
        job = await post.job()
        floor = post.sender.highest(job.chat_id)
        intent = Intent("sendVoice", "<b>Song</b> &amp; dance", floor, JobState.DONE)
        async with post.database.write() as session:
            await jobs.intend(session, job.id, intent)
        await post.sandbox.inject("sendVoice", fault)
        async with post.sender.turn(job.chat_id):  # as a process that dies right here
            with pytest.raises(DeliveryUncertain):
                await post.bot(post.voice(job))
        async with post.database.read() as session:
            [left] = await jobs.in_state(session, JobState.SENDING)
        await post.delivery.resolve(left, None)
        assert await post.state(job) is state


async def test_a_cancelled_job_is_not_answered(post: Post) -> None:
    job = await post.job()
    async with post.database.write() as session:
        await jobs.cancel(session, job.user_id)
    with pytest.raises(JobGone):
        await post.delivery.deliver(job, post.voice(job), JobState.DONE)
    assert await post.kinds() == []


async def test_looking_has_an_end(post: Post) -> None:
    job = await post.job()
    assert await post.delivery.find(job, Intent("sendVoice", "", job.message_id, JobState.DONE)) is None
    assert len(await post.sandbox.calls("editMessageCaption")) == SPAN
