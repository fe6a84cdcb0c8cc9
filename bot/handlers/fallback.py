"""What nobody else understood: explained in a private chat, passed over in a group."""

from collections import OrderedDict

from aiogram import F, Router
from aiogram.types import CallbackQuery, Message, ReplyParameters
from aiogram_i18n import I18nContext

REMEMBERED_ALBUMS = 1000
LINKS = {"url", "text_link"}


def explanation(message: Message) -> str:
    """The key of the sentence that helps this message's sender on."""
    if message.photo or message.sticker or message.animation:
        return "unsupported-picture"
    if message.document:
        return "unsupported-document"
    if not message.text:
        return "unsupported"
    if message.text.startswith("/"):
        return "unknown-command"
    if any(entity.type in LINKS for entity in message.entities or ()):
        return "unsupported-link"
    return "no-track"


class Explainer:
    """Once for an album, not for each of its pictures."""

    def __init__(self) -> None:
        self._albums: OrderedDict[str, None] = OrderedDict()

    def is_repeated(self, album: str | None) -> bool:
        if album is None:
            return False
        if album in self._albums:
            return True
        self._albums[album] = None
        while len(self._albums) > REMEMBERED_ALBUMS:
            self._albums.popitem(last=False)
        return False

    async def on_message(self, message: Message, i18n: I18nContext) -> None:
        if not self.is_repeated(message.media_group_id):
            reply = ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True)
            await message.answer(i18n.get(explanation(message)), reply_parameters=reply)


async def on_unknown_press(query: CallbackQuery) -> None:
    """Data that is not ours, or no longer: the button's spinner ends, nothing else happens."""
    await query.answer()


def build_router() -> Router:
    router = Router(name="fallback")
    router.message.register(Explainer().on_message, F.chat.type == "private")
    router.callback_query.register(on_unknown_press)
    return router
