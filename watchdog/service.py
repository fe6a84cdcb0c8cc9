"""The watchdog at work: observations in, verdicts filed, messages on their way.

One lock guards state and database: an observation is judged and written in one transaction, so that a kill at
any moment leaves nothing half-told. Everything slow (logs, inspections, Telegram) happens outside of it.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from watchdog.desk import Desk
from watchdog.domain import (
    ContainerEvent,
    EngineBack,
    EngineLost,
    Gap,
    Observation,
    Rules,
    Snapshot,
    Tick,
)
from watchdog.engine import ENGINE_ERRORS, DockerEngine
from watchdog.incidents import Change, ChangeType, Incident, Turn
from watchdog.judging import judge
from watchdog.link import Link
from watchdog.outbox import Outbox
from watchdog.state import Phase, WatchState
from watchdog.store import ALL, Mute, Store
from watchdog.telling import Teller

log = logging.getLogger(__name__)

LOOK_AFTER_S = {
    "create": 2.0,
    "start": 0.5,
}  # a failed start leaves no event; a start hides the restart policy
COLLECT_S = 6.0  # after an absence: replay, first snapshot and settled deaths are in by then
MAX_BATCH = 500


class Service:
    """Owns the judge's state; everybody else asks it."""

    def __init__(
        self,
        *,
        store: Store,
        engine: DockerEngine,
        outbox: Outbox,
        teller: Teller,
        rules: Rules,
        lock: asyncio.Lock,
        group_s: float,
        tick_s: float,
        log_lines: int,
    ) -> None:
        self.state = WatchState()
        self.mutes: list[Mute] = []
        self.store = store
        self.teller = teller
        self.link: Link
        self._engine = engine
        self._outbox = outbox
        self._rules = rules
        self._lock = lock
        self._desk = Desk(store, teller, group_s)
        self._group_s = group_s
        self._tick_s = tick_s
        self._log_lines = log_lines
        self._inbox: asyncio.Queue[tuple[Observation, int]] = asyncio.Queue()
        self._evidence: asyncio.Queue[Incident] = asyncio.Queue()
        self._looking: set[str] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._away_since: float | None = None

    def put(self, observation: Observation, time_ns: int) -> None:
        """Hand in an observation; called in the event loop's thread."""
        self._inbox.put_nowait((observation, time_ns))

    async def run(self, link: Link) -> None:
        """Watch until cancelled."""
        self.link = link
        self.mutes = await self.store.mutes()
        cursor_ns = int(await self.store.get("cursor_ns") or 0)
        seen_at = await self.store.get_float("seen_at")
        self.state = await self.store.load_state() or WatchState()
        self._away_since = seen_at
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(link.run(cursor_ns, seen_at))
                tasks.create_task(self._judge_inbox())
                tasks.create_task(self._tick())
                tasks.create_task(self._gather_evidence())
        finally:
            await self.mark_seen()

    async def mark_seen(self) -> None:
        """Remember until when the engine was seen."""
        if self.link.is_up:
            await self.set_meta("seen_at", str(self._engine.now()))

    # observations

    async def _tick(self) -> None:
        await self.link.was_tried.wait()
        while True:
            await asyncio.sleep(self._tick_s)
            self.put(Tick(self._engine.now()), 0)
            await self._end_mutes()

    async def _judge_inbox(self) -> None:
        while True:
            batch = [await self._inbox.get()]
            while len(batch) < MAX_BATCH and not self._inbox.empty():
                batch.append(self._inbox.get_nowait())
            await self._observe(batch)

    async def _observe(self, batch: Sequence[tuple[Observation, int]]) -> None:
        async with self._lock:
            state, cursor_ns = self.state, 0
            changes: list[Change] = []
            turns: list[Turn] = []
            for observation, time_ns in batch:
                try:
                    verdict = judge(state, observation, self._rules)
                except Exception:  # an observation that nobody foresaw must not end the watch
                    log.exception("cannot judge %r", observation)
                    continue
                changes += verdict.changes
                turns += verdict.turns
                state, cursor_ns = verdict.state, max(cursor_ns, time_ns)
            if changes or turns or cursor_ns or state != self.state:
                async with self.store.transaction():
                    await self._announce(batch, state)
                    await self._desk.take(changes, self.mutes, time.time())
                    await self.store.add_turns(turns)
                    await self.store.save_state(state)
                    if cursor_ns:
                        await self.store.set("cursor_ns", str(cursor_ns))
                self.state = state
        if changes:
            self._outbox.wake()
        for change in changes:
            log.info("%s %s %s", change.type, change.incident.kind, change.incident.key)
            if change.type in (ChangeType.OPENED, ChangeType.UPDATED):
                self._evidence.put_nowait(change.incident)
        self._look_at_newcomers(batch)

    async def _announce(self, batch: Sequence[tuple[Observation, int]], after: WatchState) -> None:
        """Notes about the watch itself: the first start, an absence, a gap."""
        say, clock, now = self.teller.say, self.teller.clock, time.time()
        lost_at = self.state.engine.lost_at
        for observation, _ in batch:
            match observation:
                case EngineLost(at=at):
                    lost_at = at if lost_at is None else lost_at
                case EngineBack(at=at, gap=gap) if self._away_since is not None:
                    span = {"start": clock(self._away_since), "end": clock(at)}
                    header = say("away", **span, duration=self.teller.duration(at - self._away_since))
                    self._away_since = None
                    if gap is not Gap.NONE:
                        header += "\n" + say("away_missed")
                    empty = header + "\n" + say("away_quiet")
                    header += "\n" + say("away_news")
                    await self._desk.open_collection(header, empty, now, self._group_s + COLLECT_S)
                case EngineBack(at=at, gap=Gap.ROLLED):
                    text = say("missed", start=clock(lost_at or at), end=clock(at))
                    await self._desk.add_note(text, now)
                case Snapshot(is_complete=True) if not self.state.has_baseline:
                    await self._desk.add_note(self._hello(after), now)
                case _:
                    continue
            self._outbox.wake()

    def _hello(self, state: WatchState) -> str:
        known = state.containers.values()
        lines = [self.teller.say("hello", n=len(known))]
        down = [watched.title for watched in known if watched.phase in (Phase.DOWN, Phase.CREATED)]
        if down:
            lines.append(self.teller.say("hello_bad", names=", ".join(sorted(down)[:30])))
        return "\n".join(lines)

    # looking closer

    def _look_at_newcomers(self, batch: Sequence[tuple[Observation, int]]) -> None:
        for observation, _ in batch:
            if isinstance(observation, ContainerEvent) and observation.action in LOOK_AFTER_S:
                container_id = observation.container_id
                if container_id not in self._looking and self._tasks is not None:
                    self._looking.add(container_id)
                    self._tasks.create_task(self._look(container_id, LOOK_AFTER_S[observation.action]))

    async def _look(self, container_id: str, after_s: float) -> None:
        try:
            await asyncio.sleep(after_s)
            await self.link.look_at(container_id)
        except ENGINE_ERRORS as exc:
            log.info("no look at %s: %s", container_id[:12], exc)
        finally:
            self._looking.discard(container_id)

    async def _gather_evidence(self) -> None:
        while True:
            incident = await self._evidence.get()
            watched = self.state.containers.get(incident.key)
            if watched is None or incident.kind.is_quiet:
                continue
            evidence, fact = "", incident.facts[-1]
            if fact.code == "unhealthy":
                evidence = await self._engine.probe_output(watched.container_id)
            if (fact.code == "unhealthy" and not evidence) or fact.code in (
                "died",
                "oom",
                "oom_child",
                "started",
            ):
                deaths = [known.at for known in incident.facts if known.code in ("died", "oom")]
                until = deaths[-1] if deaths else None
                evidence = await self._engine.last_logs(watched.container_id, self._log_lines, until)
            if evidence:
                async with self._lock, self.store.transaction():
                    await self.store.set_evidence(incident.id, evidence)
                    await self._desk.redraw(incident.id)
                self._outbox.wake()

    async def usage(self) -> dict[str, tuple[float, int] | None]:
        """CPU and memory of what runs, by container id."""
        ids = [
            watched.container_id
            for watched in self.state.containers.values()
            if watched.phase is Phase.RUNNING
        ]
        figures = await asyncio.gather(*(self._engine.usage(container_id) for container_id in ids))
        return dict(zip(ids, figures, strict=True))

    # muting

    def find_key(self, name: str) -> str | None:
        """The key of the container that people call so."""
        for watched in self.state.containers.values():
            if name in (watched.key, watched.title):
                return watched.key
        return None

    async def mute(self, key: str, until: float | None) -> None:
        """Hold back alerts about this container (or ALL) until then, or until `unmute`."""
        mute = Mute(key, time.time(), until)
        async with self._lock, self.store.transaction():
            await self.store.set_mute(mute)
            self.mutes = [known for known in self.mutes if known.key != key] + [mute]

    async def unmute(self, key: str) -> bool:
        """Lift a mute and tell what happened meanwhile; False if nothing did."""
        what = self.teller.say("everything") if key == ALL else key
        header = f"{self.teller.say('unmuted', what=what)}\n{self.teller.say('unmuted_news')}"
        async with self._lock, self.store.transaction():
            await self.store.drop_mute(key)
            self.mutes = [known for known in self.mutes if known.key != key]
            has_news = await self._desk.release(header, self.mutes, time.time())
        self._outbox.wake()
        return has_news

    async def _end_mutes(self) -> None:
        now = time.time()
        for mute in list(self.mutes):
            if mute.until is not None and mute.until <= now:
                await self.unmute(mute.key)

    # what the routine and the commands ask for

    async def add_note(self, text: str, *, is_silent: bool = True, photo: bytes | None = None) -> None:
        """Send a message that stands for itself."""
        async with self._lock, self.store.transaction():
            await self._desk.add_note(text, time.time(), is_silent=is_silent, photo=photo)
        self._outbox.wake()

    async def set_meta(self, name: str, value: str) -> None:
        async with self._lock, self.store.transaction():
            await self.store.set(name, value)

    async def prune(self) -> None:
        async with self._lock, self.store.transaction():
            await self.store.prune(time.time())
