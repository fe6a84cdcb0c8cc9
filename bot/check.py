"""`python -m bot check`: can this installation work, and if not, what is to be done about each line?"""

import argparse
import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiogram import Bot
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramUnauthorizedError,
)
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.db.engine import create_engine
from bot.settings import Settings, SettingsError, load_settings

ROOM_BYTES = 2 * 1024**3  # a few long tracks at once, a week of backups
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. No `advice`: nothing to mend; `is_skipped`: nothing to look at here."""

    subject: str
    words: str
    advice: str = ""
    is_skipped: bool = False

    def __str__(self) -> str:
        mark = "--" if self.is_skipped else "!!" if self.advice else "ok"
        return f"{mark} {self.subject}: {self.words}" + (f"\n     -> {self.advice}" if self.advice else "")


async def check_token(bot: Bot, api_base: str) -> Finding:
    where = urlsplit(api_base).netloc
    try:
        me = await bot.get_me(request_timeout=int(PATIENCE_S))
    except (TelegramUnauthorizedError, TelegramNotFound):
        advice = "Ask @BotFather for the token (/mybots) and put it into BOT_TOKEN."
        return Finding("token", "Telegram does not know it", advice)
    except (TelegramNetworkError, TimeoutError) as exc:
        advice = "Check the network, a proxy or firewall, and TELEGRAM_API_BASE."
        return Finding("token", f"{where} cannot be reached ({type(exc).__name__})", advice)
    return Finding("token", f"@{me.username} at {where}")


async def check_admin_chat(bot: Bot, chat_id: int | None) -> Finding:
    if chat_id is None:
        return Finding("admin chat", "none", "Set ADMIN_CHAT_ID: feedback and alerts have nowhere to go.")
    try:
        chat = await bot.get_chat(chat_id, request_timeout=int(PATIENCE_S))
    except (TelegramBadRequest, TelegramForbiddenError):
        advice = "Add the bot there (in a private chat press Start), check the number; a group's is negative."
        return Finding("admin chat", f"the bot does not see chat {chat_id}", advice)
    except (TelegramAPIError, TimeoutError) as exc:
        return Finding("admin chat", f"unknown ({type(exc).__name__})", "Mend the line about the token.")
    return Finding("admin chat", chat.title or chat.full_name or str(chat.id))


def check_model() -> Finding:
    from inference.errors import ModelContractError
    from inference.model import InterestModel

    try:
        model = InterestModel.load()
    except (ModelContractError, OSError) as exc:
        return Finding("model", str(exc), "Install again: the weights and the code do not fit together.")
    return Finding("model", model.version)


def check_disk(folder: Path, room_bytes: int = ROOM_BYTES) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".check"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        advice = f"Give it to the account that runs the bot (chown {os.getuid()} {folder}), or set DATA_DIR."
        return Finding("disk", f"{folder} cannot be written ({exc.strerror})", advice)
    free_bytes = shutil.disk_usage(folder).free
    words = f"{free_bytes / 1024**3:.1f} GiB free in {folder}"
    if free_bytes < room_bytes:
        return Finding(
            "disk", words, f"Make room: {room_bytes / 1024**3:.0f} GiB at least, or move DATA_DIR."
        )
    return Finding("disk", words)


async def check_database(url: str) -> Finding:
    engine = create_engine(url)
    where = engine.url.render_as_string(hide_password=True)
    try:
        async with asyncio.timeout(PATIENCE_S), engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, TimeoutError) as exc:
        advice = "Check DATABASE_URL, that the server runs, and its user and password."
        return Finding("database", f"{where} does not answer ({type(exc).__name__})", advice)
    finally:
        await engine.dispose()
    return Finding("database", where)


async def check_queue(queue: str, redis_url: str) -> Finding:
    if queue == "local":
        return Finding("queue", "local, in this process's own workers", is_skipped=True)
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    redis = Redis.from_url(redis_url, socket_timeout=PATIENCE_S)
    try:
        await redis.ping()
    except (RedisError, OSError) as exc:
        advice = "Check REDIS_URL and that the server runs."
        return Finding("queue", f"Redis does not answer ({type(exc).__name__})", advice)
    finally:
        await redis.aclose()
    return Finding("queue", "Redis answers")


async def check_engine(host: str) -> Finding:
    """The bot needs no Docker engine; the watchdog does."""
    socket = host.removeprefix("unix://") if host.startswith("unix://") else None
    if socket is not None and not await asyncio.to_thread(Path(socket).exists):
        return Finding("engine", f"no {socket} here; only the watchdog needs one", is_skipped=True)
    connector = aiohttp.UnixConnector(socket) if socket else None
    base = "http://engine" if socket else host.replace("tcp://", "http://")
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"{base}/_ping") as answer,
        ):
            if answer.status == 200:
                return Finding("engine", f"{host} answers")
            words = f"{host} answers with status {answer.status}"
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        words = f"{host} does not answer ({type(exc).__name__})"
    return Finding("engine", words, "Start Docker, join the docker group, or set DOCKER_HOST to the proxy.")


async def examine(settings: Settings, bot: Bot, *, offline: bool = False) -> AsyncIterator[Finding]:
    """The findings one by one, in the order in which one would mend them."""
    if not offline:
        yield await check_token(bot, settings.telegram_api_base)
        yield await check_admin_chat(bot, settings.admin_chat_id)
    yield await asyncio.to_thread(check_model)
    yield await asyncio.to_thread(check_disk, settings.data_dir)
    yield await check_database(settings.database)
    yield await check_queue(settings.queue, settings.redis_url.get_secret_value())
    yield await check_engine(settings.docker_host)


def main(arguments: list[str]) -> int:
    """0: all well, 1: something to mend."""
    parser = argparse.ArgumentParser(prog="python -m bot", description=__doc__)
    parser.add_argument("command", choices=["check"])
    parser.add_argument("--offline", action="store_true", help="ask nothing of Telegram")
    offline = parser.parse_args(arguments).offline
    try:
        settings = load_settings()
    except SettingsError as exc:
        print(Finding("configuration", str(exc), "Mend .env; .env.example explains each line."))  # noqa: T201
        return 1
    print(Finding("configuration", "complete"))  # noqa: T201
    return asyncio.run(_report(settings, offline))


async def _report(settings: Settings, offline: bool) -> int:
    from bot.app import build_bot

    to_mend = 0
    async with build_bot(settings) as bot:
        async for finding in examine(settings, bot, offline=offline):
            print(finding, flush=True)  # noqa: T201
            to_mend += bool(finding.advice)
    return int(to_mend > 0)
