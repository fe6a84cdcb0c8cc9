"""The shipped images and compose file on a real engine: a track is answered, the bot is killed in the middle
of its work and loses nothing, and the team hears of it.

Only what differs on the machine of the test is set: the base image, the engine's socket, the sandbox as
Telegram, and the watchdog's patience. Takes three to five minutes when nothing is cached.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import ADMIN_CHAT_ID, CallView, MessageView, SandboxClient
from sandbox.server import DEFAULT_TOKEN, Sandbox
from sandbox.song import write_song

pytestmark = [pytest.mark.images, pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
GATEWAY = "10.213.77.1"  # compose.test.yml's
BASE = "python:3.11-slim-bookworm"
UNAVAILABLE = 3
SERVICES = ("bot", "worker", "watchdog", "socket-proxy")
PATIENCE_S = 180.0
# For inside the watchdog's container: the status of each "METHOD /path" on the command line.
ASK_PROXY = """
import sys, urllib.error, urllib.request
for line in sys.argv[1:]:
    method, path = line.split()
    request = urllib.request.Request("http://socket-proxy:2375" + path, method=method)
    try:
        print(urllib.request.urlopen(request, timeout=5).status)
    except urllib.error.HTTPError as exc:
        print(exc.code)
"""


def _script(name: str, *args: str, **environment: str) -> str:
    done = subprocess.run(
        [str(ROOT / "scripts" / name), *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode == UNAVAILABLE:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def docker_host() -> Iterator[str]:
    """An engine of its own: the watchdog's tests crash theirs. Its images stay: the next run is quick."""
    directory = str(Path(tempfile.gettempdir()) / f"highlight-stack-engine-{os.getuid()}")
    yield _script("engine.sh", "start", ENGINE_DIR=directory).splitlines()[-1]
    _script("engine.sh", "stop", ENGINE_DIR=directory)


@dataclass(frozen=True)
class Stack:
    """The compose project on the engine; `environment` is what compose reads."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def compose(self, *args: str) -> str:
        done = subprocess.run(
            [*self.command, *args],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def docker(self, *args: str) -> str:
        done = subprocess.run(
            ["docker", *args], capture_output=True, text=True, check=True, env=self.environment
        )
        return done.stdout.strip()

    def inspect(self, service: str) -> dict[str, Any]:
        name = self.compose("ps", "-q", service).strip()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", name))
        return found[0]

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail=60")


def _compose_command() -> tuple[str, ...]:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose") is None and os.getuid() == 0 and shutil.which("apt-get"):
        install = "apt-get -qq update; apt-get -qq -y -o DPkg::Lock::Timeout=300 install docker-compose"
        subprocess.run(["sh", "-c", install], capture_output=True, check=False)
    if shutil.which("docker-compose") is None:
        pytest.skip("neither `docker compose` nor docker-compose, and it cannot be installed here")
    return ("docker-compose",)


@pytest.fixture(scope="module")
def images(docker_host: str, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Our four images, built from the checkout."""
    _script("base-image.sh", BASE, DOCKER_HOST=docker_host)
    environment = {
        **os.environ,
        "DOCKER_HOST": docker_host,
        "DOCKER_BUILDKIT": "0",  # Debian's engine has no buildx
        "COMPOSE_DOCKER_CLI_BUILD": "0",
        "PYTHON_IMAGE": BASE,
        "DEBIAN_IMAGE": BASE,
        "BUILD_NETWORK": "host",  # the engine for tests has no network of its own
        "TAG": "test",
        "DOCKER_SOCKET": docker_host.removeprefix("unix://"),
        "ENV_FILE": str(tmp_path_factory.mktemp("stack") / ".env"),
    }
    files = ("-f", "docker-compose.yml", "-f", "tests/deploy/compose.test.yml", "-p", "highlighttest")
    stack = Stack((*_compose_command(), *files), environment)
    Path(environment["ENV_FILE"]).touch()
    stack.compose("build", *SERVICES)
    return stack


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four different ones, made before the sandbox serves: they would keep its loop busy."""
    folder = tmp_path_factory.mktemp("songs")
    paths = [folder / f"song{seed}.mp3" for seed in range(4)]
    for seed, path in enumerate(paths):
        write_song(path, seed=seed)
    return paths


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxClient]:
    """Telegram for the containers: on every address of the host, the network's gateway among them."""
    async with Sandbox().serving(host="0.0.0.0") as url, SandboxClient(url) as client:
        yield client


@pytest.fixture
async def stack(images: Stack, sandbox: SandboxClient) -> AsyncIterator[Stack]:
    port = sandbox.url.rpartition(":")[2]
    Path(images.environment["ENV_FILE"]).write_text(
        f"BOT_TOKEN={DEFAULT_TOKEN}\nADMIN_CHAT_ID={ADMIN_CHAT_ID}\n"
        f"TELEGRAM_API_BASE=http://{GATEWAY}:{port}\nWORKERS=1\n"
        "WATCHDOG_GROUP_S=1\nWATCHDOG_RECONCILE_S=5\nWATCHDOG_STABLE_S=5\n"
    )
    await asyncio.to_thread(images.compose, "down", "--volumes", "--timeout", "5")
    await asyncio.to_thread(images.compose, "up", "-d")
    yield images
    await asyncio.to_thread(images.compose, "down", "--volumes", "--timeout", "5")


