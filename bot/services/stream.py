"""The Redis stream that carries audio work to the workers: at least once, whoever dies.

taskiq's stream broker acknowledges, but leaves four gaps, each closed here. It looks for the messages of a
dead worker only after a new message came; its idle time-out must be longer than the longest job, so that a
lost job waits ten minutes; a group starts at the newest message, so what was sent before the first worker is
never read; and it reads a hundred messages at once, which one worker then holds. Here a message is leased:
its worker renews the lease while it works, and one that stops doing so for `lease_s` loses it to the next.

An answered message is deleted from the stream, so the stream's length is the queue's.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from taskiq import AckableMessage, TaskiqResult
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker
from taskiq.message import BrokerMessage
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker
from taskiq_redis.exceptions import ResultIsMissingError

logger = logging.getLogger(__name__)

STREAM = "highlight:work"
GROUP = "workers"
LEASE_S = 15.0
MAX_DELIVERIES = 3  # what ended three workers will end a fourth
AFTERLIFE_S = 60
RESULT_TTL_S = 3600  # how long a front end may be away and still find its result
RETRY_S = 0.5

GONE = (RedisConnectionError, RedisTimeoutError, OSError)


# In one step: a front end that is killed between the two would ask again.
_ADD_AND_REMEMBER = """
local place = redis.call('XADD', KEYS[1], '*', 'data', ARGV[1])
redis.call('SET', KEYS[2], place, 'EX', ARGV[2])
return place
"""


class WorkLost(Exception):
    """The message was delivered `MAX_DELIVERIES` times and no worker lived to answer it."""


def _asked(task_id: str) -> str:
    return f"highlight:asked:{task_id}"


def heed_cancelling() -> None:
    """redis-py 8.1 loses a cancellation that arrives while it connects; the task itself still knows."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def persevere(action: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Repeat until Redis is there again: its restart must lose neither a result nor an acknowledgement."""
    while True:
        try:
            result = await action()
            heed_cancelling()
            return result
        except GONE as exc:
            heed_cancelling()
            logger.warning("redis is away while %s: %s", what, type(exc).__name__)
            await asyncio.sleep(RETRY_S)


class ResultStore(RedisAsyncResultBackend[Any]):
    """Small JSON results that outlive the front end that waits.

    taskiq acknowledges also what it could not store, so storing does not give up.
    """

    def __init__(self, url: str) -> None:
        super().__init__(
            redis_url=url,
            result_ex_time=RESULT_TTL_S,
            serializer=JSONSerializer(),  # pickle, the default, lets whoever writes to Redis run code here
            prefix_str="highlight:result",
        )
        self.closed = False

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:
        if not self.closed:
            await persevere(lambda: super(ResultStore, self).set_result(task_id, result), "storing a result")

    async def find(self, task_id: str) -> TaskiqResult[Any] | None:
        """The result, if it is there."""
        try:
            return await self.get_result(task_id)
        except ResultIsMissingError:
            return None

    async def forget(self, task_id: str) -> None:
        async with self._redis() as redis:
            await redis.delete(self._task_name(task_id))

    async def let_go(self, task_id: str) -> None:
        """It was read. Another front end may be waiting for the same; after that nobody is."""
        async with self._redis() as redis:
            for key in (self._task_name(task_id), self._files(task_id)):
                await redis.expire(key, AFTERLIFE_S)

    async def put_file(self, task_id: str, name: str, content: bytes) -> None:
        """A file that goes with the result: a voice message, some hundred KB."""
        if self.closed:
            return
        async with self._redis() as redis, redis.pipeline() as pipe:
            pipe.hset(self._files(task_id), name, content)
            pipe.expire(self._files(task_id), RESULT_TTL_S)
            await pipe.execute()

    async def get_file(self, task_id: str, name: str) -> bytes | None:
        async with self._redis() as redis:
            content: Any = await redis.hget(self._files(task_id), name)
            return None if content is None else bytes(content)

    def _files(self, task_id: str) -> str:
        return f"highlight:files:{task_id}"

    def _redis(self) -> Redis:
        return Redis(connection_pool=self.redis_pool)


