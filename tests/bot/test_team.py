"""The team's chat over HTTP: figures, open threads, bans, broadcasts; and that nobody else gets any of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.app import App
from bot.db.feedback_models import BroadcastRow
from bot.db.models import JobRow, utc_now
from bot.feedback_buttons import BroadcastPress, ThreadPress
from sandbox.client import ADMIN_CHAT_ID, FRIEND_ID, LISTENER_ID, TEAM_ID
from sandbox.testing import RunningSandbox
from sandbox.views import MessageView
from tests.bot.conftest import StartApp

COMMANDS = ("/stats", "/feedbacks", "/ban 1", "/unban 1", "/broadcast", "/team")


@pytest.fixture
async def app(start_app: StartApp) -> AsyncIterator[App]:
    async with start_app(admin_chat_id=ADMIN_CHAT_ID) as app:
        yield app


async def tell(sandbox: RunningSandbox, text: str, reply_to: MessageView | None = None) -> MessageView:
    return await sandbox.send_text(text, user=TEAM_ID, chat=ADMIN_CHAT_ID, reply_to=reply_to)


async def in_team(sandbox: RunningSandbox, text: str) -> MessageView:
    return await sandbox.wait_for(lambda m: text in m.text, chat=ADMIN_CHAT_ID)


async def letter(sandbox: RunningSandbox, text: str, user: int = LISTENER_ID) -> MessageView:
    await sandbox.send_text(f"/feedback {text}", user=user)
    return await in_team(sandbox, text)


async def test_stats_count_answers_failures_latency_and_thumbs(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    await sandbox.send_audio(clips["mp3"])
    voice = await sandbox.wait_for(lambda m: m.kind == "voice")
    await sandbox.press(voice, "👍")
    await sandbox.send_document(b"no audio at all", file_name="broken.mp3")
    await sandbox.send_document(b"\0" * 10, file_name="other.mp3")
    await sandbox.wait_for_all(lambda found: len([m for m in found if m.kind == "voice"]) >= 1)
    async with app.database.write() as session:
        first = utc_now() - timedelta(seconds=12)
        await session.execute(
            update(JobRow).values(created_at=first, finished_at=first + timedelta(seconds=7))
        )
    await tell(sandbox, "/stats")
    shown = await sandbox.wait_for(lambda m: m.kind == "photo", chat=ADMIN_CHAT_ID)
    assert "median 7.0 s" in shown.text
    assert "👍 1 👎 0 (100 %)" in shown.text
    assert "2 users" in shown.text
    assert shown.raw["photo"][-1]["width"] >= 800


async def test_open_feedback_is_listed_and_marked_done(app: App, sandbox: RunningSandbox) -> None:
    await letter(sandbox, "First <i>matter</i>")
    await letter(sandbox, "Second matter", user=FRIEND_ID)
    await tell(sandbox, "/feedbacks")
    listed = await in_team(sandbox, "2 matters wait")
    assert "First <i>matter</i>" in listed.text  # inert
    done = await sandbox.press(listed, "✓ 1", user=TEAM_ID)
    assert done.text == "No. 1 is done."
    again = await sandbox.press(listed, "✓ 1", user=TEAM_ID)
    assert again.text == "No. 1 was done already."
    left = await in_team(sandbox, "1 matter waits")
    assert "Second matter" in left.text


async def test_a_done_thread_opens_again_when_its_user_writes(app: App, sandbox: RunningSandbox) -> None:
    shown = await letter(sandbox, "One more thing")
    await sandbox.press(shown, "✓", user=TEAM_ID)
    await tell(sandbox, "/feedbacks")
    await in_team(sandbox, "Nothing waits")
    await tell(sandbox, "Which?", reply_to=shown)
    answer = await sandbox.wait_for(lambda m: "Which?" in m.text)
    await sandbox.send_text("The bass", reply_to=answer)
    await in_team(sandbox, "The bass")
    await tell(sandbox, "/feedbacks")
    await in_team(sandbox, "1 matter waits")


async def test_who_is_banned_is_not_served_but_keeps_their_rights(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    shown = await letter(sandbox, "spam")
    await tell(sandbox, "/ban", reply_to=shown)
    await in_team(sandbox, f"{LISTENER_ID} is banned")
    await sandbox.send_audio(clips["mp3"])
    await sandbox.send_text("/privacy")  # handled after the track, which so was passed over
    await sandbox.wait_for(lambda m: "/forget" in m.text)
    assert [m for m in await sandbox.messages(from_bot=True) if m.kind == "voice"] == []
    await tell(sandbox, f"/unban {LISTENER_ID}")
    await in_team(sandbox, "no longer banned")
    await sandbox.send_audio(clips["mp3"])
    await sandbox.wait_for(lambda m: m.kind == "voice")


async def begin_broadcast(sandbox: RunningSandbox) -> MessageView:
    news = await tell(sandbox, "We have <news>")
    await tell(sandbox, "/broadcast", reply_to=news)
    await in_team(sandbox, "This is how it will look")
    return await in_team(sandbox, "Send it to")


async def meet(sandbox: RunningSandbox, *users: int) -> None:
    for user in users:
        await sandbox.send_text("/start", user=user)
        await sandbox.wait_for(lambda m: m.kind == "text", chat=user)


async def copies(sandbox: RunningSandbox, user: int) -> list[MessageView]:
    return [m for m in await sandbox.messages(user, from_bot=True) if m.text == "We have <news>"]


async def test_a_broadcast_is_previewed_confirmed_sent_once_and_reported(
    app: App, sandbox: RunningSandbox
) -> None:
    await meet(sandbox, LISTENER_ID, FRIEND_ID)
    asked = await begin_broadcast(sandbox)
    assert await copies(sandbox, LISTENER_ID) == []
    await sandbox.block(user=FRIEND_ID)
    await sandbox.press(asked, "📣", user=TEAM_ID)
    second = await sandbox.press(asked, "📣", user=TEAM_ID)
    assert second.text == "This was sent or cancelled before."
    await in_team(sandbox, "Done: 1 have it")
    assert len(await copies(sandbox, LISTENER_ID)) == 1
    assert await copies(sandbox, FRIEND_ID) == []


async def test_a_cancelled_broadcast_sends_nothing(app: App, sandbox: RunningSandbox) -> None:
    await meet(sandbox, LISTENER_ID)
    asked = await begin_broadcast(sandbox)
    await sandbox.press(asked, "✖️", user=TEAM_ID)
    await in_team(sandbox, "Cancelled.")
    late = await sandbox.press(asked, "📣", user=TEAM_ID)
    assert late.text == "This was sent or cancelled before."
    assert await copies(sandbox, LISTENER_ID) == []


async def test_a_broadcast_goes_on_after_a_restart_and_doubles_nobody(
    start_app: StartApp, sandbox: RunningSandbox
) -> None:
    users = [2000 + n for n in range(12)]
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        for user in users:
            await sandbox.add_person(user, f"Person {user}")
        await meet(sandbox, *users)
        asked = await begin_broadcast(sandbox)
        await sandbox.press(asked, "📣", user=TEAM_ID)
        await sandbox.wait_for(lambda m: m.text == "We have <news>", chat=users[0])
    async with start_app(admin_chat_id=ADMIN_CHAT_ID) as app:
        # As if the process had died before it wrote down how far it was.
        async with app.database.write() as session:
            await session.execute(update(BroadcastRow).values(cursor=0, state="sending"))
        app.broadcasts._bell.ring()
        for user in users:
            await sandbox.wait_for(lambda m: m.text == "We have <news>", chat=user)
        await in_team(sandbox, f"Done: {len(users)} have it")
    assert [len(await copies(sandbox, user)) for user in users] == [1] * len(users)


@pytest.mark.parametrize("command", COMMANDS)
async def test_commands_of_the_team_do_not_exist_elsewhere(
    app: App, sandbox: RunningSandbox, command: str
) -> None:
    await sandbox.send_text(command)
    answer = await sandbox.wait_for(lambda m: m.kind == "text")
    assert "I don't know this command" in answer.text


async def test_who_left_the_team_has_no_say_there(app: App, sandbox: RunningSandbox) -> None:
    """A stranger whose message carries the team's chat: the server is asked who is a member."""
    await sandbox.inject("getChatMember", error_code=400, description="Bad Request: user not found")
    await tell(sandbox, "/stats")
    await tell(sandbox, "/team")  # asked anew: it is a member again
    await in_team(sandbox, "Reply to a letter")
    assert [m for m in await sandbox.messages(ADMIN_CHAT_ID) if m.kind == "photo"] == []


@pytest.mark.parametrize(
    "press", [ThreadPress(action="done", thread_id=1), BroadcastPress(action="send", broadcast_id=1)]
)
async def test_forged_presses_do_nothing(
    app: App, sandbox: RunningSandbox, press: ThreadPress | BroadcastPress, clips: dict[str, Path]
) -> None:
    await meet(sandbox, LISTENER_ID)
    await letter(sandbox, "An open matter")
    await begin_broadcast(sandbox)
    await sandbox.send_audio(clips["mp3"])
    voice = await sandbox.wait_for(lambda m: m.kind == "voice")
    stored = sandbox.sandbox.world.chat(LISTENER_ID).messages[voice.message_id].message
    stored["reply_markup"]["inline_keyboard"][0] = [{"text": "forged", "callback_data": press.pack()}]
    [shown] = [m for m in await sandbox.messages() if m.message_id == voice.message_id]
    answer = await sandbox.press(shown, "forged")
    assert answer.text is None
    await tell(sandbox, "/feedbacks")
    await in_team(sandbox, "1 matter waits")
    assert await copies(sandbox, LISTENER_ID) == []
