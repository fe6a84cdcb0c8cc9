"""The composition root: builds every part, hands each what it needs, and takes them down in order."""

import asyncio
import logging
import time
from contextlib import AsyncExitStack

from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import AiogramError, TelegramRetryAfter

from watchdog.commands import make_router, show_menu
from watchdog.engine import DockerEngine
from watchdog.health import Pulse
from watchdog.link import Link
from watchdog.outbox import Outbox
from watchdog.routine import TELEGRAM_CHECK_S, Routine
from watchdog.service import Service
from watchdog.settings import Settings
from watchdog.store import Store
from watchdog.telling import Teller

log = logging.getLogger(__name__)

SNAPSHOT_SETTLE_S = 1.0
POLL_S = 50
AFTER_ERROR_S = 5.0


async def run_watchdog(settings: Settings) -> None:
    """Watch until cancelled."""
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.data_dir / "watchdog.db")
        stack.push_async_callback(store.close)
        session = AiohttpSession(api=TelegramAPIServer.from_base(settings.telegram_api_base))
        bot = Bot(
            settings.sending_token,
            session=session,
            default=DefaultBotProperties(parse_mode=ParseMode.HTML, link_preview_is_disabled=True),
        )
        stack.push_async_callback(session.close)
        engine = DockerEngine(settings.docker_host, settings.scope, window_s=settings.stream_window_s)
        stack.callback(engine.close)

        lock = asyncio.Lock()
        pulse = Pulse(
            {
                "stream": settings.stream_window_s + 15.0,
                "reconcile": settings.reconcile_s * 2 + 15.0,
                "telegram": TELEGRAM_CHECK_S * 2 + 15.0,
            }
        )
        outbox = Outbox(
            store,
            bot,
            settings.admin_chat_id,
            lock=lock,
            clock=time.time,
            on_success=lambda: pulse.beat("telegram", time.time()),
            edit_gap_s=settings.edit_gap_s,
        )
        service = Service(
            store=store,
            engine=engine,
            outbox=outbox,
            teller=Teller(settings.language, settings.zone),
            rules=settings.judging_rules,
            lock=lock,
            group_s=settings.group_s,
            tick_s=settings.tick_s,
            log_lines=settings.log_lines,
        )
        link = Link(
            engine,
            service.put,
            window_s=settings.stream_window_s,
            settle_s=min(SNAPSHOT_SETTLE_S, settings.reconcile_s),
            on_alive=lambda: pulse.beat("stream", time.time()),
            on_connected=lambda: routine.reconcile_now(),
        )
        routine = Routine(settings, service, link, bot, pulse)
        routine.start()
        stack.callback(routine.stop)
        log.info("watching %s for chat %s", settings.docker_host, settings.admin_chat_id)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(outbox.run())
            tasks.create_task(service.run(link))
            if settings.may_poll:
                tasks.create_task(_answer_commands(bot, service, outbox))


async def _answer_commands(bot: Bot, service: Service, outbox: Outbox) -> None:
    dispatcher = Dispatcher()
    dispatcher.include_router(make_router(service, lambda: outbox.chat_id))
    try:
        await show_menu(bot, service, outbox.chat_id)
    except (AiogramError, OSError) as exc:
        log.warning("no command menu: %s", type(exc).__name__)
    # Not `start_polling`: it leaves its task behind when it is cancelled.
    offset = None
    while True:
        try:
            updates = await bot.get_updates(
                offset, timeout=POLL_S, allowed_updates=["message"], request_timeout=POLL_S + 15
            )
        except (AiogramError, OSError) as exc:
            log.warning("no commands for a moment: %s", type(exc).__name__)
            await asyncio.sleep(exc.retry_after if isinstance(exc, TelegramRetryAfter) else AFTER_ERROR_S)
            continue
        for update in updates:
            offset = update.update_id + 1
            try:
                await dispatcher.feed_update(bot, update)
            except (AiogramError, OSError):
                log.exception("command in update %s", update.update_id)
