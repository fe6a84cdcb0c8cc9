"""The Bot API as a real aiogram bot meets it."""

from pathlib import Path

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BufferedInputFile,
    FSInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultCachedVoice,
    InputMediaAudio,
    InputMediaPhoto,
    ReactionTypeEmoji,
    ReplyParameters,
)

from sandbox.testing import RunningSandbox
from sandbox.world import ADMIN_CHAT_ID, LISTENER_ID, TEAM_ID

from .conftest import bot_for, jpeg


async def started(sandbox: RunningSandbox) -> int:
    return (await sandbox.send_text("/start")).message_id


def keyboard(text: str = "Go", data: str = "go") -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=text, callback_data=data)]])


async def test_get_me_names_the_bot(bot: Bot) -> None:
    me = await bot.get_me()
    assert me.is_bot
    assert me.id == bot.id


async def test_a_users_text_arrives_once_and_is_confirmed_by_the_next_offset(
    sandbox: RunningSandbox, bot: Bot
) -> None:
    await sandbox.send_text("/start hello")
    (update,) = await bot.get_updates(timeout=5)
    assert update.message is not None
    assert update.message.text == "/start hello"
    assert update.message.from_user is not None
    assert update.message.from_user.language_code == "en"
    assert [u.update_id for u in await bot.get_updates(timeout=0)] == [update.update_id]
    assert await bot.get_updates(offset=update.update_id + 1, timeout=0) == []
    await sandbox.wait_until_taken()


async def test_voice_is_stored_with_duration_and_replies(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    first = await started(sandbox)
    sent = await bot.send_voice(
        LISTENER_ID,
        FSInputFile(tones["ogg"]),
        caption="<b>Song</b> 0:10",
        parse_mode="HTML",
        duration=2,
        reply_parameters=ReplyParameters(message_id=first),
        reply_markup=keyboard(),
    )
    assert sent.voice is not None
    assert sent.voice.duration == 2
    (view,) = await sandbox.messages(from_bot=True)
    assert (view.kind, view.text, view.reply_to) == ("voice", "Song 0:10", first)
    assert view.entities[0]["type"] == "bold"
    assert await sandbox.download(view.file_id) == tones["ogg"].read_bytes()


@pytest.mark.parametrize("suffix", ["ogg", "mp3", "m4a"])
async def test_voice_takes_what_telegram_takes(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path], suffix: str
) -> None:
    await started(sandbox)
    assert (await bot.send_voice(LISTENER_ID, FSInputFile(tones[suffix]))).voice


@pytest.mark.parametrize("suffix", ["flac", "wav"])
async def test_voice_refuses_other_formats(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path], suffix: str
) -> None:
    await started(sandbox)
    with pytest.raises(TelegramBadRequest, match="voice message is OGG with Opus"):
        await bot.send_voice(LISTENER_ID, FSInputFile(tones[suffix], filename="voice.ogg"))


