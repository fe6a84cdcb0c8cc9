"""The adapter alone against a real engine: the traps of its API."""

import asyncio
from typing import Any

import pytest

from watchdog.domain import ContainerEvent, Gap, Scope
from watchdog.engine import DockerEngine

pytestmark = [pytest.mark.engine, pytest.mark.slow]


async def listen(engine: DockerEngine, since_ns: int) -> list[tuple[ContainerEvent, int]]:
    """Everything that the engine replays until now."""
    heard: list[tuple[ContainerEvent, int]] = []
    await engine.stream(since_ns, lambda event, time_ns: heard.append((event, time_ns)))
    return heard


@pytest.fixture
async def engine(private_engine: Any) -> Any:
    engine = DockerEngine(private_engine.host, Scope(), window_s=1.0)
    await engine.connect()
    yield engine
    engine.close()
    await private_engine.clear()


async def test_replay_begins_with_the_given_nanosecond_and_not_after_it(
    engine: Any, private_engine: Any
) -> None:
    before_ns = int(engine.now() * 1e9)
    await private_engine.run("bot")
    heard = await listen(engine, before_ns)
    assert [event.action for event, _ in heard] == ["create", "start"]
    last_ns = heard[-1][1]
    assert [event.action for event, _ in await listen(engine, last_ns)] == ["start"]
    assert await listen(engine, last_ns + 1) == []


async def test_containers_that_vanish_during_the_look_do_no_harm(engine: Any, private_engine: Any) -> None:
    names = [f"box{n}" for n in range(12)]
    for name in names:
        await private_engine.docker("create", "--network", "none", "--name", name, "highlight-test/idle:1")
    removal = asyncio.gather(private_engine.docker("rm", *names), *(engine.snapshot() for _ in range(6)))
    snapshots = (await removal)[1:]
    assert all(snapshot.is_complete for snapshot in snapshots)
    assert (await engine.snapshot()).inspections == ()


async def test_whether_the_engine_remembers(engine: Any, private_engine: Any) -> None:
    await private_engine.run("bot")
    since = engine.now()
    await private_engine.signal("bot", "WINCH", 5)
    assert await engine.gap_since(since) is Gap.NONE
    await private_engine.signal("bot", "WINCH", 260)
    assert await engine.gap_since(since) is Gap.ROLLED
    await private_engine.act("term")
    await private_engine.act("start")
    assert await engine.gap_since(since) is Gap.RESTARTED


async def test_logs_end_with_the_run_that_died(engine: Any, private_engine: Any) -> None:
    command = "echo $(cat /tmp/round 2>/dev/null)x > /tmp/round; cat /tmp/round; test -s /tmp/end || exit 3"
    await private_engine.run("bot", "sh", "-c", command)
    await private_engine.docker("wait", "bot")
    (seen,) = (await engine.snapshot()).inspections
    await private_engine.docker("start", "-a", "bot", fails=True)
    assert await engine.last_logs(seen.container_id, 5, seen.finished_at) == "x"
    assert await engine.last_logs(seen.container_id, 5) == "x\nxx"
    assert await engine.last_logs("0" * 64, 5) == ""
