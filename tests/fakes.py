"""Stand-ins for what surrounds the unit under test: the audio pool and the clock. They never stand in for our
own services."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.domain import Choices
from bot.services import audio_tasks
from bot.services.audio_tasks import AnalysisResult, Clip, ClipOrder

MODEL_VERSION = "fake-1"


class FakePool:
    """Answers the bot's audio tasks at once with a fixed clip. `gate` holds the work back; `failure` is
    raised instead of the next result; `calls` are the names of the tasks that ran."""

    def __init__(self, ogg: bytes, mp3: bytes) -> None:
        self.calls: list[str] = []
        self.failure: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.confidence = 0.8
        self.workers = 2
        self.picture = b""
        self._ogg, self._mp3 = ogg, mp3

    async def run(self, fn: Callable[..., Any], *args: Any, timeout_s: float | None = None, **_: Any) -> Any:
        if fn is audio_tasks.model_version:
            return MODEL_VERSION
        self.calls.append(fn.__name__)
        self.entered.set()
        await self.gate.wait()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if fn is audio_tasks.analyse_and_cut:
            path, out_path, order, _max_track_s = args
            return self._analysis(), self._clip(path, out_path, order)
        if fn is audio_tasks.cut:
            path, out_path, order, _document = args
            return self._clip(path, out_path, order)
        if fn is audio_tasks.draw:
            _document, _start_s, _end_s, out_path, _title = args
            Path(out_path).write_bytes(self.picture)
            return out_path
        return await asyncio.to_thread(fn, *args)  # no audio in it

    def _analysis(self) -> AnalysisResult:
        return AnalysisResult(
            document={"fake": True},
            model_version=MODEL_VERSION,
            duration_s=180.0,
            tempo_bpm=128.2,
            key="F# minor",
            confidence=self.confidence,
            title="Tagged Title",
            performer="Tagged Performer",
        )

    def _clip(self, path: str, out_path: str, order: ClipOrder) -> Clip:
        assert Path(path).stat().st_size > 0
        Path(out_path).write_bytes(self._mp3 if order.is_mp3 else self._ogg)
        start_s = 62.4 if order.start_s is None else order.start_s
        choices = fake_choices(start_s, order.length_s)
        return Clip(out_path, order.length_s, start_s, start_s + order.length_s, 0.7, choices)


def fake_choices(start_s: float, length_s: float) -> Choices:
    """Bars of two seconds; moments at 62.4 and 120 s, of three minutes."""

    def start(wanted_s: float) -> float | None:
        return None if abs(wanted_s - 62.4) < 0.01 else round(wanted_s, 2)

    starts = {
        "earlier": start(start_s - 2.0),
        "later": start(start_s + 2.0),
        "next": start(62.4 if start_s == 120.0 else 120.0),
        "15": start(start_s),
        "30": start(start_s),
        "60": start(start_s),
    }
    if start_s < 2.0:
        del starts["earlier"]
    rank = {62.4: 1, 120.0: 2}.get(start_s, 0)
    return Choices(starts, (62.4, 62.4 + length_s), rank, 2)


class FakeClock:
    """Time that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, delay_s: float) -> None:
        self.slept_s.append(delay_s)
        self.now_s += delay_s
        await asyncio.sleep(0)


class ThreadPool:
    """The real audio work, in threads of the test's own process: quick to start."""

    workers = 2

    async def run(self, fn: Callable[..., Any], *args: Any, timeout_s: float | None = None, **_: Any) -> Any:
        return await asyncio.to_thread(fn, *args)
