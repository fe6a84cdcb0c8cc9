"""The menu of a mix. A press names the mix and an action; whose mix it is, storage knows."""

from enum import StrEnum

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup

from bot.domain import MixDraft
from bot.keyboards import Number, button
from bot.texts import Texts
from inference.config import LENGTHS_S

PAGE = 8
ORDERS = ("tempo", "smooth", "sent")
CROSSFADES = ("beats", "plain", "off")


class MixAction(StrEnum):
    TOGGLE = "t"
    PAGE = "p"
    ALL_SINCE = "a"
    NONE = "n"
    PLAN = "g"
    BACK = "b"
    ORDER = "o"
    CROSSFADE = "x"
    LENGTH = "l"
    PREVIEW = "v"
    MAKE = "m"
    CANCEL = "c"


class MixPress(CallbackData, prefix="m"):
    mix_id: Number
    action: MixAction
    value: str = ""


def choosing_keyboard(
    texts: Texts, locale: str, mix: MixDraft, names: list[str], n_pages: int
) -> InlineKeyboardMarkup:
    """`names`: of the candidates on the mix's page."""

    def of(label: str, action: MixAction, value: object = "") -> object:
        return button(label, MixPress(mix_id=mix.id, action=action, value=str(value)))

    first = mix.page * PAGE
    rows = [
        [of(f"{'☑' if first + i in mix.chosen else '☐'} {name}", MixAction.TOGGLE, first + i)]
        for i, name in enumerate(names)
    ]
    turns = [
        of(label, MixAction.PAGE, page)
        for label, page in (("◀️", mix.page - 1), ("▶️", mix.page + 1))
        if 0 <= page < n_pages
    ]
    picks = [
        of(texts.get(locale, "mix-button-since"), MixAction.ALL_SINCE),
        of(texts.get(locale, "mix-button-none"), MixAction.NONE),
    ]
    onward = [
        of(texts.get(locale, "mix-button-next", n=len(mix.chosen)), MixAction.PLAN),
        of(texts.get(locale, "mix-button-cancel"), MixAction.CANCEL),
    ]
    return _keyboard([*rows, turns, picks, onward])


def planned_keyboard(texts: Texts, locale: str, mix: MixDraft, n_transitions: int) -> InlineKeyboardMarkup:
    def of(label: str, action: MixAction, value: object = "", *, is_chosen: bool = False) -> object:
        mark = "✓ " if is_chosen else ""
        return button(mark + label, MixPress(mix_id=mix.id, action=action, value=str(value)))

    settings = mix.settings
    orders = [
        of(texts.get(locale, f"mix-order-{name}"), MixAction.ORDER, name, is_chosen=name == settings.order)
        for name in ORDERS
    ]
    fades = [
        of(
            texts.get(locale, f"mix-crossfade-{name}"),
            MixAction.CROSSFADE,
            name,
            is_chosen=name == settings.crossfade,
        )
        for name in CROSSFADES
    ]
    lengths = [
        of(
            texts.get(locale, "button-length", length=int(length_s)),
            MixAction.LENGTH,
            f"{length_s:g}",
            is_chosen=length_s == settings.length_s,
        )
        for length_s in LENGTHS_S
    ]
    previews = [of(f"🎧 {i + 1}→{i + 2}", MixAction.PREVIEW, i) for i in range(min(n_transitions, PAGE))]
    onward = [
        of(texts.get(locale, "mix-button-back"), MixAction.BACK),
        of(texts.get(locale, "mix-button-make"), MixAction.MAKE),
        of(texts.get(locale, "mix-button-cancel"), MixAction.CANCEL),
    ]
    return _keyboard([orders, fades, lengths, previews[:4], previews[4:], onward])


def making_keyboard(texts: Texts, locale: str, mix: MixDraft) -> InlineKeyboardMarkup:
    cancel = button(texts.get(locale, "mix-button-cancel"), MixPress(mix_id=mix.id, action=MixAction.CANCEL))
    return InlineKeyboardMarkup(inline_keyboard=[[cancel]])


def _keyboard(rows: list[list[object]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup.model_validate({"inline_keyboard": [row for row in rows if row]})
