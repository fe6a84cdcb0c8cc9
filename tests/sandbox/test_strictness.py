"""What the real server would silently accept or a lenient double would hide is refused."""

import json

import pytest
from aiohttp import ClientSession

from sandbox.testing import RunningSandbox
from sandbox.world import LISTENER_ID


async def call(sandbox: RunningSandbox, method: str, **params: object) -> dict[str, object]:
    """A raw call as JSON; the answer whatever it is."""
    async with (
        ClientSession() as http,
        http.post(f"{sandbox.url}/bot{sandbox.token}/{method}", json=params) as response,
    ):
        answer: dict[str, object] = await response.json()
        assert answer["ok"] == (response.status == 200)
        return answer


async def refusal(sandbox: RunningSandbox, method: str, **params: object) -> str:
    answer = await call(sandbox, method, **params)
    assert answer["ok"] is False, answer
    return str(answer["description"])


@pytest.fixture
async def chat(sandbox: RunningSandbox) -> int:
    await sandbox.send_text("/start")
    return LISTENER_ID


async def test_form_json_and_query_mean_the_same(sandbox: RunningSandbox, chat: int) -> None:
    keyboard = {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}
    as_json = await call(sandbox, "sendMessage", chat_id=chat, text="[1]", reply_markup=keyboard)
    form = {"chat_id": str(chat), "text": "[1]", "reply_markup": json.dumps(keyboard)}
    async with ClientSession() as http:
        url = f"{sandbox.url}/bot{sandbox.token}/SENDMESSAGE"
        async with http.post(url, data=form) as response:
            as_form = await response.json()
        async with http.get(url, params=form) as response:
            as_query = await response.json()
    same = [one["result"] for one in (as_json, as_form, as_query)]  # type: ignore[index]
    assert {one["text"] for one in same} == {"[1]"}
    assert all(one["reply_markup"] == keyboard for one in same)


async def test_unknown_parameters_are_named(sandbox: RunningSandbox, chat: int) -> None:
    assert 'unknown parameter "parse_mod"' in await refusal(
        sandbox, "sendMessage", chat_id=chat, text="x", parse_mod="HTML"
    )


async def test_misspelt_keyboard_keys_are_named_with_their_place(sandbox: RunningSandbox, chat: int) -> None:
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": "b", "calback": "c"}]]}
    said = await refusal(sandbox, "sendMessage", chat_id=chat, text="x", reply_markup=markup)
    assert 'unknown parameter "calback" in reply_markup.inline_keyboard[0][0]' in said


@pytest.mark.parametrize(
    ("button", "reason"),
    [
        ({"text": "a", "callback_data": "я" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "a"}, "Text buttons are unallowed"),
        ({"text": " ", "callback_data": "x"}, "non-empty"),
        ({"text": "a", "url": "nowhere"}, "Wrong HTTP URL"),
        ({"text": "a", "url": "https://a.b/", "callback_data": "x"}, "exactly one action"),
    ],
)
async def test_buttons_are_checked(
    sandbox: RunningSandbox, chat: int, button: dict[str, str], reason: str
) -> None:
    markup = {"inline_keyboard": [[button]]}
    assert reason in await refusal(sandbox, "sendMessage", chat_id=chat, text="x", reply_markup=markup)


async def test_callback_data_of_64_bytes_passes(sandbox: RunningSandbox, chat: int) -> None:
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": "я" * 32}]]}
    assert (await call(sandbox, "sendMessage", chat_id=chat, text="x", reply_markup=markup))["ok"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "message text is empty"),
        ("  \n ", "message text is empty"),
        ("<b></b>", "message text is empty"),
        ("x" * 4097, "message is too long"),
        ("<b>x", "can't parse entities: Can't find end tag corresponding to start tag"),
        ("<b>x</i>", "can't parse entities: Unmatched end tag"),
        ("x</b>", "can't parse entities: Unexpected end tag"),
        ("я<h1>x</h1>", 'can\'t parse entities: Unsupported start tag "h1" at byte offset 2'),
        ("1 < 2", "can't parse entities: Unsupported start tag"),
    ],
)
async def test_texts_are_checked(sandbox: RunningSandbox, chat: int, text: str, reason: str) -> None:
    assert reason in await refusal(sandbox, "sendMessage", chat_id=chat, text=text, parse_mode="HTML")


async def test_limits_count_after_parsing(sandbox: RunningSandbox, chat: int) -> None:
    text = f"<b>{'x' * 4096}</b>"
    assert (await call(sandbox, "sendMessage", chat_id=chat, text=text, parse_mode="HTML"))["ok"]


async def test_missing_and_wrong_parameters(sandbox: RunningSandbox, chat: int) -> None:
    assert "message text is empty" in await refusal(sandbox, "sendMessage", chat_id=chat)
    assert "chat_id is empty" in await refusal(sandbox, "sendMessage", text="x")
    assert "duration" in await refusal(sandbox, "sendVoice", chat_id=chat, voice="x", duration="long")
    assert "wrong parameter action" in await refusal(
        sandbox, "sendChatAction", chat_id=chat, action="record_audio"
    )


async def test_an_attachment_must_be_there(sandbox: RunningSandbox, chat: int) -> None:
    assert "is not attached" in await refusal(sandbox, "sendVoice", chat_id=chat, voice="attach://gone")


async def test_methods_it_does_not_play_say_so(sandbox: RunningSandbox, chat: int) -> None:
    assert "does not play sendDice" in await refusal(sandbox, "sendDice", chat_id=chat)
