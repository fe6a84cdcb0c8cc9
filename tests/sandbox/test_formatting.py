"""Telegram's HTML against tables written by hand from its documentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.formatting import find_entities, parse_html, utf16_length


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("plain", "plain", []),
        ("a &lt;b&gt; &amp; &quot;c&quot; &nbsp;", 'a <b> & "c" &nbsp;', []),
        ("&#39;&#x27;", "''", []),
        ("<b>x</b>", "x", [("bold", 0, 1)]),
        ("🎵 <i>x</i>", "🎵 x", [("italic", 3, 1)]),
        ("<b>a<u>b</u></b>", "ab", [("bold", 0, 2), ("underline", 1, 1)]),
        ("  <b> x </b>\n", "x", [("bold", 0, 1)]),
        ("<STRONG>x</STRONG >", "x", [("bold", 0, 1)]),
        ("<tg-spoiler>x</tg-spoiler>", "x", [("spoiler", 0, 1)]),
        ('<span class="tg-spoiler">x</span>', "x", [("spoiler", 0, 1)]),
        ("<blockquote expandable>x</blockquote>", "x", [("expandable_blockquote", 0, 1)]),
        ('<a href="nowhere">x</a>', "x", []),
    ],
)
def test_parse_html(source: str, text: str, entities: list[tuple[str, int, int]]) -> None:
    found_text, found = parse_html(source)
    assert found_text == text
    assert [(e["type"], e["offset"], e["length"]) for e in found] == entities


def test_links_and_code_keep_their_attributes() -> None:
    _, found = parse_html(
        '<a href="https://a.b/?x=1&amp;y=2">l</a> <pre><code class="language-py">c</code></pre>'
    )
    assert found[0]["url"] == "https://a.b/?x=1&y=2"
    assert {e["type"]: e.get("language") for e in found[1:]} == {"pre": None, "code": "py"}


@given(st.text(alphabet=st.characters(blacklist_characters="<&", blacklist_categories=["Cs"])))
def test_text_without_markup_comes_through(text: str) -> None:
    assert parse_html(text) == (text.strip(), [])


@given(st.text(alphabet="я🎵x", min_size=1), st.text(alphabet="я🎵x", min_size=1))
def test_offsets_are_utf16_units(before: str, inside: str) -> None:
    _, (entity,) = parse_html(f"{before}<b>{inside}</b>")
    assert (entity["offset"], entity["length"]) == (utf16_length(before), utf16_length(inside))


def test_find_entities_in_plain_text() -> None:
    found = find_entities("/start see https://a.b/c and @somebody 1/2 #tag")
    assert [(e["type"], e["offset"], e["length"]) for e in found] == [
        ("bot_command", 0, 6),
        ("url", 11, 13),
        ("mention", 29, 9),
        ("hashtag", 43, 4),
    ]
