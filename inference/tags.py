"""What a file says about itself, cleaned for people, and the tag block of an MP3.

Standard library only: the bot cleans file names with it and loads no audio code for that.
"""

import unicodedata

MAX_TAG_CHARS = 128
_GENERIC_NAMES = {"audio", "unknown", "track", "unknown artist", "untitled"}


def clean_text(text: str, max_chars: int = MAX_TAG_CHARS) -> str:
    """One line without control and direction signs, in composed form, cut to `max_chars`.

    A right-to-left override can make `gpj.exe` of `exe.jpg`; unassigned and lone surrogate code points
    cannot be sent at all. The joiners of emoji and of Persian or Indic words stay.
    """
    text = unicodedata.normalize("NFC", text)
    kept = []
    for char in text:
        if char in "\u200c\u200d":
            kept.append(char)
        elif char.isspace():
            kept.append(" ")
        elif unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}:
            kept.append(char)
    line = " ".join("".join(kept).split())
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"


def title_and_performer(tags: dict[str, str]) -> tuple[str | None, str | None]:
    """The cleaned title and performer of a file's tags (names in lower case), None where they say nothing."""
    title = clean_text(tags.get("title", ""))
    performer = clean_text(
        tags.get("artist", "") or tags.get("album_artist", "") or tags.get("performer", "")
    )
    return _unless_generic(title), _unless_generic(performer)


def id3_tag(title: str, performer: str, album: str = "", cover_jpeg: bytes | None = None) -> bytes:
    """An ID3v2.3 block to put before MP3 frames: what every player and Telegram read.

    Texts are UTF-16 with a byte order mark, the only Unicode that version knows.
    """
    frames = b"".join(
        _frame(name, b"\x01" + text.encode("utf-16"))
        for name, text in (("TIT2", title), ("TPE1", performer), ("TALB", album))
        if text
    )
    if cover_jpeg:
        frames += _frame("APIC", b"\x00image/jpeg\x00\x03\x00" + cover_jpeg)
    n = len(frames)
    # The size is written in seven bits a byte, so that no byte looks like a frame's sync.
    size = bytes((n >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + frames


def _frame(name: str, body: bytes) -> bytes:
    return name.encode("ascii") + len(body).to_bytes(4, "big") + b"\x00\x00" + body


def _unless_generic(text: str) -> str | None:
    return None if not text or text.casefold() in _GENERIC_NAMES else text
