"""Updates by polling and by webhook, trouble on demand, and what a restart keeps."""

import asyncio
import json
from pathlib import Path

import pytest
from aiogram import Bot, Dispatcher, F
from aiogram.exceptions import (
    TelegramConflictError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import FSInputFile, Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from sandbox.client import ADMIN_CHAT_ID, FRIEND_ID, GROUP_CHAT_ID, LISTENER_ID, TEAM_ID, ActionError
from sandbox.testing import RunningSandbox, running_sandbox

from .conftest import bot_for


def echo() -> Dispatcher:
    """Answers a text with itself and a sound with a voice message."""
    dispatcher = Dispatcher()

    @dispatcher.message(F.text)
    async def on_text(message: Message) -> None:
        await message.reply(message.text or "")

    @dispatcher.message(F.audio.file_id.as_("file_id"))
    async def on_audio(message: Message, file_id: str, bot: Bot) -> None:
        path = Path(str(dispatcher["voice"]))
        await bot.download(file_id)
        await message.reply_voice(FSInputFile(path), duration=2)

    return dispatcher


async def test_a_real_bot_polls_and_answers(
    sandbox: RunningSandbox, bot: Bot, tones: dict[str, Path]
) -> None:
    dispatcher = echo()
    dispatcher["voice"] = str(tones["ogg"])
    async with asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(
            dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False)
        )
        await sandbox.wait_for_polling()
        said = await sandbox.send_text("hello")
        answer = await sandbox.wait_for(lambda m: m.text == "hello")
        assert answer.reply_to == said.message_id
        track = await sandbox.send_audio(tones["mp3"])
        voice = await sandbox.wait_for(lambda m: m.kind == "voice", after=track)
        assert voice.media["duration"] == 2
        await sandbox.wait_until_taken()
        await dispatcher.stop_polling()
        await polling


async def test_a_second_poller_ends_the_first_with_409(sandbox: RunningSandbox, bot: Bot) -> None:
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(_conflict(bot))
        await sandbox.wait_for_polling()
        second = tasks.create_task(bot.get_updates(timeout=5))
        assert "terminated by other getUpdates" in await first
        await sandbox.send_text("hello")
        assert len(await second) == 1


async def _conflict(bot: Bot) -> str:
    with pytest.raises(TelegramConflictError) as caught:
        await bot.get_updates(timeout=30)
    return str(caught.value)


async def test_updates_that_were_not_asked_for_stay_away(sandbox: RunningSandbox, bot: Bot) -> None:
    said = await sandbox.send_text("hello")
    await sandbox.react(said, "👍")
    assert [u.event_type for u in await bot.get_updates()] == ["message"]
    await sandbox.react(said, "🔥")
    updates = await bot.get_updates(allowed_updates=["message_reaction"])
    assert [u.event_type for u in updates] == ["message_reaction"]


async def test_groups_with_privacy_mode_show_commands_and_replies_only(
    sandbox: RunningSandbox, bot: Bot
) -> None:
    await sandbox.set_privacy(is_private=True)
    await sandbox.send_text("just talking", chat=GROUP_CHAT_ID)
    await sandbox.send_text("/start", chat=GROUP_CHAT_ID)
    await sandbox.send_text("seen, the bot is administrator", user=TEAM_ID, chat=ADMIN_CHAT_ID)
    texts = [u.message.text for u in await bot.get_updates() if u.message]
    assert texts == ["/start", "seen, the bot is administrator"]
    with pytest.raises(ActionError, match="not in chat"):
        await sandbox.send_text("hello", user=LISTENER_ID, chat=ADMIN_CHAT_ID)


