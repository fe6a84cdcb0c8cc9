"""What the watchdog costs when nothing happens, and how soon it tells when something does.

    python -m benchmarks.bench_watchdog [--containers 10] [--seconds 180] [--host unix:///...]

Starts a private engine (scripts/engine.sh) unless `--host` names one, some containers with health checks, the
sandbox as Telegram, and the watchdog as its own process with its default settings. Prints JSON: CPU as a
share of one core, memory (resident, proportional), and for some scenarios the seconds from event to message.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from sandbox.testing import RunningSandbox, running_sandbox
from sandbox.world import ADMIN_CHAT_ID

REPOSITORY = Path(__file__).resolve().parents[1]
WARM_UP_S = 20.0
RUN = ["run", "-d", "--network", "none", "--name"]
IDLE, PROBED = "highlight-test/idle:1", "highlight-test/probed:1"
SCENARIOS: dict[str, list[list[str]]] = {
    "exit code 3": [[*RUN, "exits", IDLE, "sh", "-c", "exit 3"]],
    "kill -9": [[*RUN, "killed", IDLE], ["SIGKILL", "killed"]],
    "no such command": [[*RUN, "broken", IDLE, "/none"]],
    "out of memory": [[*RUN, "hungry", "-m", "16m", IDLE, "sh", "-c", "exec tail /dev/zero"]],
    "unhealthy": [[*RUN, "sick", PROBED], ["exec", "sick", "touch", "/tmp/bad"]],
}


def docker(host: str, *words: str) -> str:
    if words[0] == "SIGKILL":
        os.kill(int(docker(host, "inspect", "--format", "{{.State.Pid}}", words[1])), 9)
        return ""
    return subprocess.run(
        ["docker", "-H", host, *words], capture_output=True, text=True, check=False
    ).stdout.strip()


async def measure(host: str, n_containers: int, seconds: float) -> dict[str, Any]:
    names = [f"bench{n}" for n in range(n_containers)]
    for name in names:
        image = "highlight-test/idle:1"
        docker(
            host,
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            name,
            "--health-cmd",
            "true",
            "--health-interval",
            "30s",
            image,
        )
    with tempfile.TemporaryDirectory() as folder:
        async with running_sandbox() as chat:
            environment = {
                **os.environ,
                "WATCHDOG_TOKEN": chat.token,
                "BOT_TOKEN": "",
                "ADMIN_CHAT_ID": str(ADMIN_CHAT_ID),
                "TELEGRAM_API_BASE": chat.url,
                "DOCKER_HOST": host,
                "DATA_DIR": folder,
            }
            watchdog = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "watchdog", cwd=REPOSITORY, env=environment
            )
            try:
                idle = await measure_idle(psutil.Process(watchdog.pid), seconds)
                delays = {name: await measure_delay(host, chat, deeds) for name, deeds in SCENARIOS.items()}
            finally:
                watchdog.terminate()
                await watchdog.wait()
                docker(host, "rm", "-f", *names, "exits", "killed", "broken", "hungry", "sick")
    return {"containers": n_containers, "idle": idle, "seconds_to_message": delays}


async def measure_idle(process: psutil.Process, seconds: float) -> dict[str, float]:
    await asyncio.sleep(WARM_UP_S)
    before = process.cpu_times()
    started = time.monotonic()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    used_s = after.user + after.system - before.user - before.system
    memory = process.memory_full_info()
    return {
        "measured_s": round(time.monotonic() - started, 1),
        "cpu_percent_of_a_core": round(100 * used_s / (time.monotonic() - started), 3),
        "resident_mb": round(memory.rss / 2**20, 1),
        "proportional_mb": round(memory.pss / 2**20, 1),
    }


async def measure_delay(host: str, chat: RunningSandbox, deeds: list[list[str]]) -> float:
    n_before = len(await chat.messages(ADMIN_CHAT_ID))
    for deed in deeds:
        started = time.monotonic()
        await asyncio.to_thread(docker, host, *deed)
    await chat.wait_for_all(
        lambda views: len(views) > n_before, chat=ADMIN_CHAT_ID, from_bot=None, timeout_s=120
    )
    return round(time.monotonic() - started, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--containers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--host", default="")
    options = parser.parse_args()
    script = str(REPOSITORY / "scripts" / "engine.sh")
    host = options.host
    if not host:
        host = subprocess.run([script, "start"], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run([script, "images"], capture_output=True, check=True)
    result = asyncio.run(measure(host, options.containers, options.seconds))
    result["machine"] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
