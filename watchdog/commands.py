"""The commands of the admin chat: /status, /mute, /unmute, /incidents. Anybody else gets no answer."""

import html
import re
import time
from collections.abc import Callable

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import BotCommand, BotCommandScopeChat, Message

from watchdog.service import Service
from watchdog.status import tell_incidents, tell_status
from watchdog.store import ALL

DEFAULT_MUTE_S = 3600.0
RECENT_HOURS = 24
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "с": 1, "м": 60, "ч": 3600, "д": 86_400}
_FOREVER = ("forever", "навсегда")
NAMES = ("status", "mute", "unmute", "incidents")


def read_duration(text: str) -> float | None:
    """Seconds of `30m`, `2h`, `1d12h`; infinity for `forever`; None if it is no duration."""
    if text.lower() in _FOREVER:
        return float("inf")
    parts = re.findall(r"(\d{1,6})([smhdсмчд])", text.lower())
    if not parts or "".join(count + unit for count, unit in parts) != text.lower():
        return None
    return float(sum(int(count) * _UNITS[unit] for count, unit in parts)) or None


def make_router(service: Service, admin_chat: Callable[[], int]) -> Router:
    """A router that answers in the admin chat only."""
    router = Router(name="watchdog")
    router.message.filter(lambda message: message.chat.id == admin_chat())
    say = service.teller.say

    @router.message(Command("status"))
    async def on_status(message: Message) -> None:
        usage = await service.usage()
        await message.answer(tell_status(service.teller, service.state, usage, service.mutes, time.time()))

    @router.message(Command("incidents"))
    async def on_incidents(message: Message) -> None:
        since = time.time() - RECENT_HOURS * 3600
        filed = await service.store.incidents("opened_at >= ? OR closed_at IS NULL", since)
        await message.answer(tell_incidents(service.teller, filed, RECENT_HOURS))

    @router.message(Command("mute"))
    async def on_mute(message: Message, command: CommandObject) -> None:
        words = (command.args or "").split()
        duration_s = DEFAULT_MUTE_S
        if words and (told := read_duration(words[-1])) is not None:
            duration_s = told
            words.pop()
        if len(words) > 1:
            await message.answer(say("mute_usage"))
            return
        key = service.find_key(words[0]) if words else ALL
        if key is None:
            await message.answer(say("unknown", name=html.escape(words[0])))
            return
        until = None if duration_s == float("inf") else time.time() + duration_s
        await service.mute(key, until)
        what = say("everything") if key == ALL else f"<b>{html.escape(key)}</b>"
        if until is None:
            await message.answer(say("muted_forever", what=what))
        else:
            when = service.teller.clock(until, with_day=duration_s > 20 * 3600)
            await message.answer(say("muted", what=what, until=when))

    @router.message(Command("unmute"))
    async def on_unmute(message: Message, command: CommandObject) -> None:
        word = (command.args or "").strip()
        muted = [mute.key for mute in service.mutes]
        wanted = [service.find_key(word) or word] if word else muted
        keys = [key for key in wanted if key in muted]
        if not keys:
            names = ", ".join(say("everything") if key == ALL else key for key in muted) or say("nothing")
            await message.answer(say("not_muted", names=html.escape(names)))
        for key in keys:
            if not await service.unmute(key):
                what = say("everything") if key == ALL else f"<b>{html.escape(key)}</b>"
                await message.answer(f"{say('unmuted', what=what)}\n{say('unmuted_quiet')}")

    return router


async def show_menu(bot: Bot, service: Service, chat_id: int) -> None:
    """The commands in the chat's menu."""
    menu = [BotCommand(command=name, description=service.teller.say(f"cmd_{name}")) for name in NAMES]
    await bot.set_my_commands(menu, scope=BotCommandScopeChat(chat_id=chat_id))
