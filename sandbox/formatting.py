"""Text with entities: Telegram's HTML dialect read as the server reads it, and what it finds in plain text.

Offsets and lengths are in UTF-16 code units. Errors name the byte offset, as the real server does.
"""

import html
import re

from sandbox.refusals import Json, bad_request

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)((?:\s+[\w-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]*))?)*)\s*>")
_ATTRIBUTE = re.compile(r"([\w-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*)))?")
_REFERENCE = re.compile(r"&(?:#x[0-9a-fA-F]+|#\d+|lt|gt|amp|quot);")
_FOUND = (
    ("url", re.compile(r"https?://[^\s<>\"]+")),
    ("bot_command", re.compile(r"(?<![\w/])/[a-zA-Z0-9_]{1,32}(?:@\w{3,32})?\b")),
    ("mention", re.compile(r"(?<!\w)@[a-zA-Z]\w{3,31}")),
    ("hashtag", re.compile(r"(?<!\w)#\w*[^\W\d]\w*")),
)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def parse_html(source: str) -> tuple[str, list[Json]]:
    """(text, entities) of Telegram HTML; refuses what the server cannot parse."""
    text = ""
    entities: list[Json] = []
    open_tags: list[tuple[str, Json]] = []
    position = 0
    while position < len(source):
        char = source[position]
        if char == "<":
            tag = _TAG.match(source, position)
            if tag is None:
                raise _unparsable(f"Unsupported start tag at byte offset {_bytes(source, position)}")
            position = tag.end()
            if tag[1]:
                _close(tag[2].lower(), open_tags, entities, text, _bytes(source, tag.start()))
            else:
                entity = _open(tag[2].lower(), tag[3], _bytes(source, tag.start()))
                open_tags.append((tag[2].lower(), {**entity, "offset": utf16_length(text)}))
        elif char == "&" and (reference := _REFERENCE.match(source, position)):
            text += html.unescape(reference[0])
            position = reference.end()
        else:
            text += char
            position += 1
    if open_tags:
        raise _unparsable(f'Can\'t find end tag corresponding to start tag "{open_tags[-1][0]}"')
    return _trim(text, entities)


def _open(name: str, attributes: str, offset: int) -> Json:
    kind = _TAGS.get(name)
    if kind is None:
        raise _unparsable(f'Unsupported start tag "{name}" at byte offset {offset}')
    found = {m[1].lower(): html.unescape(m[2] or m[3] or m[4] or "") for m in _ATTRIBUTE.finditer(attributes)}
    if name == "span" and found.get("class") != "tg-spoiler":
        raise _unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {offset}')
    if name == "a":
        return {"type": kind, "url": found.get("href", "")}
    if name == "code" and found.get("class", "").startswith("language-"):
        return {"type": kind, "language": found["class"].removeprefix("language-")}
    if name == "blockquote" and "expandable" in found:
        return {"type": "expandable_blockquote"}
    if name == "tg-emoji":
        return {"type": kind, "custom_emoji_id": found.get("emoji-id", "")}
    return {"type": kind}


def _close(
    name: str, open_tags: list[tuple[str, Json]], entities: list[Json], text: str, offset: int
) -> None:
    if not open_tags:
        raise _unparsable(f"Unexpected end tag at byte offset {offset}")
    opened, entity = open_tags.pop()
    if opened != name:
        raise _unparsable(
            f'Unmatched end tag at byte offset {offset}, expected "</{opened}>", found "</{name}>"'
        )
    length = utf16_length(text) - entity["offset"]
    if entity["type"] == "text_link" and not re.match(r"(https?|tg|mailto|tel):", entity["url"]):
        return  # the server drops links it cannot follow and keeps their text
    if length > 0:
        ordered = {"offset": entity["offset"], "length": length, "type": entity["type"]}
        entities.append({**ordered, **{k: v for k, v in entity.items() if k not in ordered}})


def _trim(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    lead = utf16_length(text) - utf16_length(text.lstrip())
    text = text.strip()
    size = utf16_length(text)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - lead, 0)
        end = min(entity["offset"] + entity["length"] - lead, size)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return text, sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))


def find_entities(text: str) -> list[Json]:
    """Links, commands, mentions and hashtags of plain text."""
    found: list[Json] = []
    for kind, pattern in _FOUND:
        for match in pattern.finditer(text):
            offset = utf16_length(text[: match.start()])
            span = range(offset, offset + utf16_length(match[0]))
            if not any(e["offset"] in span or offset in _span(e) for e in found):
                found.append({"offset": offset, "length": len(span), "type": kind})
    return sorted(found, key=lambda entity: int(entity["offset"]))


def read_text(source: str, parse_mode: str | None, entities: list[Json] | None) -> tuple[str, list[Json]]:
    """(text, entities) of what a bot sends."""
    if parse_mode and entities is None:
        if parse_mode.lower() != "html":
            # The product writes HTML only; reading Markdown loosely would hide its mistakes.
            raise bad_request(f"unsupported parse_mode: the sandbox reads HTML only, not {parse_mode}")
        text, given = parse_html(source)
    else:
        text, given = _trim(source, entities or [])
    return text, merge_entities(text, given)


def merge_entities(text: str, given: list[Json]) -> list[Json]:
    """The given entities, and those found in the text where none is given."""
    extra = [
        entity
        for entity in find_entities(text)
        if not any(
            entity["offset"] in _span(e) for e in given if e["type"] in {"code", "pre", "text_link", "url"}
        )
    ]
    return sorted(given + extra, key=lambda entity: (int(entity["offset"]), -int(entity["length"])))


def _span(entity: Json) -> range:
    return range(entity["offset"], entity["offset"] + entity["length"])


def _bytes(source: str, position: int) -> int:
    return len(source[:position].encode())


def _unparsable(reason: str) -> Exception:
    return bad_request(f"can't parse entities: {reason}")
