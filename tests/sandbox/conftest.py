"""A sandbox on a free port and a real aiogram bot that talks to it."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from PIL import Image

from sandbox.song import write_audio
from sandbox.testing import RunningSandbox, running_sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


def bot_for(sandbox: RunningSandbox, token: str | None = None) -> Bot:
    session = AiohttpSession(api=TelegramAPIServer.from_base(sandbox.url))
    return Bot(token or sandbox.token, session=session)


@pytest.fixture
async def bot(sandbox: RunningSandbox) -> AsyncIterator[Bot]:
    async with bot_for(sandbox) as bot:
        yield bot


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tone of two seconds as mp3, m4a, OGG/Opus, flac and wav."""
    folder = tmp_path_factory.mktemp("tones")
    sr = 48_000
    y = (0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * sr) / sr)).astype(np.float32)[np.newaxis]
    paths = {suffix: folder / f"tone.{suffix}" for suffix in ("mp3", "m4a", "ogg", "flac", "wav")}
    for path in paths.values():
        write_audio(path, y, sr, bit_rate=64_000)
    return paths


def jpeg(width: int, height: int) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (width, height), (40, 90, 200)).save(body, "JPEG")
    return body.getvalue()
