"""Commands, lists and inline mode over HTTP."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot.app import App
from bot.db.models import Base, ChatRow, SentRow, TrackRow, UserRow
from bot.services.menu import GROUP, PRIVATE
from sandbox.client import FRIEND_ID, GROUP_CHAT_ID, LISTENER_ID, MessageView
from sandbox.testing import RunningSandbox
from tests.bot.listener.conftest import Ask
from tests.fakes import FakePool


async def say(sandbox: RunningSandbox, text: str, **options: int) -> MessageView:
    """Write and wait for what comes back."""
    asked = await sandbox.send_text(text, **options)
    return await sandbox.wait_for(
        lambda m: m.message_id > asked.message_id,
        chat=options.get("chat") or options.get("user", LISTENER_ID),
    )


@pytest.mark.parametrize("user", [LISTENER_ID, FRIEND_ID])
async def test_every_command_in_the_menu_is_answered(app: App, sandbox: RunningSandbox, user: int) -> None:
    answers = [(await say(sandbox, f"/{name}", user=user)).text for name in ("start", *PRIVATE)]
    assert len(set(answers)) == len(answers)
    is_russian = [any("а" <= letter <= "я" for letter in text.lower()) for text in answers]
    assert is_russian == [user == FRIEND_ID] * len(answers)


async def test_menus_and_descriptions_are_registered_in_both_languages_and_once(
    start_app, sandbox: RunningSandbox
) -> None:
    for _ in range(2):
        async with start_app():
            await sandbox.wait_for_call(
                "getMyShortDescription", lambda c: c.params.get("language_code") == "ru"
            )
    profile = sandbox.sandbox.world.bot
    commands = {slot: [c["command"] for c in found] for slot, found in profile.commands.items()}
    for code in ("", "ru"):
        assert commands[f'[{{"type": "all_private_chats"}}, "{code}"]'] == list(PRIVATE)
        assert commands[f'[{{"type": "all_group_chats"}}, "{code}"]'] == list(GROUP)
    assert "лучшие 30 секунд" in profile.texts["description/ru"]
    assert "best 30 seconds" in profile.texts["description/"]
    assert len(await sandbox.calls("setMyCommands")) == 4
    assert len(await sandbox.calls("setMyDescription")) == 2


async def test_settings_change_the_next_answer(app: App, sandbox: RunningSandbox, ask: Ask) -> None:
    menu = await say(sandbox, "/settings")
    assert [b.text for b in menu.buttons] == [
        *("15 s", "✓ 30 s", "60 s", "✓ Voice message", "Audio file", "✓ English", "Русский")
    ]
    assert (await sandbox.press(menu, "15 s")).text == "Saved."
    await sandbox.press(menu, "Audio file")
    await sandbox.press(menu, "Русский")
    changed = await sandbox.wait_for(
        lambda m: m.message_id == menu.message_id and "✓ Русский" in str(m.buttons)
    )
    assert {"✓ 15 с", "✓ Аудиофайл"} <= {b.text for b in changed.buttons}
    audio = await ask()
    assert (audio.kind, audio.media["duration"]) == ("audio", 15)
    assert "Уверен, что это тот самый момент." in audio.text
    assert "🎵 MP3" not in {b.text for b in audio.buttons}


async def test_language_follows_telegram_until_it_is_chosen(app: App, sandbox: RunningSandbox) -> None:
    assert (await say(sandbox, "/cancel")).text.startswith("Nothing is in work")
    await sandbox.set_language("ru")
    assert (await say(sandbox, "/cancel")).text.startswith("Сейчас здесь ничего")
    menu = await say(sandbox, "/language")
    await sandbox.press(menu, "English")
    assert (await say(sandbox, "/cancel")).text.startswith("Nothing is in work")


async def test_history_turns_pages_and_sends_again_by_file_id(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    content = clips["mp3"].read_bytes()
    for n in range(8):
        track = await sandbox.send_audio(
            content + bytes([n]), fields={"title": f"Song {n}", "performer": "P"}, file_name="x.mp3"
        )
        await sandbox.wait_for(lambda m, track=track: m.reply_to == track.message_id)
    first = await say(sandbox, "/history")
    assert first.text.endswith("Page 1 of 2.")
    assert [b.text.split(" · ")[0] for b in first.buttons] == [
        *(f"P — Song {n}" for n in range(7, 1, -1)),
        "▶️",
    ]
    await sandbox.press(first, "▶️")
    second = await sandbox.wait_for(lambda m: m.message_id == first.message_id and "Page 2" in m.text)
    assert [b.text.split(" · ")[0] for b in second.buttons] == ["P — Song 1", "P — Song 0", "◀️"]
    await sandbox.press(second, "P — Song 0")
    again = await sandbox.wait_for(lambda m: m.reply_to == first.message_id)
    assert again.text.startswith("P — Song 0\n")
    assert len(again.buttons) == 11
    twice = await sandbox.press(second, "P — Song 0")
    assert twice.text == "That one is in the chat already, a little below."
    assert pool.calls == ["analyse_and_cut"] * 8


async def test_a_list_in_a_group_obeys_its_owner_only(
    app: App, sandbox: RunningSandbox, voice: MessageView
) -> None:
    menu = await say(sandbox, "/history", chat=GROUP_CHAT_ID)
    answer = await sandbox.press(menu, (0, 0), user=FRIEND_ID)
    assert answer.is_alert
    assert answer.text == "Эти кнопки для того, кто спросил. Отправьте команду сами."


async def test_cancel_stops_what_runs_and_what_waits_and_says_which(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    for n in range(3):
        content = clips["mp3"].read_bytes() + bytes([n])
        await sandbox.send_audio(content, fields={"title": f"<Song> {n}"}, file_name="x.mp3")
    await pool.entered.wait()
    told = await say(sandbox, "/cancel")
    assert told.text == "Stopped 3 jobs:\n• <Song> 0\n• <Song> 1\n• <Song> 2"
    pool.gate.set()
    assert (await say(sandbox, "/cancel")).text.startswith("Nothing is in work")
    assert not await sandbox.calls("sendVoice")


async def test_forget_erases_every_row_about_the_user_and_says_what(
    app: App, sandbox: RunningSandbox, ask: Ask, clips: dict[str, Path]
) -> None:
    voice = await ask()
    shared = await sandbox.send_audio(clips["ogg"])
    await sandbox.wait_for(lambda m: m.reply_to == shared.message_id)
    theirs = await sandbox.forward(shared, user=FRIEND_ID)
    await sandbox.wait_for(lambda m: m.reply_to == theirs.message_id, chat=FRIEND_ID)
    await sandbox.press(voice, "👍")
    await sandbox.press(voice, "➕")
    menu = await say(sandbox, "/settings")
    await sandbox.press(menu, "15 s")
    question = await say(sandbox, "/forget")
    kept = await sandbox.press(question, "Keep it")
    assert kept.text is None
    question = await say(sandbox, "/forget")
    await sandbox.press(question, "Erase everything")
    told = await sandbox.wait_for(lambda m: m.message_id == question.message_id and "Erased" in m.text)
    for line in ("2 highlights", "2 requests", "1 opinion of a moment", "1 track put aside for a mix"):
        assert line in told.text
    assert "what I knew of 1 track" in told.text
    async with app.database.read() as session:
        for table in Base.metadata.sorted_tables:
            if "user_id" in table.c:
                query = select(func.count()).select_from(table).where(table.c.user_id == LISTENER_ID)
                assert await session.scalar(query) == 0, table.name
        assert await session.get(UserRow, LISTENER_ID) is None
        assert await session.get(ChatRow, LISTENER_ID) is None
        assert not list(await session.scalars(select(SentRow).where(SentRow.chat_id == LISTENER_ID)))
        # The friend sent the same file, so what is known of it stays theirs.
        assert list(await session.scalars(select(TrackRow.id))) == [shared.media["file_unique_id"]]
    answer = await sandbox.press(voice, "Later")
    assert answer.text == "I no longer remember this one. Send me the track again."


async def test_forget_stops_what_is_in_work(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    await sandbox.send_audio(clips["mp3"])
    await pool.entered.wait()
    question = await say(sandbox, "/forget")
    await sandbox.press(question, "Erase everything")
    await sandbox.wait_for(lambda m: m.message_id == question.message_id and "Erased" in m.text)
    pool.gate.set()
    assert (await say(sandbox, "/history")).text.startswith("No highlights yet")
    assert not await sandbox.calls("sendVoice")


async def test_inline_finds_ones_own_voices_by_title(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    for name, suffix in (("Ночной ЭКСПРЕСС", "mp3"), ("Paper Lanterns", "ogg")):
        track = await sandbox.send_audio(
            clips[suffix], fields={"title": name, "performer": "P"}, file_name="x.mp3"
        )
        await sandbox.wait_for(lambda m, track=track: m.reply_to == track.message_id)
    everything = await sandbox.inline("")
    assert [r["title"].split(" · ")[0] for r in everything["results"]] == [
        "P — Paper Lanterns",
        "P — Ночной ЭКСПРЕСС",
    ]
    found = await sandbox.inline("экспресс ноч")
    assert [r["title"].split(" · ")[0] for r in found["results"]] == ["P — Ночной ЭКСПРЕСС"]
    call = (await sandbox.calls("answerInlineQuery"))[-1]
    assert call.params["is_personal"] in {True, "true", "True"}
    dropped = await sandbox.choose_inline(found["query"], found["results"][0]["id"], chat=GROUP_CHAT_ID)
    assert dropped.kind == "voice"
    # Dropped into the chat with the bot itself, it is no new track.
    await sandbox.choose_inline(found["query"], found["results"][0]["id"])
    await say(sandbox, "/help")
    assert len(await sandbox.calls("sendVoice")) == 2
    nothing = await sandbox.inline("zzz")
    assert nothing["results"] == []
    assert nothing["button"]["text"] == "Nothing with that name yet"
    stranger = await sandbox.inline("", user=FRIEND_ID)
    assert stranger["results"] == []
