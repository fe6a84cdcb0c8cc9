"""What may be sent, where, and what is said to the rest."""

from pathlib import Path

import pytest

from bot.app import App
from bot.db.models import UserRow
from sandbox.client import FRIEND_ID, GROUP_CHAT_ID, LISTENER_ID, TEAM_ID, MessageView
from sandbox.testing import RunningSandbox
from sandbox.world import BOT_USERNAME
from tests.bot.conftest import StartApp
from tests.fakes import FakePool

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8ffff3f0005fe02fea135816b0000000049454e44ae426082"
)


def answer_to(track: MessageView):
    return lambda m: m.kind == "voice" and m.reply_to == track.message_id


@pytest.mark.parametrize(
    ("kind", "suffix", "options"),
    [
        ("audio", "mp3", {}),
        ("voice", "ogg", {}),
        ("video", "mp3", {"file_name": "clip.mp4"}),
        ("video_note", "mp3", {}),
        ("document", "mp3", {"file_name": "song.flac"}),
        ("document", "mp3", {"file_name": "film.MKV", "fields": {"mime_type": "application/octet-stream"}}),
        ("audio", "mp3", {"forwarded_from": "Somebody"}),
    ],
)
async def test_whatever_sounds_is_a_track(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], kind: str, suffix: str, options: dict
) -> None:
    track = await sandbox.send_file(kind, clips[suffix], **options)
    await sandbox.wait_for(answer_to(track))