async def test_opus_sent_as_audio_turns_into_a_voice_note(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    await started(sandbox)
    sent = await bot.send_audio(LISTENER_ID, FSInputFile(tones["ogg"]), title="x")
    assert sent.audio is None
    assert sent.voice is not None


async def test_audio_carries_title_performer_and_a_small_jpeg(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    await started(sandbox)
    cover = BufferedInputFile(jpeg(320, 320), "cover.jpg")
    sent = await bot.send_audio(
        LISTENER_ID, FSInputFile(tones["mp3"]), title="T", performer="P", thumbnail=cover
    )
    assert sent.audio is not None
    assert (sent.audio.title, sent.audio.performer, sent.audio.duration) == ("T", "P", 2)
    assert sent.audio.thumbnail is not None
    too_large = BufferedInputFile(jpeg(321, 100), "cover.jpg")
    with pytest.raises(TelegramBadRequest, match="thumbnail"):
        await bot.send_audio(LISTENER_ID, FSInputFile(tones["mp3"]), thumbnail=too_large)


async def test_voices_forbidden_is_a_bad_request_for_that_user_only(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    await started(sandbox)
    await sandbox.forbid_voices()
    with pytest.raises(TelegramBadRequest, match="VOICE_MESSAGES_FORBIDDEN"):
        await bot.send_voice(LISTENER_ID, FSInputFile(tones["ogg"]))
    assert (await bot.send_audio(LISTENER_ID, FSInputFile(tones["mp3"]))).audio
    assert (await bot.get_chat(LISTENER_ID)).has_restricted_voice_and_video_messages


async def test_blocked_and_never_started_chats_are_forbidden(sandbox: RunningSandbox, bot: Bot) -> None:
    with pytest.raises(TelegramForbiddenError, match="can't initiate conversation"):
        await bot.send_message(LISTENER_ID, "hello")
    await started(sandbox)
    await sandbox.block()
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(LISTENER_ID, "hello")
    kinds = [update.event_type for update in await bot.get_updates(timeout=0)]
    assert kinds == ["message", "my_chat_member"]
    await sandbox.block(is_blocked=False)
    assert await bot.send_message(LISTENER_ID, "hello")


async def test_file_ids_can_be_sent_again_but_not_as_another_kind(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    track = await sandbox.send_audio(tones["mp3"], fields={"title": "Named"})
    again = await sandbox.send_audio(tones["mp3"])
    assert track.media["file_unique_id"] == again.media["file_unique_id"]
    assert track.file_id != again.file_id
    sent = await bot.send_audio(LISTENER_ID, track.file_id)
    assert sent.audio is not None
    assert sent.audio.title == "Named"
    with pytest.raises(TelegramBadRequest, match="can't use file of type Audio as VoiceMessage"):
        await bot.send_voice(LISTENER_ID, track.file_id)
    with pytest.raises(TelegramBadRequest, match="wrong file identifier"):
        await bot.send_audio(LISTENER_ID, "nonsense")


async def test_download_gives_the_bytes_and_refuses_what_is_too_big(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    track = await sandbox.send_audio(tones["mp3"])
    body = await bot.download(track.file_id)
    assert body is not None
    assert body.read() == tones["mp3"].read_bytes()
    large = await sandbox.send_audio(
        None, file_name="long.mp3", size_bytes=30_000_000, fields={"duration": 900}
    )
    assert large.media["file_size"] == 30_000_000
    with pytest.raises(TelegramBadRequest, match="file is too big"):
        await bot.get_file(large.file_id)
    edge = await sandbox.send_audio(None, file_name="edge.mp3", size_bytes=20 * 1024 * 1024)
    assert await bot.get_file(edge.file_id)


async def test_an_album_of_a_user_is_separate_updates_with_one_group(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    await sandbox.send_album([tones["mp3"], tones["m4a"], tones["flac"]], caption="three")
    messages = [update.message for update in await bot.get_updates(timeout=0)]
    assert [m.audio is not None for m in messages if m] == [True, True, True]
    assert len({m.media_group_id for m in messages if m}) == 1
    assert [m.caption for m in messages if m] == ["three", None, None]


async def test_albums_of_the_bot_hold_two_to_ten_of_one_kind(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    await started(sandbox)

    def audio() -> InputMediaAudio:
        return InputMediaAudio(media=FSInputFile(tones["mp3"]), title="x")

    sent = await bot.send_media_group(LISTENER_ID, [audio(), audio()])
    assert len({message.media_group_id for message in sent}) == 1
    picture = InputMediaPhoto(media=BufferedInputFile(jpeg(50, 50), "p.jpg"))
    with pytest.raises(TelegramBadRequest, match="can't be mixed"):
        await bot.send_media_group(LISTENER_ID, [audio(), picture])
    with pytest.raises(TelegramBadRequest, match="at least 2"):
        await bot.send_media_group(LISTENER_ID, [audio()])
    with pytest.raises(TelegramBadRequest, match="too many"):
        await bot.send_media_group(LISTENER_ID, [audio() for _ in range(11)])


async def test_edits_change_in_place_and_keep_history(sandbox: RunningSandbox, bot: Bot) -> None:
    await started(sandbox)
    sent = await bot.send_message(LISTENER_ID, "one", reply_markup=keyboard())
    await sent.edit_text("two", reply_markup=keyboard("Stop", "stop"))
    (view,) = await sandbox.messages(from_bot=True)
    assert view.text == "two"
    assert [version["text"] for version in view.versions] == ["one"]
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await sent.edit_text("two", reply_markup=keyboard("Stop", "stop"))
    await sent.edit_reply_markup(reply_markup=None)
    assert (await sandbox.messages(from_bot=True))[0].buttons == []
    await sent.delete()
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await sent.edit_text("three")
    with pytest.raises(TelegramBadRequest, match="message to delete not found"):
        await sent.delete()


async def test_a_voice_note_cannot_be_exchanged_by_editing(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    await started(sandbox)
    sent = await bot.send_voice(LISTENER_ID, FSInputFile(tones["ogg"]), caption="a")
    await sent.edit_caption(caption="b")
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await sent.edit_media(InputMediaAudio(media=FSInputFile(tones["mp3"])))
    with pytest.raises(TelegramBadRequest, match="no text in the message"):
        await sent.edit_text("x")


async def test_replies_to_missing_messages(sandbox: RunningSandbox, bot: Bot) -> None:
    await started(sandbox)
    with pytest.raises(TelegramBadRequest, match="message to be replied not found"):
        await bot.send_message(LISTENER_ID, "x", reply_parameters=ReplyParameters(message_id=77))
    lenient = ReplyParameters(message_id=77, allow_sending_without_reply=True)
    assert (await bot.send_message(LISTENER_ID, "x", reply_parameters=lenient)).reply_to_message is None


async def test_callbacks_are_answered_once_and_in_time(sandbox: RunningSandbox, bot: Bot) -> None:
    await started(sandbox)
    await bot.send_message(LISTENER_ID, "choose", reply_markup=keyboard("Go", "go:1"))
    (view,) = await sandbox.messages(from_bot=True)
    query = await sandbox.press_only(view, "Go")
    update = (await bot.get_updates(timeout=0))[-1]
    assert update.callback_query is not None
    assert update.callback_query.data == "go:1"
    await bot.answer_callback_query(update.callback_query.id, text="Gone", show_alert=True)
    answer = await sandbox.answer_to(query)
    assert (answer.text, answer.is_alert) == ("Gone", True)
    late = await sandbox.press_only(view, (0, 0), is_late=True)
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(late)


async def test_reactions_take_telegrams_own_emoji(sandbox: RunningSandbox, bot: Bot) -> None:
    first = await started(sandbox)
    await bot.set_message_reaction(LISTENER_ID, first, [ReactionTypeEmoji(emoji="👀")])
    assert (await sandbox.messages())[0].reactions == ("👀",)
    with pytest.raises(TelegramBadRequest, match="REACTION_INVALID"):
        await bot.set_message_reaction(LISTENER_ID, first, [ReactionTypeEmoji(emoji="🎵")])


async def test_commands_are_kept_by_scope_and_language(bot: Bot) -> None:
    scope = BotCommandScopeAllPrivateChats()
    command = BotCommand(command="start", description="Начать")
    await bot.set_my_commands([command], scope=scope, language_code="ru")
    kept = await bot.get_my_commands(scope=scope, language_code="ru")
    assert [(one.command, one.description) for one in kept] == [("start", "Начать")]
    assert await bot.get_my_commands() == []
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand(command="Start", description="x")])


async def test_inline_results_reuse_voices(sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]) -> None:
    await started(sandbox)
    sent = await bot.send_voice(LISTENER_ID, FSInputFile(tones["ogg"]))
    assert sent.voice is not None
    asked = await sandbox._do("inline", {"user": LISTENER_ID, "text": "so"})
    update = (await bot.get_updates(timeout=0))[-1]
    assert update.inline_query is not None
    assert update.inline_query.query == "so"
    result = InlineQueryResultCachedVoice(id="1", voice_file_id=sent.voice.file_id, title="Song")
    await bot.answer_inline_query(asked["query"], [result], is_personal=True)
    dropped = await sandbox.choose_inline(asked["query"], "1")
    assert dropped.kind == "voice"
    assert dropped.raw["via_bot"]["id"] == bot.id


async def test_copies_and_forwards_between_chats(sandbox: RunningSandbox, bot: Bot) -> None:
    said = await sandbox.send_text("It is too loud")
    forwarded = await bot.forward_message(ADMIN_CHAT_ID, LISTENER_ID, said.message_id)
    assert forwarded.forward_origin is not None
    answer = await sandbox.send_text(
        "Thanks", user=TEAM_ID, chat=ADMIN_CHAT_ID, reply_to=forwarded.message_id
    )
    await bot.copy_message(LISTENER_ID, ADMIN_CHAT_ID, answer.message_id)
    assert (await sandbox.messages(from_bot=True))[-1].text == "Thanks"


async def test_unknown_tokens_methods_and_chats(sandbox: RunningSandbox, bot: Bot) -> None:
    async with bot_for(sandbox, "1:other") as stranger:
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.get_me()
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(999, "x")
    async with sandbox._session.post(f"{sandbox.url}/bot{sandbox.token}/sendTelepathy") as response:
        assert response.status == 404
