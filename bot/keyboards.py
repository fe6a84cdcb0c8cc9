"""Inline keyboards and what their buttons carry.

Callback data is an action and a number or two, never a key to somebody else's data: which highlight a button
belongs to follows from its message (`bot.db.answers`), and lists look only among the presser's own. So data
that was made up leads nowhere.
"""

from enum import StrEnum
from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from pydantic import Field

from bot.domain import AnswerKind, Highlight, HighlightOptions, Listener, Opinion
from bot.texts import Texts
from inference.config import LENGTHS_S

# What somebody made up may be any number: storage holds 64 bits of it.
Number = Annotated[int, Field(ge=0, lt=2**63)]
PageNumber = Annotated[int, Field(ge=0, lt=1_000_000)]
LANGUAGES = {"en": "English", "ru": "Русский"}


class Button(StrEnum):
    """Under a highlight. The lengths are named by their seconds, as in `Choices.starts`."""

    EARLIER = "earlier"
    LATER = "later"
    NEXT = "next"
    LENGTH_15 = "15"
    LENGTH_30 = "30"
    LENGTH_60 = "60"
    CURVE = "curve"
    MP3 = "mp3"
    ADD = "add"
    DROP = "drop"
    LIKE = "like"
    DISLIKE = "dislike"
    UNRATE = "unrate"


class AnswerPress(CallbackData, prefix="h"):
    button: Button
    revision: Number


class HistoryPress(CallbackData, prefix="y"):
    """`highlight_id` 0: show the page `page`."""

    owner_id: int
    page: PageNumber
    highlight_id: Number = 0


class SettingPress(CallbackData, prefix="s"):
    """`field`: `length`, `answer` or `language`."""

    owner_id: int
    field: str
    value: str


class LanguagePress(CallbackData, prefix="l"):
    owner_id: int
    locale: str


class ForgetPress(CallbackData, prefix="f"):
    owner_id: int
    is_sure: bool


def button(text: str, press: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=press.pack())


def answer_keyboard(
    texts: Texts, locale: str, highlight: Highlight, opinion: Opinion, duration_s: float, revision: int = 0
) -> InlineKeyboardMarkup:
    """Under a highlight; a button that would change nothing is left out. `duration_s`: of the track."""
    options = HighlightOptions.from_key(highlight.options)

    def of(which: Button, key: str = "") -> InlineKeyboardButton:
        label = texts.get(locale, f"button-{key or which}")
        return button(label, AnswerPress(button=which, revision=revision))

    moves = [of(which) for which in (Button.EARLIER, Button.LATER) if which in highlight.choices.starts]
    lengths = [
        button(
            texts.get(
                locale,
                "button-length-chosen" if length_s == options.length_s else "button-length",
                length=int(length_s),
            ),
            AnswerPress(button=Button(f"{length_s:g}"), revision=revision),
        )
        for length_s in LENGTHS_S
        if length_s == options.length_s or length_s < duration_s
    ]
    more = [of(Button.NEXT)] if Button.NEXT in highlight.choices.starts else []
    more.append(of(Button.CURVE))
    if options.answer_kind is AnswerKind.VOICE:
        more.append(of(Button.MP3))
    marks = [
        of(Button.DROP) if opinion.is_in_mix else of(Button.ADD),
        of(Button.UNRATE, "liked") if opinion.rating == 1 else of(Button.LIKE),
        of(Button.UNRATE, "disliked") if opinion.rating == -1 else of(Button.DISLIKE),
    ]
    rows = [moves, lengths if len(lengths) > 1 else [], more, marks]
    return InlineKeyboardMarkup(inline_keyboard=[row for row in rows if row])


def history_keyboard(
    owner_id: int, labels: list[tuple[int, str]], page: int, n_pages: int
) -> InlineKeyboardMarkup:
    """`labels`: highlight id and what its button says."""
    rows = [
        [button(label, HistoryPress(owner_id=owner_id, page=page, highlight_id=highlight_id))]
        for highlight_id, label in labels
    ]
    turns = []
    if page > 0:
        turns.append(button("◀️", HistoryPress(owner_id=owner_id, page=page - 1)))
    if page + 1 < n_pages:
        turns.append(button("▶️", HistoryPress(owner_id=owner_id, page=page + 1)))
    return InlineKeyboardMarkup(inline_keyboard=[*rows, turns] if turns else rows)


def settings_keyboard(texts: Texts, listener: Listener) -> InlineKeyboardMarkup:
    locale, owner_id = listener.locale, listener.id

    def of(field: str, value: str, label: str, *, is_chosen: bool) -> InlineKeyboardButton:
        press = SettingPress(owner_id=owner_id, field=field, value=value)
        return button(f"✓ {label}" if is_chosen else label, press)

    lengths = [
        of(
            "length",
            f"{length_s:g}",
            texts.get(locale, "button-length", length=int(length_s)),
            is_chosen=length_s == listener.length_s,
        )
        for length_s in LENGTHS_S
    ]
    kinds = [
        of("answer", kind, texts.get(locale, f"button-as-{kind}"), is_chosen=kind is listener.answer_kind)
        for kind in AnswerKind
    ]
    languages = [
        of("language", code, name, is_chosen=code == listener.locale) for code, name in LANGUAGES.items()
    ]
    return InlineKeyboardMarkup(inline_keyboard=[lengths, kinds, languages])


def language_keyboard(listener: Listener) -> InlineKeyboardMarkup:
    row = [
        button(
            f"✓ {name}" if code == listener.locale else name,
            LanguagePress(owner_id=listener.id, locale=code),
        )
        for code, name in LANGUAGES.items()
    ]
    return InlineKeyboardMarkup(inline_keyboard=[row])


def forget_keyboard(texts: Texts, listener: Listener) -> InlineKeyboardMarkup:
    rows = [
        [button(texts.get(listener.locale, key), ForgetPress(owner_id=listener.id, is_sure=is_sure))]
        for key, is_sure in (("button-forget", True), ("button-keep", False))
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)
