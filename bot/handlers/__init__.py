"""The root router: one ordered list, errors last. A handler parses the update, calls one service and
answers.
"""

from aiogram import Router

from bot.handlers import (
    answers,
    chats,
    errors,
    fallback,
    feedback,
    history,
    playlist,
    preferences,
    privacy,
    start,
    team,
    tracks,
)


def build_router() -> Router:
    """Routers belong to one Dispatcher, so each call builds them anew."""
    root = Router(name="root")
    root.include_routers(
        chats.build_router(),
        team.build_router(),
        feedback.build_router(),
        start.build_router(),
        preferences.build_router(),
        privacy.build_router(),
        history.build_router(),
        answers.build_router(),
        playlist.build_router(),
        # Conversations go above this line: below, every track and every text is taken.
        tracks.build_router(),
        fallback.build_router(),
        errors.build_router(),
    )
    return root
