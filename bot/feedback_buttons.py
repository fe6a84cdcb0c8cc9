"""Keyboards of feedback and of the team. A press counts only where its handler's filters let it: the user's
own conversation, or the team's chat; so data that was made up leads nowhere.
"""

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup

from bot.domain import Letter, Thread
from bot.keyboards import Number, PageNumber, button
from bot.texts import Texts


class FeedbackPress(CallbackData, prefix="fq"):
    """In the user's chat. `action`: contact, done, cancel."""

    action: str


class ThreadPress(CallbackData, prefix="ft"):
    """In the team's chat. `action`: done (in the list: page stays), close (under a letter), page."""

    action: str
    thread_id: Number = 0
    page: PageNumber = 0


class BroadcastPress(CallbackData, prefix="fb"):
    """`action`: send, cancel, stop."""

    action: str
    broadcast_id: Number


def start_keyboard(texts: Texts, locale: str) -> InlineKeyboardMarkup:
    cancel = button(texts.get(locale, "feedback-button-cancel"), FeedbackPress(action="cancel"))
    return InlineKeyboardMarkup(inline_keyboard=[[cancel]])


def more_keyboard(texts: Texts, locale: str) -> InlineKeyboardMarkup:
    contact = button(texts.get(locale, "feedback-button-contact"), FeedbackPress(action="contact"))
    done = button(texts.get(locale, "feedback-button-done"), FeedbackPress(action="done"))
    return InlineKeyboardMarkup(inline_keyboard=[[contact, done]])


def letter_keyboard(texts: Texts, locale: str, letter: Letter) -> InlineKeyboardMarkup:
    close = button(
        texts.get(locale, "team-button-close"), ThreadPress(action="close", thread_id=letter.thread_id)
    )
    return InlineKeyboardMarkup(inline_keyboard=[[close]])


def threads_keyboard(
    texts: Texts, locale: str, threads: list[Thread], page: int, n_pages: int
) -> InlineKeyboardMarkup:
    rows = [
        [
            button(
                texts.get(locale, "team-button-done", thread=str(thread.id)),
                ThreadPress(action="done", thread_id=thread.id, page=page),
            )
            for thread in threads[start : start + 4]
        ]
        for start in range(0, len(threads), 4)
    ]
    turns = [
        button(label, ThreadPress(action="page", page=target))
        for label, target in (("‹", page - 1), ("›", page + 1))
        if 0 <= target < n_pages
    ]
    return InlineKeyboardMarkup(inline_keyboard=[*rows, turns] if turns else rows)


def broadcast_keyboard(
    texts: Texts, locale: str, broadcast_id: int, *, is_sending: bool
) -> InlineKeyboardMarkup:
    actions = ("stop",) if is_sending else ("send", "cancel")
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [
                button(
                    texts.get(locale, f"broadcast-button-{action}"),
                    BroadcastPress(action=action, broadcast_id=broadcast_id),
                )
                for action in actions
            ]
        ]
    )
