"""Stand-ins for what surrounds the unit under test: the audio pool and the clock. They never stand in for our
own services."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        raise NotImplementedError(fn.__name__)

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
        return Clip(out_path, order.length_s, start_s, start_s + order.length_s, 0.7)


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
