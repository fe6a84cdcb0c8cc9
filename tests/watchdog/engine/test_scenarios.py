"""What happens on a real engine against what the admin chat is told: nothing missing, nothing twice."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.world import ADMIN_CHAT_ID, LISTENER_ID, TEAM_ID

pytestmark = [pytest.mark.engine, pytest.mark.slow]
Watch = Any  # the classes live in conftest
Door = Any

IDLE_LOOP = "trap exit TERM; while :; do sleep 0.1; done"
PROBED = "highlight-test/probed:1"
REPOSITORY = Path(__file__).resolve().parents[3]


async def test_stop_by_hand(watch: Watch) -> None:
    await watch.engine.run("bot")
    await watch.engine.docker("stop", "bot")
    since = time.monotonic()
    message = await watch.until("bot was stopped on purpose")
    watch.took(since)
    assert message.raw.get("disable_notification", True)
    assert await watch.headlines() == ["bot was stopped on purpose"]


async def test_restart_by_hand_and_recreation(watch: Watch) -> None:
    await watch.engine.run("bot")
    await watch.engine.docker("restart", "bot")
    await watch.engine.docker("rm", "-f", "bot")
    await watch.engine.run("bot")
    assert await watch.headlines() == []


async def test_kill_9_from_outside(watch: Watch) -> None:
    await watch.engine.run("bot")
    os.kill(await watch.engine.pid("bot"), signal.SIGKILL)
    since = time.monotonic()
    message = await watch.until("bot crashed")
    watch.took(since)
    assert "137: killed from outside (SIGKILL), not for memory" in message.text
    assert await watch.headlines() == ["bot crashed"]


async def test_exit_codes_in_words_with_the_last_lines(watch: Watch) -> None:
    since = time.monotonic()
    for code, words in ((1, "general error"), (42, "its own code"), (139, "SIGSEGV")):
        name = f"bot{code}"
        await watch.engine.run(name, "sh", "-c", f"echo '<b>the end & {code}'; exit {code}")
        message = await watch.until(f"end & {code}")
        assert f"ended with code {code}: " in message.text
        assert words in message.text
        assert f"<b>the end & {code}" in message.text
    watch.took(since, 3)
    assert sorted(await watch.headlines()) == ["bot1 crashed", "bot139 crashed", "bot42 crashed"]


async def test_task_that_ends_well(watch: Watch) -> None:
    since = time.monotonic()
    await watch.engine.run("task", "true")
    await watch.until("task finished")
    watch.took(since)
    assert await watch.headlines() == ["task finished"]


async def run_out_of_memory(engine: Any) -> tuple[str, float]:
    """Have the kernel kill pid 1 for memory: the container's name, and when it began.

    The engine now and then loses the kernel's notice when the group dies with its only process. Nobody can
    tell such a death from an outside kill, so another container has to die.
    """
    for attempt in range(5):
        name, since, began_at = f"bot-{attempt}", time.monotonic(), time.time()
        await engine.run(name, "sh", "-c", "exec tail /dev/zero", options=["-m", "16m"])
        await engine.docker("wait", name)
        await asyncio.sleep(1)
        window = ["--since", f"{began_at:.3f}", "--until", f"{time.time():.3f}"]
        if await engine.docker("events", *window, "--filter", "event=oom"):
            return name, since
    pytest.skip("the engine reports no memory kills here")


async def test_out_of_memory_of_pid_1(watch: Watch) -> None:
    name, since = await run_out_of_memory(watch.engine)
    await watch.until(f"{name} was killed: out of memory")
    watch.took(since)
    # The flag stays true in the next run, which ends in another way.
    await watch.engine.docker("start", name)
    own = [line for line in await watch.headlines() if name in line]
    assert own[0] == f"{name} was killed: out of memory"


async def test_out_of_memory_of_a_child(watch: Watch) -> None:
    since = time.monotonic()
    command = f"test -e /tmp/once || {{ touch /tmp/once; tail /dev/zero; }}; {IDLE_LOOP}"
    await watch.engine.run("bot", "sh", "-c", command, options=["-m", "16m"])
    await watch.until("bot ran out of memory inside")
    watch.took(since)
    closed = await watch.until(
        "bot ran out of memory inside: a process was killed, the main one lives → well again"
    )
    # The engine's flag is true during the whole next run; nothing may come of it.
    await watch.engine.docker("restart", "bot")
    assert "true" in await watch.engine.docker("inspect", "--format", "{{.State.OOMKilled}}", "bot")
    assert len(await watch.headlines()) == 1
    assert closed.versions, "the same message was edited"


async def test_crash_loop(watch: Watch) -> None:
    since = time.monotonic()
    await watch.engine.run("bot", "sh", "-c", "echo round; exit 7", options=["--restart", "always"])
    await watch.until("bot keeps crashing")
    watch.took(since)
    await watch.engine.docker("stop", "bot")
    message = await watch.until("bot keeps crashing → then stopped on purpose")
    assert "ended with code 7" in message.text
    assert len(await watch.headlines()) == 1


async def test_crash_that_the_engine_mends_in_a_moment(watch: Watch) -> None:
    command = f"test -e /tmp/once || {{ touch /tmp/once; exit 3; }}; {IDLE_LOOP}"
    since = time.monotonic()
    await watch.engine.run("bot", "sh", "-c", command, options=["--restart", "on-failure"])
    await watch.until("bot crashed")
    watch.took(since)
    message = await watch.until("bot crashed → well again")
    assert "started again" in message.text
    assert len(await watch.headlines()) == 1


async def test_command_that_does_not_exist(watch: Watch) -> None:
    since = time.monotonic()
    await watch.engine.run("bot", "/no/such/program", fails=True)
    message = await watch.until("bot does not start")
    watch.took(since)
    assert "/no/such/program" in message.text
    await watch.engine.docker("rm", "bot")
    await watch.until("bot does not start → then removed")
    assert len(await watch.headlines()) == 1


async def test_unhealthy_and_back(watch: Watch) -> None:
    await watch.engine.run("bot", image=PROBED)
    await watch.engine.docker("exec", "bot", "touch", "/tmp/bad")
    since = time.monotonic()
    await watch.until("bot fails its health check")
    watch.took(since)
    await watch.engine.docker("exec", "bot", "rm", "/tmp/bad")
    await watch.until("bot fails its health check → well again")
    assert len(await watch.headlines()) == 1


async def test_pause_with_a_health_check(watch: Watch) -> None:
    await watch.engine.run("bot", image=PROBED)
    await watch.engine.docker("pause", "bot")
    since = time.monotonic()
    await watch.until("bot is paused")
    watch.took(since)
    status = await watch.engine.docker("inspect", "--format", "{{.State.Health.Status}}", "bot")
    assert status == "unhealthy", "the engine says so of every paused container"
    await watch.engine.docker("unpause", "bot")
    await watch.until("bot is paused → well again")
    assert len(await watch.headlines()) == 1


async def test_rename_in_the_middle_of_an_incident(watch: Watch) -> None:
    await watch.engine.run("old", "sh", "-c", "exit 5")
    await watch.until("old crashed")
    since = time.monotonic()
    await watch.engine.docker("rename", "old", "new")
    await watch.until("new crashed")
    watch.took(since, 0)
    assert await watch.headlines() == ["new crashed"]


async def test_removal_by_force(watch: Watch) -> None:
    await watch.engine.run("bot")
    await watch.engine.docker("rm", "-f", "bot")
    since = time.monotonic()
    await watch.until("bot was removed")
    watch.took(since)
    assert await watch.headlines() == ["bot was removed"]


async def test_expected_container_goes_missing(watch: Watch) -> None:
    options = ["--label", "highlight.watch=expected"]
    await watch.engine.run("bot", options=options)
    await watch.engine.docker("rm", "-f", "bot")
    since = time.monotonic()
    await watch.until("bot is missing")
    watch.took(since)
    await watch.engine.run("bot", options=options)
    await watch.until("bot is missing → well again")
    assert len(await watch.headlines()) == 1


async def test_container_that_opted_out(watch: Watch) -> None:
    await watch.engine.run("bot", "sh", "-c", "exit 5", options=["--label", "highlight.watch=false"])
    assert await watch.headlines() == []


async def test_engine_stops_and_starts(watch: Watch) -> None:
    for name in ("alpha", "beta"):
        await watch.engine.run(name, options=["--restart", "always"])
    await watch.engine.run("gamma")
    since = time.monotonic()
    await watch.engine.act("term")
    await watch.until("Docker engine does not answer")
    watch.took(since)
    await watch.engine.act("start")
    message = await watch.until("Docker engine does not answer → back after")
    assert "2 containers are back." in message.text
    assert "1 did not return: gamma" in message.text
    await watch.until("gamma did not come back with the engine")
    await watch.engine.docker("start", "gamma")
    await watch.until("gamma did not come back with the engine → well again")
    assert len(await watch.headlines()) == 2


async def test_engine_is_killed_and_started(watch: Watch) -> None:
    await watch.engine.run("alpha", options=["--restart", "always"])
    await watch.engine.run("beta", options=["--restart", "unless-stopped"])
    since = time.monotonic()
    await watch.engine.act("crash")
    await watch.until("Docker engine does not answer")
    watch.took(since)
    await watch.engine.act("start")
    await watch.until("Docker engine does not answer → back after")
    told = await watch.headlines()
    states = await watch.engine.docker("ps", "-a", "--format", "{{.Names}} {{.State}}")
    dead = [line.split()[0] for line in states.splitlines() if line.endswith("exited")]
    assert [line for line in told if "come back" in line] == [
        f"{name} did not come back with the engine" for name in dead
    ]
    assert len(told) == 1 + len(dead)


async def test_300_events_and_a_crash_while_the_line_is_cut(watch: Watch, door: Door) -> None:
    command = f"test -e /tmp/once || {{ sleep 1; touch /tmp/once; exit 3; }}; {IDLE_LOOP}"
    await watch.engine.run("noisy")
    await watch.engine.run("bot", "sh", "-c", command, options=["--restart", "always"])
    door.cut()
    await watch.engine.signal("noisy", "WINCH", 300)  # each a `kill` event, and nothing else
    while await watch.engine.docker("inspect", "--format", "{{.RestartCount}}", "bot") != "1":
        pass
    door.mend()
    since = time.monotonic()
    await watch.until("bot crashed")
    watch.took(since, 2)
    await watch.until("bot crashed → well again")
    told = await watch.headlines()
    assert sum("I may have missed events" in line for line in told) == 1
    assert sum(line.startswith("bot crashed") for line in told) == 1
    assert sum(line.startswith("Docker engine does not answer") for line in told) <= 1
    assert len(told) <= 3


async def test_line_is_cut_for_a_moment_and_the_crash_is_replayed(watch: Watch, door: Door) -> None:
    await watch.engine.run("bot")
    door.cut()
    os.kill(await watch.engine.pid("bot"), signal.SIGKILL)
    door.mend()
    since = time.monotonic()
    message = await watch.until("bot crashed")
    watch.took(since)
    assert "noticed later" not in message.text
    assert await watch.headlines() == ["bot crashed"]


async def test_line_that_hangs_half_open(watch: Watch, door: Door) -> None:
    await watch.engine.run("bot")
    door.freeze()
    os.kill(await watch.engine.pid("bot"), signal.SIGKILL)
    since = time.monotonic()
    await watch.until("Docker engine does not answer", timeout_s=40)
    watch.took(since)
    door.mend()
    await watch.until("bot crashed")
    await watch.until("Docker engine does not answer → well again")
    assert len(await watch.headlines()) == 2


async def test_watchdog_was_away(bare_watch: Watch, door: Door) -> None:
    watch = bare_watch
    await watch.start(door.host)
    await watch.until("On watch")
    await watch.engine.run("bot", options=["--restart", "always"])
    await watch.engine.run("web")
    await watch.headlines()
    await watch.stop()
    os.kill(await watch.engine.pid("web"), signal.SIGKILL)
    since = time.monotonic()
    await watch.start(door.host)
    message = await watch.until("web crashed")
    watch.took(since)
    assert message.text.startswith("👋 I was away from")
    assert "Meanwhile:" in message.text
    assert [line for line in await watch.headlines() if not line.startswith("I was away")] == ["web crashed"]


async def test_straight_to_the_socket(bare_watch: Watch) -> None:
    await bare_watch.start(bare_watch.engine.host)
    await bare_watch.until("On watch")
    await bare_watch.engine.run("bot", "sh", "-c", "exit 1")
    await bare_watch.until("bot crashed")


async def test_commands_in_the_admin_chat(watch: Watch, door: Door) -> None:
    chat = watch.chat
    await watch.engine.run("bot", image=PROBED)
    await chat.wait_for_polling()
    await chat.send_text("/status", chat=ADMIN_CHAT_ID, user=TEAM_ID)
    table = await chat.wait_for(lambda message: message.text.startswith("Containers"), chat=ADMIN_CHAT_ID)
    assert "bot" in table.text
    assert "M" in table.text.splitlines()[-1]
    await chat.send_text("/mute bot 1h", chat=ADMIN_CHAT_ID, user=TEAM_ID)
    await chat.wait_for(lambda message: message.text.startswith("🔕 Muted: bot"), chat=ADMIN_CHAT_ID)
    os.kill(await watch.engine.pid("bot"), signal.SIGKILL)
    assert await watch.headlines() == []
    await chat.send_text("/unmute bot", chat=ADMIN_CHAT_ID, user=TEAM_ID)
    news = await chat.wait_for(lambda message: "While muted:" in message.text, chat=ADMIN_CHAT_ID)
    assert "bot crashed" in news.text
    await chat.send_text("/incidents", chat=ADMIN_CHAT_ID, user=TEAM_ID)
    await chat.wait_for(
        lambda message: message.text.startswith("Incidents of the last 24 h"), chat=ADMIN_CHAT_ID
    )
    await chat.send_text("/status", chat=LISTENER_ID, user=LISTENER_ID)
    await chat.wait_until_taken()
    assert not await chat.messages(LISTENER_ID, from_bot=True)
    assert "/containers//stats" in door.asked


async def test_watchdog_process_is_killed(bare_watch: Watch, door: Door) -> None:
    watch = bare_watch
    environment = {
        "WATCHDOG_TOKEN": watch.chat.token,
        "ADMIN_CHAT_ID": str(ADMIN_CHAT_ID),
        "TELEGRAM_API_BASE": watch.chat.url,
        "DOCKER_HOST": door.host,
        "DATA_DIR": str(watch.folder),
        "WATCHDOG_GROUP_S": "0.3",
        "WATCHDOG_PLANNED_GRACE_S": "4",
    }

    command = [sys.executable, "-m", "watchdog"]
    options: dict[str, Any] = {"cwd": REPOSITORY, "env": {**os.environ, **environment}}
    first = await asyncio.create_subprocess_exec(*command, **options)
    try:
        await watch.until("On watch")
        await watch.engine.run("bot", "sh", "-c", "exit 3")
        # Once a later message is there, this one is written down as sent. (A kill between Telegram's taking a
        # message and its being written down makes it come twice; the other choice would be to lose it.)
        assert await watch.headlines() == ["bot crashed"]
    finally:
        first.kill()
        await first.wait()
    await watch.engine.run("web", "sh", "-c", "exit 4")
    since = time.monotonic()
    second = await asyncio.create_subprocess_exec(*command, **options)
    try:
        await watch.until("web crashed")
        watch.took(since)
        told = [line for line in await watch.headlines() if not line.startswith("I was away")]
        assert told == ["bot crashed", "web crashed"]
    finally:
        second.terminate()
        code = await second.wait()
    assert code == 0
