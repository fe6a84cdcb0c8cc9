"""What is written is there after a restart, and nothing is half-written."""

import asyncio
import time
from pathlib import Path

import pytest

from watchdog.incidents import Fact, Incident, Kind, Standing, Turn
from watchdog.state import Phase, Watched, WatchState
from watchdog.store import KEPT_S, Mute, Store


@pytest.fixture
async def store(tmp_path: Path):
    store = await Store.open(tmp_path / "watchdog.db")
    yield store
    await store.close()


async def test_state_comes_back_as_it_was(tmp_path: Path, store: Store) -> None:
    incident = Incident(3, "bot", "bot", Kind.OOM, 5.0, (Fact(5.0, "oom", 137),), next_reminder_at=9.0)
    watched = Watched("bot", "bot", "id", Phase.DOWN, 5.0, incident_id=3, crashes=(1.0, 2.0))
    state = WatchState({"bot": watched}, {3: incident}, next_incident_id=4, has_baseline=True)
    async with store.transaction():
        await store.save_state(state)
    other = await Store.open(tmp_path / "watchdog.db")
    assert await other.load_state() == state
    await other.close()


async def test_failed_transaction_leaves_nothing(store: Store) -> None:
    async def write_and_fail() -> None:
        async with store.transaction():
            await store.set("name", "value")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()
    assert await store.get("name") is None


async def test_cancelled_transaction_does_not_block_the_next(store: Store) -> None:
    async def write_forever() -> None:
        while True:
            async with store.transaction():
                await store.set("name", "value")

    for _ in range(20):
        task = asyncio.get_running_loop().create_task(write_forever())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with store.transaction():
            await store.set("after", "value")


async def test_later_turn_at_the_same_time_replaces_the_earlier(store: Store) -> None:
    async with store.transaction():
        await store.add_turns([Turn("bot", 1.0, Standing.UP), Turn("bot", 9.0, Standing.DOWN)])
        await store.add_turns([Turn("bot", 9.0, Standing.OFF)])
    assert await store.turns(5.0, 20.0) == [Turn("bot", 1.0, Standing.UP), Turn("bot", 9.0, Standing.OFF)]


async def test_pruning_keeps_each_last_turn_and_open_incidents(store: Store) -> None:
    now = time.time()
    old = now - KEPT_S - 10
    async with store.transaction():
        await store.add_turns([Turn("bot", old, Standing.DOWN), Turn("bot", old + 1, Standing.UP)])
        await store.file_incident(Incident(1, "bot", "bot", Kind.CRASHED, old))
        await store.file_incident(Incident(2, "bot", "bot", Kind.CRASHED, old, closed_at=old + 1))
        await store.prune(now)
    assert await store.turns(now - 1, now) == [Turn("bot", old + 1, Standing.UP)]
    assert [filed.incident.id for filed in await store.incidents("1 = 1")] == [1]


async def test_mutes_are_kept(store: Store) -> None:
    async with store.transaction():
        await store.set_mute(Mute("bot", 1.0, None))
        await store.set_mute(Mute("bot", 2.0, 9.0))
    assert await store.mutes() == [Mute("bot", 2.0, 9.0)]
    async with store.transaction():
        await store.drop_mute("bot")
    assert not await store.mutes()


async def test_state_of_another_version_starts_afresh_with_new_numbers(store: Store) -> None:
    async with store.transaction():
        await store.set("state", '{"containers": 5}')
        await store.file_incident(Incident(41, "bot", "bot", Kind.CRASHED, 1.0))
    assert await store.load_state() == WatchState(next_incident_id=42)
