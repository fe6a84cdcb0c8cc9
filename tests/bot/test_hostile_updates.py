"""What a hostile or a newer Telegram client might send, through the real Dispatcher: no incident, no refused
answer, and the next track is served.
"""

import html
import json
import random
import string
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiogram import Bot
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, User
from hypothesis import given
from hypothesis import strategies as st

from bot import polling
from bot.domain import Track
from bot.feedback_buttons import BroadcastPress, FeedbackPress, ThreadPress
from bot.incoming import loads, readable_updates
from bot.keyboards import AnswerPress, ForgetPress, HistoryPress, LanguagePress, SettingPress
from bot.middlewares import throttling
from bot.mix_buttons import MixPress
from bot.texts import Caption, Html, Texts, build_core, clean_name, track_name
from sandbox.client import ADMIN_CHAT_ID, LISTENER_ID, TEAM_ID
from sandbox.formatting import parse_html
from sandbox.methods import Query
from sandbox.testing import RunningSandbox
from sandbox.updates import UpdateQueue
from tests.bot.conftest import StartApp

PRESSES: tuple[type[CallbackData], ...] = (
    *(AnswerPress, HistoryPress, SettingPress, LanguagePress, ForgetPress, MixPress),
    *(FeedbackPress, ThreadPress, BroadcastPress),
)
NUMBERS = (
    "0",
    "-1",
    "1",
    "99",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    "9" * 40,
    "1e9",
    "٣",
    "²",
    "0x1",
    "",
    " 1",
)
WORDS = (
    "",
    "earlier",
    "30",
    "send",
    "done",
    "page",
    "length",
    "answer",
    "language",
    "t",
    "p",
    "v",
    "m",
    "None",
    "💥",
)
TEXTS = (
    "\u202egpj.exe\u202c <b>not closed",
    "</i></b><a href='tg://user?id=1'>x</a>&amp;&lt;",
    '{ $name } { NUMBER(1) } {""}',
    "\x00\x01\x1b[31m\x7f",
    "\ud800 half a pair \udfff",
    "e" + "\u0301" * 2000,
    "👩‍👩‍👧‍👦" * 300,
    "שלום עולם",
    "%s %d %n ../../etc/passwd ' OR 1=1; --",
    "\u200b",
    "a" * 4096,
)
COMMANDS = (
    *(
        "/highlight 1e999",
        "/highlight -5",
        "/highlight " + "9" * 4000,
        "/highlight ٣٠",
        "/highlight 30 30 30",
    ),
    *("/highlight@", "/@", "/", "//", "/highlight@someone_else 30", "/HIGHLIGHT", "/start " + "A" * 64),
    *(
        "/start ../../x",
        "/start inline",
        "/ban -5",
        "/ban " + "9" * 400,
        "/unban ٣",
        "/broadcast",
        "/stats x",
    ),
    *(
        "/language xx",
        "/settings 1",
        "/history -1",
        "/playlist 9999999999",
        "/feedback",
        "/cancel now",
        "/forget me",
    ),
)


def person() -> dict[str, Any]:
    return {"id": LISTENER_ID, "is_bot": False, "first_name": "Ada\u202e\ud83d <b>", "language_code": "xx-хх"}


def chat(kind: str = "private") -> dict[str, Any]:
    ids = {"private": LISTENER_ID, "group": -3001, "supergroup": ADMIN_CHAT_ID, "channel": -1_000_000_009_999}
    return {"id": ids[kind], "type": kind, "title": "<t>"}


def message(number: int, **content: Any) -> dict[str, Any]:
    return {"message_id": number, "date": 0, "chat": chat(), "from": person(), **content}


def callback_data(rng: random.Random) -> Iterator[str]:
    """For every prefix the fields at extremes, and the wrong number of fields."""
    for press in PRESSES:
        names = list(press.model_fields)
        for _ in range(12):
            values = [
                rng.choice((str(LISTENER_ID), *NUMBERS) if rng.random() < 0.7 else WORDS) for _ in names
            ]
            yield ":".join((press.__prefix__, *values))[:64]
        yield press.__prefix__
        yield ":".join((press.__prefix__, *["1"] * (len(names) + 1)))
    yield from ("", ":", "::::", "unknown:1", "h:\ud800:1", "\x00", "h:curve:0\n")


def media(kind: str, file_id: str) -> dict[str, Any]:
    """A file with the fewest and oddest fields that Telegram's types allow."""
    return {
        kind: {
            "file_id": file_id,
            "file_unique_id": f"\ud800../{kind}",
            "duration": -(2**31),
            "file_size": 0,
            "length": 1,
            "width": 0,
            "height": 0,
            "title": TEXTS[1],
            "performer": TEXTS[0],
            "file_name": "../../../etc/passwd\x00.mp3",
            "mime_type": "audio/" + "x" * 300,
        }
    }


