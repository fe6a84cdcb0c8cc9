"""Chats that open or close to the bot."""

from aiogram import Router
from aiogram.types import ChatMemberUpdated

from bot.services.sender import Sender

GONE = {"kicked", "left"}


async def on_membership(update: ChatMemberUpdated, sender: Sender) -> None:
    await sender.set_blocked(update.chat.id, update.new_chat_member.status in GONE)


def build_router() -> Router:
    router = Router(name="chats")
    router.my_chat_member.register(on_membership)
    return router
