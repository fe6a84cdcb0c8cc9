"""How the bot speaks where several people do."""

from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, ReplyParameters
from aiogram_i18n import I18nContext

from bot.domain import Listener


async def respond(message: Message, text: str, keyboard: InlineKeyboardMarkup | None = None) -> Message:
    """Plainly in a private chat, as a reply in a group, so that it is clear whom it is for."""
    reply = None
    if message.chat.type != "private":
        reply = ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True)
    return await message.answer(text, reply_parameters=reply, reply_markup=keyboard)


async def refuse_stranger(query: CallbackQuery, owner_id: int, listener: Listener, i18n: I18nContext) -> bool:
    """True, and told so, where the keyboard belongs to somebody else."""
    if owner_id == listener.id:
        return False
    await query.answer(i18n.get("keyboard-not-yours"), show_alert=True)
    return True
