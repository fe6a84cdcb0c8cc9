"""The keyboard under a highlight, over HTTP, with the audio work faked: bars of two seconds, moments at 1:02
and 2:00 of three minutes.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot.app import App
from bot.db.models import BasketRow, JobRow, LabelRow, SettingsRow, utc_now
from bot.keyboards import AnswerPress, Button, HistoryPress, SettingPress
from sandbox.client import FRIEND_ID, GROUP_CHAT_ID, LISTENER_ID, MessageView
from sandbox.testing import RunningSandbox
from tests.bot.listener.conftest import TITLE, Ask
from tests.fakes import MODEL_VERSION, FakePool


def other_voice(than: MessageView, kind: str = "voice"):
    return lambda m: m.kind == kind and m.message_id != than.message_id


async def labels(app: App) -> list[LabelRow]:
    async with app.database.read() as session:
        return list(await session.scalars(select(LabelRow).order_by(LabelRow.id)))


async def test_the_keyboard_offers_what_would_change_something(voice: MessageView) -> None:
    assert [b.text for b in voice.buttons] == [
        *("⏪ Earlier", "Later ⏩", "15 s", "✓ 30 s", "60 s"),
        *("✨ Next best", "📈 Curve", "🎵 MP3", "➕ Add to mix", "👍", "👎"),
    ]


async def test_later_takes_the_answers_place_without_another_analysis(
    voice: MessageView, sandbox: RunningSandbox, pool: FakePool
) -> None:
    answer = await sandbox.press(voice, "Later")
    moved = await sandbox.wait_for(other_voice(voice))
    assert answer.text == "Cutting…"
    assert "1:04–1:34" in moved.text
    assert "Moved to where you wanted it." in moved.text
    assert moved.reply_to == voice.reply_to
    await sandbox.wait_for_call("deleteMessage")
    assert [m.message_id for m in await sandbox.messages() if m.kind == "voice"] == [moved.message_id]
    assert pool.calls == ["analyse_and_cut", "cut"]


async def test_a_window_that_was_cut_before_comes_back_without_audio_work(
    voice: MessageView, sandbox: RunningSandbox, pool: FakePool
) -> None:
    await sandbox.press(voice, "Later")
    moved = await sandbox.wait_for(other_voice(voice))
    answer = await sandbox.press(moved, "⏪ Earlier")
    back = await sandbox.wait_for(lambda m: m.kind == "voice" and m.message_id > moved.message_id)
    assert answer.text is None
    assert back.file_id == voice.file_id
    assert back.text == voice.text
    assert pool.calls == ["analyse_and_cut", "cut"]
    assert len(await sandbox.calls("getFile")) == 2


async def test_two_taps_make_one_answer(voice: MessageView, sandbox: RunningSandbox, pool: FakePool) -> None:
    pool.gate.clear()
    first = await sandbox.press(voice, "Later")
    second = await sandbox.press(voice, "Later")
    pool.gate.set()
    await sandbox.wait_for(other_voice(voice))
    late = await sandbox.press(voice, "Later")  # from a window that still shows the old message
    assert (first.text, second.text) == ("Cutting…", "Cutting…")
    assert late.text == "That one is in the chat already, a little below."
    await sandbox.wait_for_call("deleteMessage")
    assert len(await sandbox.calls("sendVoice")) == 2


async def test_a_button_pressed_again_later_is_a_new_wish(
    voice: MessageView, sandbox: RunningSandbox, app: App, pool: FakePool
) -> None:
    await sandbox.press(voice, "📈")
    first = await sandbox.wait_for(lambda m: m.kind == "photo")
    await sandbox.press(voice, "👍")  # waits until the picture is written down
    async with app.database.write() as session:
        await session.execute(update(JobRow).values(finished_at=utc_now() - timedelta(minutes=1)))
    assert (await sandbox.press(voice, "📈")).text is None
    again = await sandbox.wait_for(lambda m: m.kind == "photo" and m.message_id != first.message_id)
    assert again.file_id == first.file_id
    assert pool.calls == ["analyse_and_cut", "draw"]


@pytest.mark.parametrize(
    ("button", "span", "sentence"),
    [
        ("✨", "2:00–2:30", "Number 2 of its best moments."),
        ("15 s", "1:02–1:17", "Quite sure this is the moment."),
        ("60 s", "1:02–2:02", "Quite sure this is the moment."),
    ],
)
async def test_other_moments_and_lengths(
    voice: MessageView, sandbox: RunningSandbox, button: str, span: str, sentence: str
) -> None:
    await sandbox.press(voice, button)
    other = await sandbox.wait_for(other_voice(voice))
    assert span in other.text
    assert sentence in other.text


async def test_the_chosen_length_says_so(voice: MessageView, sandbox: RunningSandbox) -> None:
    assert (await sandbox.press(voice, "✓ 30 s")).text == "It is 30 seconds already."


async def test_the_curve_is_drawn_once_and_then_known(
    voice: MessageView, sandbox: RunningSandbox, pool: FakePool
) -> None:
    await sandbox.press(voice, "📈")
    picture = await sandbox.wait_for(lambda m: m.kind == "photo")
    assert picture.reply_to == voice.message_id
    await sandbox.press(voice, "15 s")
    short = await sandbox.wait_for(other_voice(voice))
    await sandbox.press(short, "30 s")
    again = await sandbox.wait_for(lambda m: m.kind == "voice" and m.message_id > short.message_id)
    await sandbox.press(again, "📈")
    second = await sandbox.wait_for(lambda m: m.kind == "photo" and m.message_id != picture.message_id)
    assert second.file_id == picture.file_id
    assert pool.calls.count("draw") == 1


async def test_the_mp3_is_tagged_and_comes_beside_the_voice(
    voice: MessageView, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    await sandbox.press(voice, "🎵")
    audio = await sandbox.wait_for(lambda m: m.kind == "audio" and m.is_from_bot)
    assert (audio.media["title"], audio.media["performer"]) == (TITLE, "The Band")
    assert await sandbox.download(audio.file_id) == clips["mp3"].read_bytes()
    assert audio.buttons == []
    assert voice.message_id in {m.message_id for m in await sandbox.messages()}


async def test_a_thumb_is_stored_and_can_change_its_mind(
    voice: MessageView, sandbox: RunningSandbox, app: App
) -> None:
    assert (await sandbox.press(voice, "👍")).text == "Thank you! I'll remember that this was the moment."
    liked = await sandbox.wait_for(lambda m: any(b.text == "👍 ✓" for b in m.buttons))
    [label] = await labels(app)
    assert (label.user_id, label.model_version, label.rating) == (LISTENER_ID, MODEL_VERSION, 1)
    assert (label.start_s, label.end_s, label.corrected_start_s) == (62.4, 92.4, None)
    await sandbox.press(voice, "👍")  # a second tap on the old keyboard
    assert [label.rating for label in await labels(app)] == [1]
    await sandbox.press(liked, "👎")
    assert [label.rating for label in await labels(app)] == [-1]
    disliked = await sandbox.wait_for(lambda m: any(b.text == "👎 ✓" for b in m.buttons))
    await sandbox.press(disliked, "👎 ✓")
    assert await labels(app) == []


async def test_a_moved_window_is_a_correction_of_the_models_choice(
    voice: MessageView, sandbox: RunningSandbox, app: App
) -> None:
    await sandbox.press(voice, "Later")
    once = await sandbox.wait_for(other_voice(voice))
    await sandbox.press(once, "Later")
    await sandbox.wait_for_call(
        "deleteMessage", lambda call: int(call.params["message_id"]) == once.message_id
    )
    [label] = await labels(app)
    assert (label.start_s, label.end_s) == (62.4, 92.4)
    assert (label.corrected_start_s, label.corrected_end_s) == (66.4, 96.4)
    assert label.rating is None


async def test_back_at_the_models_choice_there_is_nothing_to_correct(
    voice: MessageView, sandbox: RunningSandbox, app: App
) -> None:
    await sandbox.press(voice, "Later")
    moved = await sandbox.wait_for(other_voice(voice))
    await sandbox.press(moved, "👎")  # on its way in the chat: waits until the move is stored
    assert [label.corrected_start_s for label in await labels(app)] == [64.4, None]
    await sandbox.press(moved, "⏪")
    await sandbox.wait_for_call(
        "deleteMessage", lambda call: int(call.params["message_id"]) == moved.message_id
    )
    assert [(label.start_s, label.corrected_start_s) for label in await labels(app)] == [(64.4, None)]


async def test_a_liked_answer_stays_when_another_is_asked_for(
    voice: MessageView, sandbox: RunningSandbox, app: App
) -> None:
    await sandbox.press(voice, "👍")
    await sandbox.press(voice, "✨")
    other = await sandbox.wait_for(other_voice(voice))
    await sandbox.press(other, "👎")  # handled after whatever followed the answer
    assert not await sandbox.calls("deleteMessage")


async def test_a_track_goes_into_the_mix_and_out_again(
    voice: MessageView, sandbox: RunningSandbox, app: App
) -> None:
    assert (
        await sandbox.press(voice, "➕")
    ).text == "Added: the first track of your mix. Add more, then /playlist."
    added = await sandbox.wait_for(lambda m: any(b.text == "✓ In your mix" for b in m.buttons))
    await sandbox.press(voice, "➕")  # twice: still one
    async with app.database.read() as session:
        [row] = await session.scalars(select(BasketRow))
    assert (row.user_id, row.start_s, row.end_s) == (LISTENER_ID, 62.4, 92.4)
    assert (await sandbox.press(added, "✓ In")).text == "Taken out. Your mix is empty now."


async def test_an_audio_answer_changes_in_place(
    app: App, sandbox: RunningSandbox, ask: Ask, pool: FakePool
) -> None:
    await sandbox.forbid_voices()
    audio = await ask()
    assert "Voice messages are switched off here" in audio.text
    await sandbox.press(audio, "Later")
    moved = await sandbox.wait_for(lambda m: m.message_id == audio.message_id and "1:04–1:34" in m.text)
    assert moved.kind == "audio"
    assert (await sandbox.press(audio, "Later")).text is None  # the old keyboard: no second bar
    await sandbox.press(moved, "Later")
    await sandbox.wait_for(lambda m: m.message_id == audio.message_id and "1:06–1:36" in m.text)
    back = await sandbox.press_only(
        await sandbox.wait_for(lambda m: m.message_id == audio.message_id and "1:06" in m.text), "⏪"
    )
    await sandbox.answer_to(back)
    await sandbox.wait_for(lambda m: m.message_id == audio.message_id and "1:04–1:34" in m.text)
    assert len(await sandbox.calls("sendAudio")) == 1


async def test_a_change_in_place_whose_answer_was_lost_is_done_once(
    app: App, sandbox: RunningSandbox, ask: Ask, pool: FakePool
) -> None:
    await sandbox.forbid_voices()
    audio = await ask()
    await sandbox.inject("editMessageMedia", "drop_after")
    await sandbox.press(audio, "Later")
    await sandbox.wait_for_call(
        "editMessageMedia", lambda call: call.status == 400
    )  # not modified: it is there
    moved = await sandbox.wait_for(lambda m: m.message_id == audio.message_id and "1:04–1:34" in m.text)
    await sandbox.press(moved, "👍")
    assert [(label.start_s, label.rating) for label in await labels(app)] == [(62.4, None), (64.4, 1)]


async def test_a_strangers_press_is_refused_kindly(app: App, sandbox: RunningSandbox, ask: Ask) -> None:
    voice = await ask(chat=GROUP_CHAT_ID, caption="/highlight")
    answer = await sandbox.press(voice, "Later", user=FRIEND_ID)
    assert answer.is_alert
    assert answer.text == ("Это ответ не вам. Ответьте на трек командой /highlight, и у вас будет свой.")
    assert len(await sandbox.calls("sendVoice")) == 1


async def test_in_a_group_the_old_answer_stays_without_buttons(
    app: App, sandbox: RunningSandbox, ask: Ask
) -> None:
    voice = await ask(chat=GROUP_CHAT_ID, caption="/highlight")
    await sandbox.press(voice, "Later")
    await sandbox.wait_for(lambda m: m.message_id == voice.message_id and not m.buttons, chat=GROUP_CHAT_ID)


async def test_an_answer_too_old_to_delete_loses_its_buttons(
    voice: MessageView, sandbox: RunningSandbox
) -> None:
    await sandbox.inject(
        "deleteMessage", error_code=400, description="Bad Request: message can't be deleted for everyone"
    )
    await sandbox.press(voice, "Later")
    await sandbox.wait_for(lambda m: m.message_id == voice.message_id and not m.buttons)


async def test_buttons_work_after_a_restart(
    start_app, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    async with start_app():
        await sandbox.send_audio(clips["mp3"])
        voice = await sandbox.wait_for(lambda m: m.kind == "voice")
    async with start_app():
        await sandbox.press(voice, "Later")
        await sandbox.wait_for(other_voice(voice))


async def test_a_press_that_is_too_late_counts_anyway(
    voice: MessageView, sandbox: RunningSandbox, app: App
) -> None:
    await sandbox.press(voice, "👍", is_late=True)
    await sandbox.wait_for(lambda m: any(b.text == "👍 ✓" for b in m.buttons))
    assert [label.rating for label in await labels(app)] == [1]


async def test_a_failed_recut_can_be_asked_for_again(
    voice: MessageView, sandbox: RunningSandbox, pool: FakePool
) -> None:
    pool.failure = ValueError("a fault of ours")
    await sandbox.press(voice, "Later")
    await sandbox.wait_for(lambda m: m.text.startswith("Something went wrong"))
    await sandbox.press(voice, "Later")
    await sandbox.wait_for(other_voice(voice))


async def test_a_file_id_that_went_stale_is_cut_anew(
    voice: MessageView, sandbox: RunningSandbox, pool: FakePool
) -> None:
    await sandbox.press(voice, "Later")
    moved = await sandbox.wait_for(other_voice(voice))
    await sandbox.inject(
        "sendVoice", error_code=400, description="Bad Request: wrong file identifier/HTTP URL specified"
    )
    await sandbox.press(moved, "⏪")
    await sandbox.wait_for(lambda m: m.kind == "voice" and m.message_id > moved.message_id)
    assert pool.calls == ["analyse_and_cut", "cut", "cut"]


async def test_made_up_data_does_nothing(voice: MessageView, sandbox: RunningSandbox, app: App) -> None:
    forged = [
        "h:later:999",
        "h:nonsense:0",
        "x",
        "y:1:0:1",
        "s:1001:length:7",
        "s:1001:language:tlh",
        "h:later",
    ]
    stored = sandbox.sandbox.world.chat(LISTENER_ID).messages[voice.message_id].message
    stored["reply_markup"]["inline_keyboard"][0] = [{"text": data, "callback_data": data} for data in forged]
    [shown] = [m for m in await sandbox.messages() if m.message_id == voice.message_id]
    for data in forged:
        await sandbox.press(shown, data)
    assert (await sandbox.press(shown, "👍")).text  # the bot is well, and through with the ones before
    assert len(await sandbox.calls("sendVoice")) == 1
    async with app.database.read() as session:
        assert await session.get(SettingsRow, LISTENER_ID) is None


def test_callback_data_fits_into_64_bytes() -> None:
    longest = [
        *(AnswerPress(button=button, revision=10**6) for button in Button),
        HistoryPress(owner_id=10**15, page=10**6 - 1, highlight_id=2**53),
        SettingPress(owner_id=10**15, field="language", value="voice"),
    ]
    assert max(len(press.pack().encode()) for press in longest) <= 64
