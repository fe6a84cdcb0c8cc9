"""A sandbox on a free port and a real aiogram bot that talks to it."""

import io
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from PIL import Image

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


def encode_tone(path: Path, codec: str, duration_s: float = 2.0, *, sr: int = 48_000) -> Path:
    """A 440 Hz tone of exactly `duration_s` in the format that the suffix and the codec say."""
    y = (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(duration_s * sr)) / sr)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=sr)
        stream.layout = "mono"
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=sr)
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(y[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = sr
        for converted in resampler.resample(frame):
            fifo.write(converted)
        size = stream.codec_context.frame_size or 1024
        while (block := fifo.read(size)) or (block := fifo.read(size, partial=True)):
            block.pts = None
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tone as mp3, m4a, OGG/Opus, flac and wav."""
    folder = tmp_path_factory.mktemp("tones")
    formats = {"mp3": "libmp3lame", "m4a": "aac", "ogg": "libopus", "flac": "flac", "wav": "pcm_s16le"}
    return {suffix: encode_tone(folder / f"tone.{suffix}", codec) for suffix, codec in formats.items()}


def jpeg(width: int, height: int) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (width, height), (40, 90, 200)).save(body, "JPEG")
    return body.getvalue()


@pytest.fixture
def repository() -> Path:
    return Path(__file__).resolve().parents[2]


def run_module(*arguments: str, cwd: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-m", *arguments], cwd=cwd, stdout=subprocess.PIPE, text=True)