async def test_webhook_delivers_with_its_secret_and_repeats_until_taken(
    sandbox: RunningSandbox, bot: Bot
) -> None:
    seen: list[str] = []
    app = web.Application()
    dispatcher = echo()

    @web.middleware
    async def note(request: web.Request, handler: object) -> web.StreamResponse:
        seen.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""))
        if len(seen) == 1:
            raise web.HTTPBadGateway
        return await handler(request)  # type: ignore[operator,no-any-return]

    app.middlewares.append(note)
    SimpleRequestHandler(dispatcher, bot, handle_in_background=False, secret_token="s3cret").register(
        app, "/hook"
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        await bot.set_webhook(url, secret_token="s3cret")
        assert (await bot.get_webhook_info()).url == url
        with pytest.raises(TelegramConflictError, match="webhook is active"):
            await bot.get_updates()
        await sandbox.send_text("by post")
        assert await sandbox.wait_for(lambda m: m.text == "by post")
        await sandbox.wait_until_taken()
        assert seen == ["s3cret", "s3cret"]
        await bot.delete_webhook()
        assert await bot.get_updates() == []
    finally:
        await runner.cleanup()


async def test_injected_errors_reach_the_bot_and_run_out(sandbox: RunningSandbox, bot: Bot) -> None:
    await sandbox.send_text("/start")
    await sandbox.inject_flood("sendMessage", 3)
    with pytest.raises(TelegramRetryAfter) as flood:
        await bot.send_message(LISTENER_ID, "one")
    assert flood.value.retry_after == 3
    await sandbox.inject("send*", error_code=502, description="Bad Gateway", times=2)
    for _ in range(2):
        with pytest.raises(TelegramServerError):
            await bot.send_message(LISTENER_ID, "two")
    await bot.send_message(LISTENER_ID, "three")
    assert [m.text for m in await sandbox.messages(from_bot=True)] == ["three"]
    calls = await sandbox.calls("sendMessage")
    assert [(c.status, c.fault) for c in calls] == [
        (429, "error"),
        (502, "error"),
        (502, "error"),
        (200, None),
    ]


async def test_a_broken_connection_leaves_the_message_or_not(sandbox: RunningSandbox, bot: Bot) -> None:
    await sandbox.send_text("/start")
    await sandbox.inject("sendMessage", "drop")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(LISTENER_ID, "lost")
    await sandbox.inject("sendMessage", "drop_after")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(LISTENER_ID, "arrived")
    await sandbox.inject("sendMessage", "hang_after", delay_s=60)
    with pytest.raises(TelegramNetworkError, match="timeout"):
        await bot.send_message(LISTENER_ID, "arrived too", request_timeout=1)
    assert [m.text for m in await sandbox.messages(from_bot=True)] == ["arrived", "arrived too"]


async def test_a_restart_keeps_chats_files_and_unconfirmed_updates(
    tmp_path: Path, tones: dict[str, Path]
) -> None:
    async with running_sandbox(tmp_path) as first, bot_for(first) as bot:
        track = await first.send_audio(tones["mp3"])
        await bot.send_message(LISTENER_ID, "noted")
        revision = (await first._get("state"))["revision"]
    async with running_sandbox(tmp_path) as second, bot_for(second) as bot:
        assert [m.text for m in await second.messages(from_bot=True)] == ["noted"]
        assert await second.download(track.file_id) == tones["mp3"].read_bytes()
        (update,) = await bot.get_updates()
        assert update.message is not None
        assert update.message.message_id == track.message_id
        changes = await second._get("changes", since=revision)
        assert changes["events"] is None  # an open page reads everything anew
        later = await second.send_text("later")
        assert later.message_id == 3


async def test_private_chats_share_one_sequence_of_message_numbers(sandbox: RunningSandbox) -> None:
    numbers = [
        (await sandbox.send_text("one")).message_id,
        (await sandbox.send_text("two", user=FRIEND_ID)).message_id,
        (await sandbox.send_text("three", chat=GROUP_CHAT_ID)).message_id,
        (await sandbox.send_text("one", user=TEAM_ID, chat=ADMIN_CHAT_ID)).message_id,
    ]
    assert numbers == [1, 2, 3, 1]


async def test_other_sites_cannot_use_the_sandbox(sandbox: RunningSandbox) -> None:
    headers = {"Origin": "https://evil.example"}
    url = f"{sandbox.url}/sandbox/api/inject"
    async with sandbox._session.post(url, data=json.dumps({"method": "*"}), headers=headers) as response:
        assert response.status == 403
    assert (await sandbox._get("state"))["faults"] == []


async def test_a_local_server_gives_paths_and_has_no_download_limit(
    tmp_path: Path, tones: dict[str, Path]
) -> None:
    async with running_sandbox(tmp_path, is_local=True) as sandbox, bot_for(sandbox) as bot:
        track = await sandbox.send_audio(tones["mp3"], size_bytes=30_000_000)
        path = (await bot.get_file(track.file_id)).file_path
        assert path is not None
        assert Path(path).read_bytes() == tones["mp3"].read_bytes()
