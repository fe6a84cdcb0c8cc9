"""/stats: the team's figures as a picture with a caption."""

from dataclasses import asdict
from typing import Any

from aiogram.methods import SendPhoto, TelegramMethod
from aiogram.types import FSInputFile, Message

from bot.db import statistics
from bot.db.engine import Database
from bot.domain import Job, Statistics
from bot.services.recipes import AudioPool, Desk, InLightLane, KeepsNothing, reply_to
from bot.texts import Texts

DRAW_LIMIT_S = 60.0
MAX_FAILURES = 8
MAX_VERSIONS = 5


class StatisticsRecipe(InLightLane, KeepsNothing):
    def __init__(self, *, database: Database, pool: AudioPool, texts: Texts) -> None:
        self._database = database
        self._pool = pool
        self._texts = texts

    async def prepare(self, job: Job, desk: Desk) -> TelegramMethod[Message]:
        async with self._database.read() as session:
            found = await statistics.collect(session)
        locale = desk.listener.locale
        names = {key: self._texts.get(locale, f"stats-{key}") for key in ("title", "answered", "failed")}
        path = await self._pool.run(
            draw_days, asdict(found), names, str(desk.folder / "stats.png"), timeout_s=DRAW_LIMIT_S
        )
        return SendPhoto(
            chat_id=job.chat_id,
            photo=FSInputFile(path),
            caption=self.caption(locale, found),
            reply_parameters=reply_to(job),
        )

    def caption(self, locale: str, found: Statistics) -> str:
        def seconds(value: float | None) -> str:
            return "–" if value is None else f"{value:.1f}"

        lines = [
            self._texts.get(locale, "stats-users", users=found.users, week=found.users_week),
            self._texts.get(
                locale,
                "stats-jobs",
                today=found.answered[-1],
                month=sum(found.answered),
                failed=sum(found.failed),
            ),
            self._texts.get(
                locale, "stats-latency", median=seconds(found.median_s), p95=seconds(found.p95_s)
            ),
        ]
        lines += [
            self._texts.get(locale, "stats-failure", code=code, n=n)
            for code, n in found.failures[:MAX_FAILURES]
        ]
        lines += [
            self._texts.get(
                locale,
                "stats-thumbs",
                version=version,
                up=up,
                down=down,
                moved=moved,
                share=round(100 * up / (up + down)) if up + down else 0,
            )
            for version, up, down, moved in found.thumbs[-MAX_VERSIONS:]
        ]
        return "\n".join(lines)


def draw_days(figures: dict[str, Any], names: dict[str, str], out_path: str) -> str:
    """Bars per day, answered and failed, as a PNG; runs in a worker process. Returns `out_path`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8.0, 4.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    labels = [f"{day.day}.{day.month:02}" for day in figures["days"]]
    places = range(len(labels))
    axes.bar(places, figures["answered"], width=0.8, color="#3390ec", label=names["answered"])
    axes.bar(
        places,
        figures["failed"],
        width=0.8,
        bottom=figures["answered"],
        color="#e0564f",
        label=names["failed"],
    )
    step = 5
    axes.set_xticks([p for p in places if (len(labels) - 1 - p) % step == 0])
    axes.set_xticklabels([labels[p] for p in places if (len(labels) - 1 - p) % step == 0])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(names["title"], loc="left")
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(out_path)
    return out_path
