"""Error family -> answer. What a handler raises ends here; the worker has its own copy of the same roads."""

import logging
import secrets
from contextlib import suppress

from aiogram import Router
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.filters import ExceptionTypeFilter
from aiogram.types import ErrorEvent, Message, ReplyParameters, Update, User
from aiogram_i18n import I18nContext

from bot.db.engine import STORAGE_TROUBLE
from bot.db.people import pick_locale
from bot.domain import RequestRefused
from bot.services.recipes import Notify
from bot.services.sender import DeliveryUncertain
from bot.texts import Texts

logger = logging.getLogger(__name__)

# Normal life: an old button, a text that already says so, a message deleted meanwhile.
HARMLESS = (
    "query is too old",
    "message is not modified",
    "message to edit not found",
    "message to delete not found",
    "message can't be edited",
    "message can't be deleted",
    "there is no text in the message to edit",  # a button that somebody made up under a voice message
)


async def answer(update: Update, text: str) -> None:
    """Where the user looks: a notice on the pressed button, else a reply to the message."""
    query = update.callback_query
    with suppress(TelegramAPIError, DeliveryUncertain, *STORAGE_TROUBLE):
        if query is not None:
            await query.answer(text[:200], show_alert=True)
        elif isinstance(message := update.message, Message):
            await message.answer(
                text,
                reply_parameters=ReplyParameters(
                    message_id=message.message_id, allow_sending_without_reply=True
                ),
            )


def locale_of(i18n: I18nContext | None, user: User | None) -> str:
    """What to speak; as Telegram does with them, where storage could not be asked what they chose."""
    return i18n.locale if i18n else pick_locale(None, user.language_code if user else None)


async def on_refused(event: ErrorEvent, i18n: I18nContext, texts: Texts) -> None:
    if isinstance(refusal := event.exception, RequestRefused):
        logger.info("refused: %s", refusal.code)
        await answer(event.update, texts.refused(i18n.locale, refusal))


async def on_undelivered(event: ErrorEvent) -> None:
    """Nothing to tell a chat that cannot be written to, and nothing to repeat blindly."""
    logger.info("answer not delivered: %s", type(event.exception).__name__)


async def on_storage_trouble(
    event: ErrorEvent,
    texts: Texts,
    notify: Notify,
    i18n: I18nContext | None = None,
    event_from_user: User | None = None,
    may_wait: bool = False,
    is_told: bool = False,
) -> None:
    """A locked database or a full disk passes. `may_wait`: who fed the update keeps it and comes again."""
    if not may_wait:
        await on_anything(event, texts, notify, i18n, event_from_user)
        return
    if not is_told:
        await answer(event.update, texts.get(locale_of(i18n, event_from_user), "storage-trouble"))
    raise event.exception


async def on_anything(
    event: ErrorEvent,
    texts: Texts,
    notify: Notify,
    i18n: I18nContext | None = None,
    event_from_user: User | None = None,
) -> None:
    exc = event.exception
    if isinstance(exc, TelegramBadRequest) and any(reason in exc.message for reason in HARMLESS):
        logger.info("harmless: %s", exc.message)
        return
    incident = secrets.token_hex(3)
    logger.error("incident %s", incident, exc_info=exc, extra={"incident": incident})
    await answer(event.update, texts.apology(locale_of(i18n, event_from_user), incident))
    await notify(f"Incident {incident}: update {event.update.event_type}, {type(exc).__name__}")


async def tell_of_storage(update: Update, texts: Texts) -> None:
    """For an update that could not even be written down. A group is not told: it may not have been for us."""
    user = update.callback_query.from_user if update.callback_query else None
    if update.message is not None and update.message.chat.type == "private":
        user = update.message.from_user
    if user is not None:
        await answer(update, texts.get(locale_of(None, user), "storage-trouble"))


def build_router() -> Router:
    router = Router(name="errors")
    router.errors.register(on_refused, ExceptionTypeFilter(RequestRefused))
    router.errors.register(on_undelivered, ExceptionTypeFilter(TelegramForbiddenError, DeliveryUncertain))
    router.errors.register(on_storage_trouble, ExceptionTypeFilter(*STORAGE_TROUBLE))
    router.errors.register(on_anything)
    return router