def updates(rng: random.Random, start: int, file_id: str) -> Iterator[dict[str, Any]]:
    numbers = iter(range(start, start + 10_000))
    for text in (*TEXTS, *COMMANDS, "".join(rng.choices(string.printable, k=300))):
        yield {"message": message(next(numbers), text=text)}
    for kind in ("group", "supergroup"):
        yield {"message": message(next(numbers), chat=chat(kind), text="/highlight 30")}
    for kind in ("audio", "voice", "video_note", "document", "video"):
        yield {"message": message(next(numbers), **media(kind, file_id))}
        yield {"message": message(next(numbers), caption="/highlight 7", **media(kind, file_id))}
    anonymous = {"message_id": next(numbers), "date": 0, "chat": chat()}
    yield {"message": anonymous}
    yield {"message": {**anonymous, "text": "/start"}}
    yield {"message": {**anonymous, **media("audio", file_id)}}
    yield {"message": message(next(numbers), new_chat_title="x", brand_new_field={"a": [1]})}
    yield {
        "message": message(next(numbers), text="x", entities=[{"type": "new", "offset": -5, "length": 10**9}])
    }
    yield {"message": message(next(numbers), reply_to_message=message(1, text="x"), text="/highlight")}
    yield {"edited_message": message(next(numbers), text="/start")}
    yield {"channel_post": {**anonymous, "chat": chat("channel"), **media("audio", file_id)}}
    yield {"edited_channel_post": {**anonymous, "chat": chat("channel"), "text": "/start"}}
    poll = {"id": "1", "question": "?", "options": [], "total_voter_count": 0, "is_closed": False}
    yield {"poll": {**poll, "is_anonymous": True, "type": "new", "allows_multiple_answers": False}}
    yield {"something_new": {"a": 1}}
    yield {"message": {"nothing": "that is required"}}
    yield {"callback_query": {"id": "1"}}
    for n, offset in enumerate(("", "²", "-1", "9" * 64, "x")):
        yield {"inline_query": {"id": f"77{n}", "from": person(), "query": TEXTS[4], "offset": offset}}


