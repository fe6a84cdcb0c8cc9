"""Both sides of feedback over HTTP: the user's private chat and the team's."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from bot.app import App
from bot.db.feedback_models import LetterRow, ThreadRow
from bot.services.feedback import LETTERS_PER_HOUR
from sandbox.client import ADMIN_CHAT_ID, FRIEND_ID, LISTENER_ID, TEAM_ID
from sandbox.testing import RunningSandbox
from sandbox.views import MessageView
from tests.bot.conftest import StartApp


@pytest.fixture
async def app(start_app: StartApp) -> AsyncIterator[App]:
    async with start_app(admin_chat_id=ADMIN_CHAT_ID) as app:
        yield app


@pytest.fixture
def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "PNG")
    return file.getvalue()


async def say(sandbox: RunningSandbox, text: str, user: int = LISTENER_ID) -> MessageView:
    """/feedback and a text; the letter as the team sees it."""
    await sandbox.send_text("/feedback", user=user)
    await sandbox.wait_for(lambda m: "Tell the team" in m.text, chat=user)
    await sandbox.send_text(text, user=user)
    return await letter(sandbox, text)


async def letter(sandbox: RunningSandbox, text: str) -> MessageView:
    return await sandbox.wait_for(lambda m: text in m.text, chat=ADMIN_CHAT_ID)


async def team_replies(sandbox: RunningSandbox, to: MessageView, text: str) -> MessageView:
    return await sandbox.send_text(text, user=TEAM_ID, chat=ADMIN_CHAT_ID, reply_to=to)


async def test_a_text_reaches_the_team_and_the_user_is_told_when_it_has(
    app: App, sandbox: RunningSandbox
) -> None:
    shown = await say(sandbox, "More <b>bass</b> & less talk")
    assert "More <b>bass</b> & less talk" in shown.text  # as typed: no markup of the user's is interpreted
    assert str(LISTENER_ID) in shown.text
    told = await sandbox.wait_for(lambda m: "The team has it" in m.text)
    assert "no. 1" in told.text
    assert [m for m in await sandbox.messages() if "on its way" in m.text] == []


async def test_the_answer_comes_back_and_can_be_answered_in_the_thread(
    app: App, sandbox: RunningSandbox
) -> None:
    shown = await say(sandbox, "Where is the bass?")
    await team_replies(sandbox, shown, "Coming on Friday")
    answer = await sandbox.wait_for(lambda m: "Coming on Friday" in m.text)
    assert "The team answers" in answer.text
    await sandbox.send_text("Thanks a lot", reply_to=answer)
    second = await letter(sandbox, "Thanks a lot")
    assert second.reply_to == shown.message_id
    await team_replies(sandbox, second, "Any time")
    await sandbox.wait_for(lambda m: "Any time" in m.text)
    async with app.database.read() as session:
        assert len(list(await session.scalars(select(ThreadRow)))) == 1
        assert len(list(await session.scalars(select(LetterRow)))) == 4


@pytest.mark.parametrize("kind", ["photo", "voice", "document", "sticker"])
async def test_the_team_answers_with_anything(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], kind: str, picture: bytes
) -> None:
    shown = await say(sandbox, "Hello?")
    source = {"photo": picture, "voice": clips["ogg"], "document": b"notes", "sticker": None}[kind]
    await sandbox.send_file(kind, source, user=TEAM_ID, chat=ADMIN_CHAT_ID, reply_to=shown)
    await sandbox.wait_for(lambda m: m.kind == kind)
    assert any("The team answers" in m.text for m in await sandbox.messages(from_bot=True))


@pytest.mark.parametrize("kind", ["photo", "voice", "document"])
async def test_the_user_sends_more_than_words(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], kind: str, picture: bytes
) -> None:
    await sandbox.send_text("/feedback")
    await sandbox.wait_for(lambda m: "Tell the team" in m.text)
    source = {"photo": picture, "voice": clips["ogg"], "document": b"a log"}[kind]
    await sandbox.send_file(kind, source, caption="see here")
    shown = await sandbox.wait_for(lambda m: m.kind == kind, chat=ADMIN_CHAT_ID)
    assert "see here" in shown.text


async def test_a_track_in_the_middle_of_it_is_still_a_track(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    await say(sandbox, "Listen to this")
    await sandbox.send_audio(clips["mp3"])
    await sandbox.wait_for(lambda m: m.kind == "voice")


async def test_a_contact_is_stored_only_when_left(app: App, sandbox: RunningSandbox) -> None:
    await say(sandbox, "Call me")
    told = await sandbox.wait_for(lambda m: "The team has it" in m.text)
    await sandbox.press(told, "📮")
    await sandbox.wait_for(lambda m: "outside Telegram" in m.text)
    await sandbox.send_text("me@example.org")
    await letter(sandbox, "me@example.org")
    async with app.database.read() as session:
        assert list(await session.scalars(select(ThreadRow.contact))) == ["me@example.org"]


async def test_cancel_sends_nothing(app: App, sandbox: RunningSandbox) -> None:
    await sandbox.send_text("/feedback")
    asked = await sandbox.wait_for(lambda m: "Tell the team" in m.text)
    answer = await sandbox.press(asked, "✖️")
    assert answer.text == "All right, nothing was sent."
    await sandbox.send_text("just chatting")
    await sandbox.wait_for(lambda m: "Send me a track" in m.text)
    assert await sandbox.messages(ADMIN_CHAT_ID, from_bot=True) == []


async def test_a_conversation_and_the_thread_survive_a_restart(
    start_app: StartApp, sandbox: RunningSandbox
) -> None:
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        await sandbox.send_text("/feedback")
        await sandbox.wait_for(lambda m: "Tell the team" in m.text)
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        await sandbox.send_text("Are you there?")
        shown = await letter(sandbox, "Are you there?")
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        await team_replies(sandbox, shown, "We are")
        await sandbox.wait_for(lambda m: "We are" in m.text)


async def test_delivery_is_retried_until_it_arrives_and_the_user_reads_the_truth(
    start_app: StartApp, sandbox: RunningSandbox
) -> None:
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        await sandbox.send_text("/feedback")
        await sandbox.wait_for(lambda m: "Tell the team" in m.text)
        await sandbox.set_bot_status(ADMIN_CHAT_ID, "kicked", user=TEAM_ID)
        await sandbox.send_text("Can you hear me?")
        await sandbox.wait_for(lambda m: "on its way to the team" in m.text)
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        await sandbox.set_bot_status(ADMIN_CHAT_ID, "member", user=TEAM_ID)
        await letter(sandbox, "Can you hear me?")
        await sandbox.wait_for(lambda m: "The team has it" in m.text)


async def test_without_a_team_chat_letters_wait_for_one(start_app: StartApp, sandbox: RunningSandbox) -> None:
    async with start_app():
        await sandbox.send_text("/feedback Nobody home?")
        await sandbox.wait_for(lambda m: "on its way" in m.text)
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        await letter(sandbox, "Nobody home?")


async def test_the_team_hears_that_an_answer_did_not_arrive(app: App, sandbox: RunningSandbox) -> None:
    shown = await say(sandbox, "Bye")
    await sandbox.block()
    reply = await team_replies(sandbox, shown, "Wait!")
    lost = await sandbox.wait_for(lambda m: "did not arrive" in m.text, chat=ADMIN_CHAT_ID)
    assert lost.reply_to == reply.message_id


async def test_a_flood_is_refused_kindly_and_nothing_of_it_lost(app: App, sandbox: RunningSandbox) -> None:
    await sandbox.send_text("/feedback")
    for n in range(LETTERS_PER_HOUR + 1):
        await sandbox.send_text(f"letter {n}.")
        if n % 10 == 9:  # under the limit on updates
            await letter(sandbox, f"letter {n}.")
    await sandbox.wait_for(lambda m: f"{LETTERS_PER_HOUR} messages in an hour" in m.text)
    await letter(sandbox, f"letter {LETTERS_PER_HOUR - 1}.")


async def test_forget_erases_contact_and_letters_here_and_in_the_teams_chat(
    app: App, sandbox: RunningSandbox
) -> None:
    await say(sandbox, "Call me")
    told = await sandbox.wait_for(lambda m: "The team has it" in m.text)
    await sandbox.press(told, "📮")
    await sandbox.wait_for(lambda m: "outside Telegram" in m.text)
    await sandbox.send_text("+49 30 1234567")
    await letter(sandbox, "+49 30 1234567")
    await sandbox.send_text("/forget")
    asked = await sandbox.wait_for(lambda m: any("rase" in b.text for b in m.buttons))
    await sandbox.press(asked, next(b for b in asked.buttons if "rase" in b.text))
    await sandbox.wait_for(lambda m: "to the team" in m.text and "Erased" in m.text)
    async with app.database.read() as session:
        assert list(await session.scalars(select(ThreadRow))) == []
        assert list(await session.scalars(select(LetterRow))) == []
    shown = " ".join(m.text for m in await sandbox.messages(ADMIN_CHAT_ID))
    assert "1234567" not in shown
    assert "Call me" not in shown


async def test_nobody_else_can_read_or_answer_a_thread(app: App, sandbox: RunningSandbox) -> None:
    shown = await say(sandbox, "Private matter")
    await team_replies(sandbox, shown, "Between us")
    await sandbox.wait_for(lambda m: "Between us" in m.text)
    await sandbox.send_text("Let me in", user=FRIEND_ID)
    await sandbox.wait_for(lambda m: "Пришлите трек" in m.text, chat=FRIEND_ID)  # as to anybody
    assert all("Between us" not in m.text for m in await sandbox.messages(FRIEND_ID))
