"""The Docker engine as a source of observations. Only GET requests, so a read-only socket proxy is enough:

    /_ping  /version  /info  /events  /containers/json  /containers/{id}/json  /containers/{id}/logs
    /containers/{id}/stats  (each also below /v1.XX)

The SDK is blocking, so every call runs in a thread. Its own `events()` reads with no time limit and would
hang for ever on a half-open connection; here the engine is asked to end the stream after a window, and a read
that outlasts the window is given up. Between windows nothing is lost: the engine replays from `timeNano + 1`.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import docker
import requests
from docker.errors import DockerException, NotFound

from watchdog.domain import FULL_RING, ContainerEvent, Gap, Inspection, Scope, Snapshot
from watchdog.wire import read_event, read_inspection, seconds

log = logging.getLogger(__name__)
T = TypeVar("T")

ACTIONS = (
    "create", "start", "die", "stop", "kill", "oom", "pause", "unpause", "destroy", "rename",
    "health_status",
)  # fmt: skip
CALL_TIMEOUT_S = 10
GRACE_S = 5.0  # how much longer than its window a stream may stay silent
ENGINE_ERRORS = (DockerException, requests.RequestException, OSError)


class DockerEngine:
    """Reads one engine. Errors of a call come out as one of `ENGINE_ERRORS`."""

    def __init__(
        self, docker_host: str, scope: Scope, *, window_s: float = 30.0, max_log_bytes: int = 65_536
    ) -> None:
        self._host = docker_host
        self._scope = scope
        self._window_s = window_s
        self._max_log_bytes = max_log_bytes
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="engine")
        self._api: docker.APIClient | None = None
        self._stream: requests.Response | None = None
        self._offset_s = 0.0

    def now(self) -> float:
        """The time on the engine's clock."""
        return time.time() + self._offset_s

    async def connect(self) -> None:
        """Make sure that the engine answers, and learn its clock."""
        system_time = await self._call(self._read_clock)
        self._offset_s = system_time - time.time()
        if abs(self._offset_s) < 1.0:  # the same machine: the difference is the call itself
            self._offset_s = 0.0

    async def snapshot(self) -> Snapshot:
        """Every container of the scope, inspected."""
        at = self.now()
        return Snapshot(at, await self._call(self._inspect_all), is_complete=True)

    async def look_at(self, container_id: str) -> Snapshot | None:
        """One container, inspected; None when it is gone or not watched."""
        at = self.now()
        seen = await self._call(self._inspect, container_id)
        return None if seen is None else Snapshot(at, (seen,), is_complete=False)

    async def gap_since(self, last_seen_at: float) -> Gap:
        """Whether the engine still remembers every event since this time.

        It does when its memory of the last 256 events of any kind reaches back that far.
        """
        times = await self._call(self._read_ring)
        if any(at <= last_seen_at for at in times):
            return Gap.NONE
        return Gap.ROLLED if len(times) >= FULL_RING else Gap.RESTARTED

    async def stream(self, since_ns: int, deliver: Callable[[ContainerEvent, int], None]) -> None:
        """Deliver events with their timeNano until the window ends; raises when the stream broke.

        `deliver` is called in the event loop's thread, in order.
        """
        loop = asyncio.get_running_loop()
        finished = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if not finished.done():
                finished.set_result(error)

        def pump() -> None:
            error: BaseException | None = None
            try:
                for event, time_ns in self._events(since_ns):
                    loop.call_soon_threadsafe(deliver, event, time_ns)
            except (*ENGINE_ERRORS, ValueError) as exc:
                error = exc
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(settle, error)

        # A daemon thread: a read that hangs must not keep the process from ending.
        threading.Thread(target=pump, name="engine-events", daemon=True).start()
        try:
            error = await finished
        except asyncio.CancelledError:
            self._hang_up()
            raise
        if error is not None:
            raise ConnectionError(f"event stream: {error}") from error

    async def last_logs(self, container_id: str, n_lines: int, until: float | None = None) -> str:
        """The last lines of a container's output up to `until`; empty where there are none to be had."""
        try:
            return await self._call(self._read_logs, container_id, n_lines, until)
        except ENGINE_ERRORS as exc:
            log.info("no logs of %s: %s", container_id[:12], exc)
            return ""

    async def probe_output(self, container_id: str) -> str:
        """What the last health probe printed."""
        try:
            return await self._call(self._read_probe, container_id)
        except ENGINE_ERRORS:
            return ""

    async def usage(self, container_id: str) -> tuple[float, int] | None:
        """CPU (share of one core) and memory in bytes; None where the engine or its proxy does not say."""
        try:
            return await self._call(self._read_usage, container_id)
        except (*ENGINE_ERRORS, KeyError, ZeroDivisionError):
            return None

    def close(self) -> None:
        """End the open stream and the threads."""
        self._hang_up()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._api is not None:
            self._api.close()

    # below: blocking, in threads

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def _get_api(self) -> docker.APIClient:
        if self._api is None:
            self._api = docker.APIClient(base_url=self._host, version="auto", timeout=CALL_TIMEOUT_S)
        return self._api

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.raw.shutdown()
            except (AttributeError, RuntimeError, ValueError, OSError):
                log.debug("the event stream was closed already")

    def _read_clock(self) -> float:
        return seconds(self._get_api().info()["SystemTime"]) or time.time()

    def _open_events(self, **params: str) -> requests.Response:
        # Not `APIClient.events()`: it sets no read time-out.
        api = self._get_api()
        url = f"{api.base_url}/v{api.api_version}/events"
        response = api.get(
            url, params=params, stream=True, timeout=(CALL_TIMEOUT_S, self._window_s + GRACE_S)
        )
        if not response.ok:  # a streamed answer that nobody reads would keep its connection
            response.close()
        response.raise_for_status()
        return response

    def _events(self, since_ns: int) -> Iterator[tuple[ContainerEvent, int]]:
        until = self.now() + self._window_s
        filters = json.dumps({"type": ["container"], "event": list(ACTIONS)})
        with self._open_events(since=_stamp(since_ns), until=f"{until:.6f}", filters=filters) as response:
            self._stream = response
            for line in response.iter_lines(chunk_size=None):
                if line and (event := read_event(json.loads(line), self._scope)) is not None:
                    yield event
            self._stream = None
        if self.now() < until - 0.5:
            raise ConnectionError("ended before its time")

    def _read_ring(self) -> list[float]:
        with self._open_events(since="1", until=f"{self.now():.6f}") as response:
            return [
                json.loads(line)["timeNano"] / 1e9 for line in response.iter_lines(chunk_size=None) if line
            ]

    def _inspect_all(self) -> tuple[Inspection, ...]:
        # `containers.list()` of the high-level client inspects too, but raises when one vanishes meanwhile.
        listed = self._get_api().containers(all=True)
        seen = (self._inspect(entry["Id"]) for entry in listed)
        return tuple(inspection for inspection in seen if inspection is not None)

    def _inspect(self, container_id: str) -> Inspection | None:
        try:
            raw = self._get_api().inspect_container(container_id)
        except NotFound:
            return None
        return read_inspection(raw, self._scope)

    def _read_probe(self, container_id: str) -> str:
        health = self._get_api().inspect_container(container_id)["State"].get("Health") or {}
        entries = health.get("Log") or [{}]
        return str(entries[-1].get("Output") or "").strip()

    def _read_logs(self, container_id: str, n_lines: int, until: float | None) -> str:
        # More than wanted: a container that was restarted has written new lines since.
        raw = self._get_api().logs(container_id, tail=n_lines * 4, timestamps=True)
        lines = []
        for line in raw[-self._max_log_bytes :].decode(errors="replace").splitlines():
            stamp, _, text = line.partition(" ")
            at = seconds(stamp)
            if at is not None and (until is None or at <= until + 0.05):
                lines.append(text.rstrip())
        return "\n".join(lines[-n_lines:])

    def _read_usage(self, container_id: str) -> tuple[float, int]:
        stats = self._get_api().stats(container_id, stream=False)
        now, before = stats["cpu_stats"], stats["precpu_stats"]
        used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
        passed_s = (seconds(stats["read"]) or 0.0) - (seconds(stats["preread"]) or 0.0)
        memory = stats["memory_stats"]
        counted = memory.get("stats", {})
        cache = counted.get("total_inactive_file", counted.get("inactive_file", 0))
        return used / 1e9 / passed_s, int(memory["usage"]) - int(cache)


def _stamp(time_ns: int) -> str:
    return f"{time_ns // 1_000_000_000}.{time_ns % 1_000_000_000:09d}"