@pytest.mark.slow
async def test_hostile_updates_cause_no_incident_and_stop_nobody(
    start_app: StartApp,
    sandbox: RunningSandbox,
    clips: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(
        throttling.ThrottlingMiddleware, "_may_pass", lambda *_: True
    )  # it hides what follows
    monkeypatch.setattr(UpdateQueue, "is_wanted", lambda *_: True)  # also what the bot did not ask for
    monkeypatch.setattr(polling, "PATIENCE_S", 240.0)
    rng = random.Random(20_261)
    desk = sandbox.sandbox.desk
    async with start_app(admin_chat_id=ADMIN_CHAT_ID):
        await sandbox.send_text("/settings")
        await sandbox.send_text("/feedbacks", user=TEAM_ID, chat=ADMIN_CHAT_ID)
        real = await sandbox.send_audio(clips["ogg"])
        file_id = real.media["file_id"]
        shown = (
            await sandbox.wait_for(lambda m: m.kind == "text", timeout_s=90),
            await sandbox.wait_for(lambda m: m.kind == "text", chat=ADMIN_CHAT_ID, timeout_s=90),
            await sandbox.wait_for(lambda m: m.kind == "voice", timeout_s=90),
        )
        for update in updates(
            rng, start=desk.world.chats[LISTENER_ID].last_message_id + 1000, file_id=file_id
        ):
            ((kind, content),) = update.items()
            if kind == "inline_query":
                desk.queries[content["id"]] = Query(content["id"], LISTENER_ID, time.time())
            desk.updates.add(kind, content)
        for n, made_up in enumerate(callback_data(rng)):
            where = shown[n % 3]
            stored = desk.world.chats[where.chat_id].messages[where.message_id].message
            presser = desk.world.people[TEAM_ID if n % 3 == 1 else LISTENER_ID].to_json()
            query = str(9_000_000_000 + n)
            desk.queries[query] = Query(query, presser["id"], time.time())
            press = {"id": query, "from": presser, "message": stored, "chat_instance": "1", "data": made_up}
            desk.updates.add("callback_query", press)
        desk.updates.bell.ring()
        await sandbox.wait_until_taken(timeout_s=240)
        track = await sandbox.send_audio(clips["mp3"])
        await sandbox.wait_for(lambda m: m.kind == "voice" and m.reply_to == track.message_id, timeout_s=90)
    assert [m for m in caplog.messages if "incident" in m or "could not" in m] == []
    assert [
        m for m in caplog.messages if "harmless" in m and "not modified" not in m and "no text" not in m
    ] == []
    refused = {c.answer["description"] for c in await sandbox.calls() if c.status == 400}
    normal = ("not modified", "no text in the message", "message to react not found")
    assert {reason for reason in refused if not any(words in reason for words in normal)} == set()
    assert [m.text for m in await sandbox.messages(from_bot=True) if "went wrong on my side" in m.text] == []


@pytest.mark.parametrize("press", PRESSES, ids=lambda press: press.__name__)
@given(data=st.text(max_size=64) | st.lists(st.sampled_from(NUMBERS + WORDS), max_size=5).map(":".join))
async def test_made_up_callback_data_is_valid_or_not_ours(press: type[CallbackData], data: str) -> None:
    told = f"{press.__prefix__}:{data}"
    ada = User(id=LISTENER_ID, is_bot=False, first_name="Ada")
    query = CallbackQuery(id="1", from_user=ada, chat_instance="1", data=told)
    found = await press.filter()(query)
    if found is not False:
        held = vars(found["callback_data"])
        owners = {"owner_id"}  # compared with who presses, never stored
        numbers = [held[name] for name in held.keys() - owners if type(held[name]) is int]
        assert all(0 <= number < 2**63 for number in numbers)


TEXT = Texts(build_core())


@given(name=st.text(max_size=300) | st.sampled_from(TEXTS))
def test_clean_name_is_one_visible_line(name: str) -> None:
    cleaned = clean_name(name)
    assert len(cleaned) <= 102  # with the two signs that isolate it
    assert cleaned.encode().decode() == cleaned
    assert not set(cleaned) & set("\n\r\t\v\f\u2028\u2029\u202a\u202b\u202d\u202e\u2066\u2067\x00")
    assert cleaned.count("\u2068") == cleaned.count("\u2069") <= 1
    assert cleaned == cleaned.strip()


@given(title=st.text(max_size=300) | st.sampled_from(TEXTS), performer=st.text(max_size=300))
def test_caption_shows_any_name_as_it_is(title: str, performer: str) -> None:
    name = track_name(Track("u", "f", title=title, performer=performer, file_name=title))
    source = TEXT.caption("ru", Caption(name, 0.0, 30.0, 120.0, "F# minor", 0.9))
    shown, entities = parse_html(source)  # raises for what Telegram refuses
    assert len(shown) <= 1024
    assert [entity["type"] for entity in entities] == ["bold"]
    assert name is None or shown.startswith(name.strip())


@given(text=st.text(max_size=100) | st.sampled_from(TEXTS))
def test_arguments_of_sentences_stay_text(text: str) -> None:
    text = loads(json.dumps(text))
    source = TEXT.get("en", "list-line", text=text)
    assert source == f"• {html.escape(text, quote=False)}"
    parse_html(source)


escapes = st.integers(0, 0xFFFF).map(lambda code: f"\\u{code:04x}")


@given(
    parts=st.lists(
        escapes | st.sampled_from(["a", "\\\\", "\\ud83d\\ude00", "\\ud800", "\\u0000"]), max_size=20
    )
)
def test_what_is_read_can_be_written(parts: list[str]) -> None:
    source = '{"a": ["' + "".join(parts) + '"]}'
    [text] = loads(source)["a"]
    assert text.encode("utf-8") is not None
    assert "\0" not in text
    try:
        plain = json.loads(source)["a"][0]
        plain.encode("utf-8")
    except UnicodeEncodeError:
        return
    assert text == plain.replace("\0", "")


@pytest.mark.parametrize("locale", ["en", "ru"])
def test_a_long_list_fits_into_its_sentence(locale: str) -> None:
    names = Html("\n".join(["• " + "&amp;" * 100] * 21))
    assert names in TEXT.get(locale, "cancelled", n=21, names=names)


def test_an_unreadable_update_keeps_its_number_and_spares_the_others() -> None:
    bot = Bot("1:" + "A" * 35)
    rows = [{"update_id": 5, "message": {"no": "date"}}, {"update_id": 6, "message": message(1, text="x")}]
    bad, good = readable_updates({"ok": True, "result": rows}, bot)
    assert (bad.update_id, bad.message) == (5, None)
    assert good.message is not None
    for answer in (
        "<html>",
        {"ok": False},
        {"ok": True, "result": True},
        {"ok": True, "result": [{"message": {}}]},
    ):
        with pytest.raises(ValueError, match="update"):
            readable_updates(answer, bot)
