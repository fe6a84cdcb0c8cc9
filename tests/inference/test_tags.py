"""Names and tags as people write them, hostile ones too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.tags import clean_text, id3_tag, title_and_performer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u202egpj.song", "gpj.song"),
        ("a\x00b\r\nc\td", "ab c d"),
        ("  two   words  ", "two words"),
        ("и\u0306ё", "йё"),  # composed, no letter lost
        ("👩‍👩‍👧 семья", "👩‍👩‍👧 семья"),
        ("\ud800x", "x"),
        ("\ufeffbom\u200b", "bom"),
        ("<b>&\"'", "<b>&\"'"),  # escaping is the sender's work
    ],
)
def test_clean_text(text: str, expected: str) -> None:
    assert clean_text(text) == expected


def test_long_text_is_cut_with_a_sign() -> None:
    assert clean_text("x" * 500, 10) == "xxxxxxxxx…"


@given(st.text())
def test_clean_text_can_always_be_sent(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode("utf-8")
    assert len(cleaned) <= 128
    assert clean_text(cleaned) == cleaned
    assert "\n" not in cleaned


def test_empty_and_generic_tags_say_nothing() -> None:
    assert title_and_performer({}) == (None, None)
    assert title_and_performer({"title": " \x00", "artist": "Unknown Artist"}) == (None, None)
    assert title_and_performer({"title": "Hymn", "album_artist": "Dave"}) == ("Hymn", "Dave")


def test_id3_sizes_are_written_in_seven_bits() -> None:
    tag = id3_tag("T" * 200, "P")
    size = 0
    for byte in tag[6:10]:
        assert byte < 0x80
        size = size << 7 | byte
    assert size == len(tag) - 10
