"""A private engine, a read-only door to it, and a watchdog at work with the chat that it writes to."""

import asyncio
import contextlib
import os
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from sandbox.client import MessageView
from sandbox.testing import RunningSandbox, running_sandbox
from sandbox.world import ADMIN_CHAT_ID
from watchdog.app import run_watchdog
from watchdog.domain import Rules
from watchdog.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[3]
IDLE, PROBED = "highlight-test/idle:1", "highlight-test/probed:1"
# Patience cut down for tests; the order of the times is that of production.
FAST = Rules(
    settle_s=0.5,
    intent_window_s=10.0,
    planned_grace_s=1.5,
    missing_grace_s=1.5,
    stable_s=2.0,
    loop_stable_s=3.0,
    engine_grace_s=1.0,
    shutdown_window_s=8.0,
    return_grace_s=4.0,
)
_TIMINGS: list[tuple[str, float, int]] = []


class PrivateEngine:
    """A dockerd of our own, through `scripts/engine.sh`."""

    def __init__(self, folder: Path) -> None:
        self.host = f"unix://{folder}/docker.sock"
        self.socket = folder / "docker.sock"
        self._environment = {**os.environ, "ENGINE_DIR": str(folder)}

    def do(self, word: str) -> subprocess.CompletedProcess[str]:
        script = str(REPOSITORY / "scripts" / "engine.sh")
        return subprocess.run(
            [script, word], env=self._environment, capture_output=True, text=True, timeout=250, check=False
        )

    async def act(self, word: str) -> None:
        done = await asyncio.to_thread(self.do, word)
        assert done.returncode == 0, done.stderr

    async def docker(self, *words: str, fails: bool = False) -> str:
        process = await asyncio.create_subprocess_exec(
            "docker", "-H", self.host, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert (process.returncode != 0) == fails, err.decode()
        return out.decode().strip()

    async def run(
        self, name: str, *command: str, image: str = IDLE, options: Sequence[str] = (), fails: bool = False
    ) -> None:
        await self.docker(
            "run", "-d", "--network", "none", "--name", name, *options, image, *command, fails=fails
        )
        while not command and "ready" not in await self.docker("logs", name):
            pass  # until then it is deaf to SIGTERM

    async def signal(self, name: str, word: str, times: int) -> None:
        """Many signals in a short time, past the command line."""
        async with ClientSession(connector=UnixConnector(str(self.socket), limit=8)) as session:
            for _ in range(times):
                async with session.post(f"http://engine/containers/{name}/kill?signal={word}") as answer:
                    assert answer.status == 204

    async def pid(self, name: str) -> int:
        return int(await self.docker("inspect", "--format", "{{.State.Pid}}", name))

    async def clear(self) -> None:
        everything = (await self.docker("ps", "-aq")).split()
        if everything:
            await self.docker("rm", "-f", *everything)


@pytest.fixture(scope="session")
def private_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """A real engine for this session only; the tests kill it and start it again."""
    engine = PrivateEngine(tmp_path_factory.mktemp("engine"))
    started = engine.do("start")
    if started.returncode == 3:
        pytest.skip(f"no Docker engine can be had here: {started.stderr.strip().splitlines()[-1]}")
    assert started.returncode == 0, started.stderr
    try:
        built = engine.do("images")
        assert built.returncode == 0, built.stderr
        yield engine
    finally:
        engine.do("wipe")


class ReadOnlyDoor:
    """What compose's socket proxy does: GET on an allow-list, 403 for the rest. It can be cut and frozen."""

    ALLOWED = re.compile(
        r"^(/v1\.\d+)?/(_ping|version|info|events|containers/(json|[\w.-]+/(json|logs|stats)))$"
    )

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.refused: list[str] = []
        self.asked: set[str] = set()
        self.is_cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: dict[int, web.Request] = {}
        self.host = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.is_cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if request.method not in ("GET", "HEAD") or not self.ALLOWED.match(request.path):
            self.refused.append(f"{request.method} {request.path}")
            return web.Response(status=403)
        self.asked.add(re.sub(r"^/v1\.\d+|(?<=containers/)[0-9a-f]{12,}", "", request.path))
        self._open[id(request)] = request
        response: web.StreamResponse | None = None
        try:
            async with (
                ClientSession(connector=UnixConnector(str(self._socket))) as session,
                session.get(f"http://engine{request.path_qs}", timeout=ClientTimeout(total=None)) as upstream,
            ):
                response = web.StreamResponse(status=upstream.status)
                response.content_type = upstream.content_type
                response.enable_chunked_encoding()
                await response.prepare(request)
                async for piece in upstream.content.iter_any():
                    await self._flowing.wait()
                    await response.write(piece)
                await self._flowing.wait()
                return response
        except ClientError:
            if request.transport is not None and response is not None:
                request.transport.abort()  # in the middle of an answer there is no other way to say it
            return web.Response(status=503)
        finally:
            self._open.pop(id(request))

    def cut(self) -> None:
        self.is_cut = True
        for request in list(self._open.values()):
            if request.transport is not None:
                request.transport.abort()

    def freeze(self) -> None:
        """Half-open: connections stay, nothing comes through."""
        self._flowing.clear()

    def mend(self) -> None:
        self.is_cut = False
        self._flowing.set()


@pytest.fixture
async def door(private_engine: PrivateEngine) -> AsyncIterator[ReadOnlyDoor]:
    door = ReadOnlyDoor(private_engine.socket)
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", door.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    door.host = f"tcp://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield door
    finally:
        door.mend()
        await runner.cleanup()
    assert not door.refused, "the watchdog asked for more than a read-only proxy allows"


class Watch:
    """A watchdog at work on the real engine, with the admin chat that it writes to."""

    def __init__(self, engine: PrivateEngine, chat: RunningSandbox, folder: Path, name: str) -> None:
        self.engine = engine
        self.chat = chat
        self.folder = folder
        self.name = name
        self._n_barriers = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self, docker_host: str, **options: Any) -> None:
        usual: dict[str, Any] = {
            "token": self.chat.token,
            "bot_token": None,
            "admin_chat_id": ADMIN_CHAT_ID,
            "telegram_api_base": self.chat.url,
            "docker_host": docker_host,
            "data_dir": self.folder,
            "group_s": 0.3,
            "edit_gap_s": 0.1,
            "reconcile_s": 1.5,
            "tick_s": 0.1,
            "stream_window_s": 5.0,
            "rules": FAST,
        }
        settings = Settings(_env_file=None, **{**usual, **options})
        self._task = asyncio.get_running_loop().create_task(run_watchdog(settings))

    async def stop(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, start: str, *, timeout_s: float = 40.0) -> MessageView:
        """The message with a line that starts like this (after its sign), now or after an edit."""

        def has(message: MessageView) -> bool:
            return any(line[line.find(" ") + 1 :].startswith(start) for line in message.text.splitlines())

        return await self.chat.wait_for(has, chat=ADMIN_CHAT_ID, timeout_s=timeout_s)

    async def headlines(self) -> list[str]:
        """What the chat was told, one line for each incident, once everything so far has been told.

        A container that is made and removed last is told of after the same grace as everything before it.
        """
        self._n_barriers += 1
        barrier = f"barrier{self._n_barriers}"
        await self.engine.docker("create", "--network", "none", "--name", barrier, IDLE)
        await self.engine.docker("rm", barrier)
        await self.until(f"{barrier} was removed")
        signs = "🔴🟠🟢⚪⏸🏁🔁👓👋"
        lines = [
            line.partition(" ")[2]
            for message in await self.chat.messages(ADMIN_CHAT_ID, from_bot=True)
            for line in message.text.splitlines()
            if line[:1] and line[0] in signs
        ]
        return [line for line in lines if not line.startswith(("barrier", "On watch"))]

    def took(self, since: float, n_messages: int = 1) -> None:
        """Note for the table at the end how long it took from the event to the message."""
        _TIMINGS.append((self.name, time.monotonic() - since, n_messages))


@pytest.fixture
async def bare_watch(
    private_engine: PrivateEngine, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Watch]:
    """A watchdog that the test starts itself."""
    async with running_sandbox() as chat:
        name = request.node.name.removeprefix("test_").replace("_", " ")
        watch = Watch(private_engine, chat, tmp_path, name)
        try:
            yield watch
        finally:
            await watch.stop()
            await private_engine.clear()


@pytest.fixture
async def watch(bare_watch: Watch, door: ReadOnlyDoor) -> Watch:
    """A watchdog behind the read-only door, past its first look."""
    await bare_watch.start(door.host)
    await bare_watch.until("On watch")
    return bare_watch


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _TIMINGS:
        terminalreporter.section("watchdog on a real engine: seconds from event to message, messages sent")
        for name, seconds, n_messages in _TIMINGS:
            terminalreporter.write_line(f"{name:<70} {seconds:6.1f} {n_messages:4}")
