"""Real Redis and PostgreSQL servers for the tests of the scaled-out bot, each private to one test session."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "scripts" / "services.sh"
UNAVAILABLE = 3  # services.sh's word for "cannot be had here"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _services(*args: str) -> None:
    done = subprocess.run([str(SERVICES), *args], capture_output=True, text=True, check=False)
    if done.returncode == UNAVAILABLE:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Service:
    """One server: `crash()` is a SIGKILL (Redis) or an immediate stop (PostgreSQL); its files survive it."""

    kind: str
    directory: Path
    port: int

    def start(self) -> None:
        _services(self.kind, "start", str(self.directory), str(self.port))

    def stop(self) -> None:
        _services(self.kind, "stop", str(self.directory), str(self.port))

    def crash(self) -> None:
        _services(self.kind, "crash", str(self.directory), str(self.port))

    def freeze(self) -> None:
        """PostgreSQL keeps its connections and says no more, as a host does that lost its network."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        for process in self._processes():
            process.resume()

    def _processes(self) -> list[psutil.Process]:
        server = psutil.Process(int((self.directory / "postmaster.pid").read_text().split()[0]))
        return [server, *server.children(recursive=True)]


@pytest.fixture(scope="session")
def services_root() -> Iterator[Path]:
    """A folder that another account may enter, as pytest's own may not: the servers do not run as root."""
    _services("install")
    root = Path(tempfile.mkdtemp(prefix="highlight-services-"))
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def redis_server(services_root: Path) -> Iterator[Service]:
    server = Service("redis", services_root / "redis", free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: Service) -> str:
    """A database of its own for each test: emptied before it."""
    url = f"redis://127.0.0.1:{redis_server.port}/0"
    subprocess.run(["redis-cli", "-p", str(redis_server.port), "flushall"], check=True, capture_output=True)
    return url


@pytest.fixture(scope="session")
def postgres_server(services_root: Path) -> Iterator[Service]:
    server = Service("postgres", services_root / "postgres", free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: Service) -> str:
    """A fresh, empty database in SQLAlchemy's notation."""
    name = f"test_{uuid4().hex[:12]}"
    command = ["createdb", "-h", "127.0.0.1", "-p", str(postgres_server.port), "-U", "highlight", name]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PGCONNECT_TIMEOUT": "10"})
    return f"postgresql+asyncpg://highlight@127.0.0.1:{postgres_server.port}/{name}"
