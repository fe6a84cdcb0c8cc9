"""A listener who has got an answer already."""

import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image

from bot.app import App
from sandbox.client import LISTENER_ID, MessageView
from sandbox.testing import RunningSandbox
from tests.fakes import FakePool

TITLE, PERFORMER = "Paper & <Lanterns>", "The Band"


@pytest.fixture
def pool(pool: FakePool) -> FakePool:
    """With a picture, for the curve."""
    out = io.BytesIO()
    Image.new("RGB", (64, 36), "white").save(out, "PNG")
    pool.picture = out.getvalue()
    return pool


Ask = Callable[..., Awaitable[MessageView]]


@pytest.fixture
def ask(app: App, sandbox: RunningSandbox, clips: dict[str, Path]) -> Ask:
    """Send a track and wait for its answer."""

    async def send(*, chat: int | None = None, user: int = LISTENER_ID, **options: object) -> MessageView:
        fields = {"title": TITLE, "performer": PERFORMER}
        track = await sandbox.send_audio(clips["mp3"], fields=fields, chat=chat, user=user, **options)
        return await sandbox.wait_for(
            lambda m: m.kind in {"voice", "audio"} and m.reply_to == track.message_id, chat=chat or user
        )

    return send


@pytest.fixture
async def voice(ask: Ask) -> MessageView:
    return await ask()
