"""Downloads from Telegram into a job's folder."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest

from inference.errors import InputRejected, Rejection


class DownloadFailed(Exception):
    """Worth another try. Carries no cause: the library's errors quote the link, which contains the token."""


def downloader(bot: Bot) -> Callable[[str, Path, int], Awaitable[None]]:
    """`download` with the bot filled in, as recipes want it."""

    async def fetch(file_id: str, target: Path, max_bytes: int) -> None:
        await download(bot, file_id, target, max_bytes=max_bytes)

    return fetch


async def download(bot: Bot, file_id: str, target: Path, *, max_bytes: int, timeout_s: float = 120.0) -> None:
    """Fetch a file. Raises InputRejected(TOO_BIG), DownloadFailed, and Telegram's errors for getFile."""
    try:
        file = await bot.get_file(file_id)
    except TelegramBadRequest as exc:
        if "file is too big" in exc.message:
            raise InputRejected(Rejection.TOO_BIG, "getFile") from exc
        raise
    if file.file_path is None:
        raise DownloadFailed("getFile gave no path")
    if file.file_size is not None and file.file_size > max_bytes:
        raise InputRejected(Rejection.TOO_BIG, f"{file.file_size} bytes")
    try:
        if bot.session.api.is_local:
            source = bot.session.api.wrap_local_file.to_local(file.file_path)
            await asyncio.to_thread(shutil.copyfile, source, target)
        else:
            await bot.download_file(file.file_path, target, timeout=int(timeout_s))
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise DownloadFailed(type(exc).__name__) from None