class WorkStream(RedisStreamBroker):
    """Broker for front ends (kick) and workers (listen; run `renew_leases` beside it)."""

    def __init__(self, url: str, *, lease_s: float = LEASE_S) -> None:
        super().__init__(
            url=url,
            queue_name=STREAM,
            consumer_group_name=GROUP,
            consumer_id="0",
            xread_block=1000,
            xread_count=1,
        )
        self.lease_s = lease_s
        self.results = ResultStore(url)
        self.with_result_backend(self.results)
        self._held: set[bytes] = set()

    async def startup(self) -> None:
        await persevere(super().startup, "declaring the group")

    async def kick(self, message: BrokerMessage) -> None:
        """Remembers the message's place in the stream, so that a front end that restarts asks only once."""
        async with self._redis() as redis:
            keys = (STREAM, _asked(message.task_id))
            await redis.eval(_ADD_AND_REMEMBER, len(keys), *keys, message.message, RESULT_TTL_S)

    async def ask(self, task: str, task_id: str, order: dict[str, Any]) -> None:
        """Put an order into the stream without knowing the function that will do it."""
        kicker: AsyncKicker[Any, Any] = AsyncKicker(task, self, {})
        try:
            await kicker.with_task_id(task_id).kiq(order)
        except SendTaskError as exc:
            raise RedisConnectionError(str(exc.__cause__)) from exc

    async def is_waiting(self, task_id: str) -> bool:
        """Whether the task was asked for and is not answered yet."""
        async with self._redis() as redis:
            place = await redis.get(_asked(task_id))
            return place is not None and bool(await redis.xrange(STREAM, place, place))

    def _ack(self, message_id: bytes) -> Callable[[], Awaitable[None]]:
        async def acknowledge() -> None:
            async with self._redis() as redis, redis.pipeline() as pipe:
                pipe.xack(STREAM, GROUP, message_id)
                pipe.xdel(STREAM, message_id)
                await pipe.execute()

        async def finish() -> None:
            if self.results.closed:
                return
            await persevere(acknowledge, "acknowledging")
            self._held.discard(message_id)

        return finish

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """One message at a time: first what a dead worker left, then what is new."""
        while True:
            try:
                found = await self._claim_lost()
                heed_cancelling()
                found = found or await self._read_new()
            except GONE as exc:
                heed_cancelling()
                logger.warning("redis is away: %s", type(exc).__name__)
                await asyncio.sleep(RETRY_S)
                continue
            except ResponseError as exc:
                if "NOGROUP" not in str(exc):
                    raise
                await self._declare_consumer_group()  # Redis came back empty
                continue
            if found is not None:
                message_id, data = found
                self._held.add(message_id)
                yield AckableMessage(data=data, ack=self._ack(message_id))

    async def _claim_lost(self) -> tuple[bytes, bytes] | None:
        async with self._redis() as redis:
            idle_ms = round(self.lease_s * 1000)
            _, messages, _ = await redis.xautoclaim(STREAM, GROUP, self.consumer_name, idle_ms, count=1)
            if not messages:
                return None
            message_id, fields = messages[0]
            pending = await redis.xpending_range(STREAM, GROUP, message_id, message_id, 1)
        if pending and int(pending[0]["times_delivered"]) > MAX_DELIVERIES:
            await self._give_up(message_id, fields[b"data"])
            return None
        logger.warning("took over work that another worker left: %s", message_id.decode())
        return message_id, fields[b"data"]

    async def _read_new(self) -> tuple[bytes, bytes] | None:
        async with self._redis() as redis:
            streams: dict[Any, Any] = {STREAM: ">"}
            fetched: Any = await redis.xreadgroup(
                GROUP, self.consumer_name, streams, count=1, block=self.block
            )
        if not fetched:
            return None
        message_id, fields = fetched[0][1][0]
        return message_id, fields[b"data"]

    async def _give_up(self, message_id: bytes, data: bytes) -> None:
        task_id = self.formatter.loads(data).task_id
        logger.error("task %s ended %d workers: given up", task_id, MAX_DELIVERIES)
        lost = WorkLost(f"{MAX_DELIVERIES} workers were lost on it")
        await self.results.set_result(
            task_id, TaskiqResult(is_err=True, return_value=None, execution_time=0.0, error=lost)
        )
        await self._ack(message_id)()

    async def renew_leases(self) -> None:
        """Runs as long as the worker does. A claim by its own holder sets a message's idle time to zero."""
        while True:
            await asyncio.sleep(self.lease_s / 3)
            await self._claim_held(idle_ms=0)

    async def hand_over(self) -> None:
        """What is still held goes to the next worker at once, not after `lease_s`. For an orderly stop.

        From here on nothing is answered: taskiq takes the cancelling of a task for its result.
        """
        self.results.closed = True
        await self._claim_held(idle_ms=round(self.lease_s * 1000))

    async def _claim_held(self, idle_ms: int) -> None:
        held: list[Any] = list(self._held)
        if not held:
            return
        try:
            async with self._redis() as redis:
                await redis.xclaim(STREAM, GROUP, self.consumer_name, 0, held, idle=idle_ms, justid=True)
        except (*GONE, ResponseError) as exc:
            logger.warning("leases were not renewed: %s", type(exc).__name__)

    async def backlog(self) -> tuple[int, float]:
        """Unanswered messages, and the age in seconds of the oldest one (0 when there is none)."""
        async with self._redis() as redis:
            depth = await redis.xlen(STREAM)
            oldest: Any = await redis.xrange(STREAM, count=1)
        if not oldest:
            return depth, 0.0
        created_ms = int(oldest[0][0].split(b"-")[0])
        return depth, max(0.0, time.time() - created_ms / 1000)

    async def check(self) -> list[str]:
        """For the health page: what is wrong with Redis, in words."""
        async with asyncio.timeout(3.0), self._redis() as redis:
            await redis.ping()
        return []

    async def close(self) -> None:
        await self.results.shutdown()
        await self.shutdown()

    def _redis(self) -> Redis:
        return Redis(connection_pool=self.connection_pool)