async def test_an_album_is_answered_in_its_order_with_one_progress_message(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    pool.gate.clear()
    tracks = await sandbox.send_album(
        [clips["mp3"].read_bytes() + bytes([n]) for n in range(4)], kind="audio"
    )
    progress = await sandbox.wait_for(lambda m: "3 more tracks" in m.text)
    pool.gate.set()
    await sandbox.wait_for(answer_to(tracks[-1]))
    order = [m.reply_to for m in await sandbox.messages() if m.kind == "voice" and m.is_from_bot]
    assert order == [track.message_id for track in tracks]
    await sandbox.wait_for_call(
        "deleteMessage", lambda call: int(call.params["message_id"]) == progress.message_id
    )
    assert len(await sandbox.calls("sendMessage")) == 1


async def test_the_same_album_track_twice_is_answered_twice(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    tracks = await sandbox.send_album([clips["mp3"], clips["mp3"]], kind="audio")
    for track in tracks:
        await sandbox.wait_for(answer_to(track))


@pytest.mark.parametrize(
    ("text", "span", "seconds"), [("/highlight", "1:02–1:32", 30), ("/highlight 15", "1:02–1:17", 15)]
)
async def test_highlight_as_a_reply_in_a_private_chat(
    voice: MessageView, sandbox: RunningSandbox, text: str, span: str, seconds: int
) -> None:
    """To the track, and to our answer, which means the track as well."""
    for target in (voice.reply_to, voice.message_id):
        asked = await sandbox.send_text(text, reply_to=target)
        again = await sandbox.wait_for(
            lambda m, asked=asked: m.kind == "voice" and m.message_id > asked.message_id
        )
        assert again.reply_to == voice.reply_to
        assert span in again.text
        assert again.media["duration"] == seconds


@pytest.mark.parametrize("text", ["/highlight", "/highlight@{bot}", "@{bot} 15", "what about @{bot}?"])
async def test_in_a_group_a_reply_asks(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], text: str
) -> None:
    track = await sandbox.send_audio(clips["mp3"], chat=GROUP_CHAT_ID, user=FRIEND_ID)
    await sandbox.send_text(text.replace("{bot}", BOT_USERNAME), chat=GROUP_CHAT_ID, reply_to=track)
    await sandbox.wait_for(answer_to(track), chat=GROUP_CHAT_ID)


async def test_in_a_group_nothing_else_is_answered_or_written_down(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    track = await sandbox.send_audio(clips["mp3"], chat=GROUP_CHAT_ID, user=FRIEND_ID)
    await sandbox.send_text("hello", chat=GROUP_CHAT_ID)
    await sandbox.send_text("/highlight@another_bot", chat=GROUP_CHAT_ID, reply_to=track)
    await sandbox.send_text("/highlight", chat=GROUP_CHAT_ID, reply_to=track, user=LISTENER_ID)
    voice = await sandbox.wait_for(answer_to(track), chat=GROUP_CHAT_ID)
    from_bot = await sandbox.messages(GROUP_CHAT_ID, from_bot=True)
    assert [m.message_id for m in from_bot] == [voice.message_id]
    async with app.database.read() as session:
        assert await session.get(UserRow, FRIEND_ID) is None


async def test_an_album_in_a_group_counts_when_its_first_track_was_for_us(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    sources = [clips["mp3"].read_bytes() + bytes([n]) for n in range(2)]
    tracks = await sandbox.send_album(sources, kind="audio", caption=f"@{BOT_USERNAME}", chat=GROUP_CHAT_ID)
    for track in tracks:
        await sandbox.wait_for(answer_to(track), chat=GROUP_CHAT_ID)


@pytest.mark.parametrize(
    ("kind", "say", "sentence"),
    [
        ("text", "https://www.youtube.com/watch?v=x", "I can't fetch music from links"),
        ("text", "listen: https://open.spotify.com/track/1 !", "I can't fetch music from links"),
        ("text", "hello", "Send me a track and I'll find its best moment."),
        ("text", "/nonsense", "I don't know this command."),
        ("text", "/highlight", "Reply to a track with /highlight"),
        ("text", "/highlight 1000", "I cut from 5 to 120 seconds."),
        ("photo", PNG, "That's a picture"),
        ("sticker", None, "That's a picture"),
        ("document", b"%PDF-1.7", "I can't play this kind of file."),
    ],
)
async def test_what_is_no_track_is_explained(
    app: App, sandbox: RunningSandbox, kind: str, say: str | bytes | None, sentence: str
) -> None:
    if kind == "text":
        await sandbox.send_text(str(say))
    else:
        await sandbox.send_file(kind, say, file_name="paper.pdf" if kind == "document" else "x.png")
    told = await sandbox.wait_for(lambda m: bool(m.text))
    assert sentence in told.text


async def test_an_album_of_pictures_is_explained_once(app: App, sandbox: RunningSandbox) -> None:
    await sandbox.send_album([PNG, PNG, PNG], kind="photo")
    await sandbox.send_text("/help")
    await sandbox.wait_for(lambda m: m.text.startswith("Send a track"))
    assert sum("picture" in m.text for m in await sandbox.messages()) == 1


async def test_too_big_is_refused_before_any_download(app: App, sandbox: RunningSandbox) -> None:
    track = await sandbox.send_audio(None, size_bytes=30 * 1024 * 1024)
    told = await sandbox.wait_for(lambda m: m.reply_to == track.message_id)
    assert "over 20 MB" in told.text
    assert not await sandbox.calls("getFile")


async def test_a_byte_over_the_limit_is_refused_and_one_less_is_not(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path]
) -> None:
    limit = 20 * 1024 * 1024
    over = await sandbox.send_audio(None, size_bytes=limit + 1)
    told = await sandbox.wait_for(lambda m: m.reply_to == over.message_id)
    assert "over 20 MB" in told.text
    within = await sandbox.send_audio(clips["mp3"], fields={"file_size": limit})
    await sandbox.wait_for(answer_to(within))


@pytest.mark.parametrize("fields", [{"file_size": None}, {"file_size": 1000}], ids=["untold", "wrong"])
async def test_too_big_as_only_telegram_knows_is_told_all_the_same(
    app: App, sandbox: RunningSandbox, clips: dict[str, Path], fields: dict[str, int | None]
) -> None:
    """getFile answers 400 'file is too big'; the next track is served."""
    track = await sandbox.send_audio(None, size_bytes=30 * 1024 * 1024, fields=fields)
    told = await sandbox.wait_for(lambda m: m.reply_to == track.message_id)
    assert "20 MB" in told.text
    assert len(await sandbox.calls("getFile")) == 1
    await sandbox.wait_for(answer_to(await sandbox.send_audio(clips["mp3"])))


async def test_an_album_out_of_order_is_one_album(
    start_app: StartApp, sandbox: RunningSandbox, clips: dict[str, Path], pool: FakePool
) -> None:
    sources = [clips["mp3"].read_bytes() + bytes([n]) for n in range(5)]
    about = [{"fields": {"title": f"Song {n}"}} for n in range(5)]
    tracks = await sandbox.send_album(sources, kind="audio", files=about)
    waiting = sandbox.sandbox.desk.updates.waiting
    messages = [waiting[n]["message"] for n in (3, 0, 4, 1, 2)]
    for update, message in zip(waiting, messages, strict=True):
        update["message"] = message
    pool.gate.clear()
    async with start_app():
        await sandbox.wait_for(lambda m: "4 more tracks" in m.text)
        assert len(await sandbox.calls("sendMessage")) == 1
        pool.gate.set()
        views = await sandbox.wait_for_all(lambda seen: sum(m.kind == "voice" for m in seen) == 5)
        answered = [m.reply_to for m in views if m.kind == "voice"]
        assert sorted(answered) == [track.message_id for track in tracks]
        await sandbox.send_text("/playlist", reply_to=tracks[2])
        menu = await sandbox.wait_for(lambda m: "5 chosen" in m.text)
        listed = [button.text for button in menu.buttons if "Song" in button.text]
        assert [text[-1] for text in listed] == list("01234")


async def test_names_survive(app: App, sandbox: RunningSandbox, clips: dict[str, Path]) -> None:
    family = "👨\u200d👩\u200d👧"
    fields = {"title": f'{family} "It\'s" <b>\u202eevil\u202c\nTwo & more', "performer": "שלום"}
    await sandbox.send_audio(clips["mp3"], fields=fields)
    voice = await sandbox.wait_for(lambda m: m.kind == "voice")
    assert voice.text.splitlines()[0] == f'\u2068שלום\u2069 — {family} "It\'s" <b>evil Two & more'
    history = await sandbox.send_text("/history")
    listed = await sandbox.wait_for(lambda m: m.message_id > history.message_id)
    assert family in listed.buttons[0].text
    await sandbox.press(voice, "🎵")
    audio = await sandbox.wait_for(lambda m: m.kind == "audio" and m.is_from_bot)
    assert audio.media["title"] == f'{family} "It\'s" <b>evil Two & more'


async def test_a_flood_is_told_once_and_a_press_gets_a_notice(
    app: App, sandbox: RunningSandbox, voice: MessageView
) -> None:
    for _ in range(40):
        await sandbox.send_text("/help")
    notice = await sandbox.press(voice, "👍")
    assert notice.text == "That's a lot at once! I'll answer again in a minute."
    assert sum("a lot at once" in m.text for m in await sandbox.messages()) == 1
    other = await sandbox.send_text("/help", user=TEAM_ID)  # nobody else notices
    await sandbox.wait_for(lambda m: m.message_id > other.message_id, chat=TEAM_ID)
