"""The root router: one ordered list, errors last. A handler parses the update, calls one service and
answers.
"""

from aiogram import Router

from bot.handlers import audio, chats, errors, start


def build_router() -> Router:
    """Routers belong to one Dispatcher, so each call builds them anew."""
    root = Router(name="root")
    root.include_routers(
        chats.build_router(),
        start.build_router(),
        audio.build_router(),
        errors.build_router(),
    )
    return root