def _answers(views: list[MessageView], track: MessageView) -> list[MessageView]:
    return [view for view in views if view.kind == "voice" and view.reply_to == track.message_id]


async def _begun(sandbox: SandboxClient, mark: CallView) -> None:
    """Until the bot works on a track that was sent after the mark."""
    await sandbox.wait_for_call("sendChatAction", after=mark, timeout_s=PATIENCE_S)


async def _told(sandbox: SandboxClient, *words: str) -> MessageView:
    """A message to the team that holds all the words."""
    return await sandbox.wait_for(
        lambda view: all(word in view.text.lower() for word in words),
        chat=ADMIN_CHAT_ID,
        timeout_s=PATIENCE_S,
    )


async def test_killed_bot_answers_every_track_after_its_restart_and_the_team_hears_of_it(
    songs: list[Path], stack: Stack, sandbox: SandboxClient
) -> None:
    try:
        await sandbox.wait_for_polling(timeout_s=PATIENCE_S)
        first = await sandbox.send_audio(songs[0])
        await sandbox.wait_for_all(lambda views: bool(_answers(views, first)), timeout_s=PATIENCE_S)

        # Two tracks in work: the server is slow to name their files, so that the kill comes in the middle.
        mark = (await sandbox.calls())[-1]
        slow = await sandbox.inject("getFile", "slow", times=None, delay_s=20.0)
        tracks = [await sandbox.send_audio(song) for song in songs[1:3]]
        await _begun(sandbox, mark)
        before = await asyncio.to_thread(stack.inspect, "bot")
        os.kill(before["State"]["Pid"], signal.SIGKILL)  # from outside the engine: it knows of no intent
        await sandbox.clear_faults(slow)

        views = await sandbox.wait_for_all(
            lambda views: all(_answers(views, track) for track in tracks), timeout_s=PATIENCE_S
        )
        assert [len(_answers(views, track)) for track in (first, *tracks)] == [1, 1, 1]
        after = await asyncio.to_thread(stack.inspect, "bot")
        assert after["State"]["StartedAt"] > before["State"]["StartedAt"]
        assert after["Id"] == before["Id"]
        await _told(sandbox, "bot crashed", "137")
        await _told(sandbox, "bot crashed", "well again")

        # An upgrade in the middle of a job: another container takes its place.
        mark = (await sandbox.calls())[-1]
        slow = await sandbox.inject("getFile", "slow", times=None, delay_s=20.0)
        last = await sandbox.send_audio(songs[3])
        await _begun(sandbox, mark)
        recreate = ("up", "-d", "--no-deps", "--force-recreate", "bot")
        await asyncio.to_thread(stack.compose, *recreate)  # the sandbox serves meanwhile
        await sandbox.clear_faults(slow)
        views = await sandbox.wait_for_all(lambda views: bool(_answers(views, last)), timeout_s=PATIENCE_S)
        assert len(_answers(views, last)) == 1
        assert (await asyncio.to_thread(stack.inspect, "bot"))["Id"] != after["Id"]
    except BaseException:
        print(stack.logs())
        raise


async def test_containers_have_no_rights_and_the_proxy_takes_no_orders(
    stack: Stack, sandbox: SandboxClient
) -> None:
    await sandbox.wait_for_polling(timeout_s=PATIENCE_S)
    for service in ("bot", "watchdog"):
        found = stack.inspect(service)
        assert found["HostConfig"]["ReadonlyRootfs"] is True
        held = stack.docker("exec", found["Id"], "sh", "-c", "id -u; grep CapEff /proc/self/status")
        assert held.split() == ["10001", "CapEff:", "0000000000000000"]

    watchdog = stack.inspect("watchdog")["Id"]
    questions = ["GET /_ping", "GET /v1.41/containers/json", f"GET /containers/{watchdog}/json"]
    orders = [
        f"POST /containers/{watchdog}/restart",
        f"DELETE /containers/{watchdog}",
        "GET /containers/../images/json",
        f"GET /containers/{watchdog}/archive?path=/data",
        "GET /secrets",
    ]
    told = stack.docker("exec", watchdog, "python", "-c", ASK_PROXY, *questions, *orders).split()
    assert told == ["200"] * len(questions) + ["403"] * len(orders)


def test_images_carry_what_they_need_and_nothing_else(images: Stack) -> None:
    def held(image: str, *modules: str) -> set[str]:
        find = f"import importlib.util as u; print(*(m for m in {modules!r} if u.find_spec(m)))"
        name = f"audio-highlight/{image}:test"
        return set(images.docker("run", "--rm", "--network=none", name, "python", "-c", find).split())

    assert held("bot", "bot", "inference", "redis", "asyncpg") == {"bot", "inference", "redis", "asyncpg"}
    assert held("bot", "sandbox", "tests", "training", "watchdog", "docker") == set()
    assert held("worker", "bot", "inference", "sandbox") == {"bot", "inference"}
    assert held("watchdog", "watchdog", "docker") == {"watchdog", "docker"}
    assert held("watchdog", "numpy", "av", "onnxruntime", "bot", "inference") == set()
