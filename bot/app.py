"""Everything wired together. Tests build the same App with other settings and a pool of their own."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Self
from urllib.parse import urlsplit

from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramAPIError
from sqlalchemy import text

from bot.db.engine import ANSWER_WITHIN_S, STORAGE_TROUBLE, Database, create_engine
from bot.db.migrate import migrate
from bot.domain import JobKind
from bot.handlers import build_router
from bot.incoming import loads
from bot.metrics import Metrics, StageClock, TelegramMeter
from bot.middlewares.bans import BanMiddleware
from bot.middlewares.groups import GroupsMiddleware
from bot.middlewares.language import language_middleware
from bot.middlewares.people import PeopleMiddleware
from bot.middlewares.throttling import ThrottlingMiddleware
from bot.polling import Poller
from bot.routine import Routine, prepare_folder
from bot.services import audio_tasks
from bot.services.broadcast import BroadcastRecipe, BroadcastService
from bot.services.buttons import ButtonService
from bot.services.curves import CurveRecipe
from bot.services.delivery import Delivery
from bot.services.feedback import FeedbackService
from bot.services.fleet import Fleet
from bot.services.highlights import HighlightRecipe
from bot.services.history import HistoryService
from bot.services.jobs import JobService, QueueLimits
from bot.services.letters import LetterRecipe, NoticeRecipe
from bot.services.menu import register_menu
from bot.services.mix_desk import MixDesk
from bot.services.mix_menu import MixMenu
from bot.services.mix_recipes import MixPlanRecipe, MixPreviewRecipe, MixRecipe, TracklistRecipe
from bot.services.mixes import MixService
from bot.services.privacy import PrivacyService
from bot.services.recipes import AudioPool, Fetch, Recipe
from bot.services.sender import DeliveryUncertain, Limits, Sender
from bot.services.statistics import StatisticsRecipe
from bot.services.status import StatusBoard
from bot.services.team import TeamService
from bot.services.telegram_files import downloader
from bot.services.worker import JOB_LIMIT_S, Worker
from bot.settings import Settings
from bot.texts import SafeCore, Texts, build_core
from bot.web import Health, build_web, serving
from bot.webhook import Webhook

logger = logging.getLogger(__name__)

DEAF_AFTER_S = 120.0  # four long polls without an answer
INSIST_S = 5.0
REQUEST_TIMEOUT_S = 120.0  # an upload of a long mix over a slow line


def build_bot(settings: Settings) -> Bot:
    server = TelegramAPIServer.from_base(settings.telegram_api_base, is_local=settings.telegram_local_api)
    return Bot(
        settings.bot_token.get_secret_value(),
        session=AiohttpSession(api=server, timeout=REQUEST_TIMEOUT_S, json_loads=loads),
        default=DefaultBotProperties(
            parse_mode="HTML", link_preview_is_disabled=True, allow_sending_without_reply=True
        ),
    )


class App:
    def __init__(
        self,
        settings: Settings,
        bot: Bot,
        database: Database,
        pool: AudioPool,
        model_version: str,
        limits: Limits | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        core = build_core()
        self.texts = texts = Texts(
            core,
            limit_mb=settings.max_download_bytes // (1024 * 1024),
            limit_min=int(settings.max_track_minutes),
        )
        max_track_s = settings.max_track_minutes * 60.0
        self._started = time.monotonic()
        self.settings = settings
        self.bot = bot
        self.database = database
        self.health = Health()
        self.metrics = Metrics()
        self.metrics.watch_storage(database)
        self.sender = Sender(database, limits)
        bot.session.middleware(self.sender)
        bot.session.middleware(TelegramMeter(self.metrics))
        highlights = HighlightRecipe(
            bot=bot,
            fetch=fetch or downloader(bot),
            database=database,
            pool=pool,
            texts=texts,
            model_version=model_version,
            max_download_bytes=settings.max_download_bytes,
            max_track_s=max_track_s,
        )
        mix_desk = MixDesk(
            bot=bot,
            database=database,
            pool=pool,
            fetch=fetch or downloader(bot),
            texts=texts,
            model_version=model_version,
            max_download_bytes=settings.max_download_bytes,
            max_track_s=max_track_s,
        )
        recipes: dict[JobKind, Recipe] = {
            JobKind.HIGHLIGHT: highlights,
            JobKind.RECUT: highlights,
            JobKind.CURVE: CurveRecipe(database=database, pool=pool, texts=texts),
            JobKind.LETTER: LetterRecipe(
                database=database,
                texts=texts,
                fetch=downloader(bot),
                team_chat_id=settings.admin_chat_id,
                max_bytes=settings.max_download_bytes,
            ),
            JobKind.NOTICE: NoticeRecipe(database=database, texts=texts),
            JobKind.BROADCAST: BroadcastRecipe(database),
            JobKind.MIX_PLAN: MixPlanRecipe(mix_desk),
            JobKind.MIX_PREVIEW: MixPreviewRecipe(mix_desk),
            JobKind.MIX: MixRecipe(mix_desk),
            JobKind.TRACKLIST: TracklistRecipe(mix_desk),
            JobKind.STATS: StatisticsRecipe(database=database, pool=pool, texts=texts),
        }
        queue_limits = QueueLimits(
            per_user=settings.user_queue_limit,
            in_all=settings.queue_limit,
            user_parallel=settings.user_parallel,
            max_download_bytes=settings.max_download_bytes,
            max_track_s=max_track_s,
        )
        self.fleet = Fleet(database)
        self.jobs = JobService(database, queue_limits, recipes, self.fleet.id)
        self.feedback = FeedbackService(
            bot=bot,
            database=database,
            jobs=self.jobs,
            texts=texts,
            team_chat_id=settings.admin_chat_id,
        )
        self.broadcasts = BroadcastService(bot=bot, database=database, jobs=self.jobs, texts=texts)
        self.worker = Worker(
            bot=bot,
            database=database,
            service=self.jobs,
            delivery=Delivery(bot, database, self.sender),
            board=StatusBoard(
                bot, database, texts, on_stage=StageClock(self.metrics), shows=self.fleet.shows
            ),
            recipes=recipes,
            texts=texts,
            notify=self.notify_team,
            fleet=self.fleet,
            work_dir=settings.work,
            job_limit_s=JOB_LIMIT_S if settings.queue == "local" else None,
            heavy_slots=pool.workers + 1,  # one downloads or sends while the others compute
        )
        self.dispatcher = self._dispatcher(core, texts)
        self.poller = Poller(self.dispatcher, bot, database)
        self.webhook = self._webhook()
        self.routine = Routine(settings, self.notify_team)
        self.health.checks["storage"] = self._check_storage
        self.health.checks["telegram"] = self._check_telegram

    def _dispatcher(self, core: SafeCore, texts: Texts) -> Dispatcher:
        dispatcher = Dispatcher(
            disable_fsm=True,
            jobs=self.jobs,
            worker=self.worker,
            sender=self.sender,
            database=self.database,
            texts=texts,
            settings=self.settings,
            notify=self.notify_team,
            buttons=ButtonService(self.database, self.jobs, texts),
            history=HistoryService(self.database, self.jobs),
            privacy=PrivacyService(self.bot, self.database, self.jobs, self.worker, self.feedback),
            feedback=self.feedback,
            broadcasts=self.broadcasts,
            mixing=MixService(self.database, self.jobs),
            mix_menu=MixMenu(self.database, texts),
            team=TeamService(bot=self.bot, database=self.database, texts=texts),
        )
        dispatcher.update.outer_middleware(GroupsMiddleware(self.database, self.sender))
        dispatcher.update.outer_middleware(PeopleMiddleware(self.database, self.sender))
        dispatcher.update.outer_middleware(language_middleware(core, self.database))
        dispatcher.update.outer_middleware(BanMiddleware(self.database))
        dispatcher.update.outer_middleware(ThrottlingMiddleware())
        dispatcher.include_router(build_router())
        return dispatcher

    def _webhook(self) -> Webhook | None:
        if not self.settings.webhook_url or self.settings.webhook_secret is None:
            return None
        secret = self.settings.webhook_secret.get_secret_value()
        return Webhook(self.dispatcher, self.bot, self.database, self.fleet, self.texts, secret)

    async def _check_storage(self) -> list[str]:
        async with asyncio.timeout(3.0), self.database.read() as session:
            await session.execute(text("SELECT 1"))
        return []

    async def _check_telegram(self) -> list[str]:
        if self.webhook is not None:
            return []  # silence may be peace: Telegram calls only when somebody writes
        silent_s = time.monotonic() - (self.poller.last_success or self._started)
        return [f"no answer for {silent_s:.0f} s"] if silent_s > DEAF_AFTER_S else []

    async def notify_team(self, line: str) -> None:
        """One plain line to the admin chat; never the cause of another failure."""
        if self.settings.admin_chat_id is not None:
            with suppress(TelegramAPIError, DeliveryUncertain, *STORAGE_TROUBLE):
                await self.bot.send_message(self.settings.admin_chat_id, line, parse_mode=None)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, settings: Settings, pool: AudioPool, limits: Limits | None = None
    ) -> AsyncIterator[Self]:
        """With a started pool. Storage is migrated first; connections are closed at the end."""
        await migrate(settings.database, backups=settings.backups)
        await asyncio.to_thread(prepare_folder, settings.work)
        async with AsyncExitStack() as stack:
            database = Database(create_engine(settings.database), ANSWER_WITHIN_S)
            stack.push_async_callback(database.close)
            bot = build_bot(settings)
            stack.push_async_callback(bot.session.close)
            version = await pool.run(audio_tasks.model_version, timeout_s=120.0)
            if settings.queue == "local":
                yield cls(settings, bot, database, pool, version, limits)
                return
            from bot.services.remote import RemotePool
            from bot.services.stream import WorkStream

            stream = WorkStream(settings.redis_url.get_secret_value())
            stack.push_async_callback(stream.close)
            await stream.startup()
            remote = RemotePool(stream, pool, downloader(bot), in_flight=settings.queue_in_flight)
            app = cls(settings, bot, database, remote, version, limits, remote.fetch)
            app.metrics.watch_stream(stream.backlog)
            app.health.checks["queue"] = stream.check
            yield app

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: settle what the last run left, then work and listen. Then drain."""
        async with AsyncExitStack() as stack:
            if self.settings.http_port:
                web = build_web(self.health, self.metrics)
                if self.webhook is not None:
                    web.router.add_post(urlsplit(self.settings.webhook_url).path, self.webhook.answer)
                await stack.enter_async_context(
                    serving(web, self.settings.http_host, self.settings.http_port)
                )
            self.routine.start()
            stack.callback(self.routine.stop)
            await self.sender.load()
            await self.fleet.join()
            await self.worker.recover()
            await self.feedback.resume()
            await self._work(stop)

    async def _work(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(self.worker.run())
            beating = tasks.create_task(self.fleet.run())
            listening = tasks.create_task(self._listen())
            naming = tasks.create_task(register_menu(self.bot, self.texts))
            feeding = tasks.create_task(self.broadcasts.run())
            watching = tasks.create_task(self.metrics.watch_loop())
            self.health.is_ready = True
            logger.info("ready")
            await stop.wait()
            logger.info("stopping")
            naming.cancel()
            feeding.cancel()
            watching.cancel()
            listening.cancel()
            await asyncio.wait({listening})
            await self.worker.stop(self.settings.grace_s)
            await working
            beating.cancel()
            await self.fleet.leave()

    async def _listen(self) -> None:
        """Until cancelled: where Telegram was told to bring its updates."""
        if self.webhook is None:
            await self._insist(self.bot.delete_webhook)  # with one set, Telegram refuses to be polled
            await self.poller.run()
        else:
            await self._insist(partial(self.webhook.announce, self.settings.webhook_url))
            await self.webhook.run()

    @staticmethod
    async def _insist(say: Callable[[], Awaitable[object]]) -> None:
        """A Telegram that is away at our start is waited for."""
        while True:
            try:
                await say()
            except TelegramAPIError as exc:
                logger.warning("Telegram cannot be told how we listen (%s), again soon", type(exc).__name__)
                await asyncio.sleep(INSIST_S)
            else:
                return
