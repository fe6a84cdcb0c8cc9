"""What the worker needs to know of a kind of job: one `Recipe` per `JobKind`, registered in
`bot.__main__`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from aiogram.methods import EditMessageMedia, TelegramMethod
from aiogram.types import Message, ReplyParameters
from sqlalchemy.ext.asyncio import AsyncSession

from bot.domain import Job, JobKind, JobRequest, Lane, Listener, Sent, Stage

Result = TypeVar("Result")
Reply = TelegramMethod[Message] | EditMessageMedia


class AudioPool(Protocol):
    """`inference.pool.WorkerPool`, or a stand-in. Raises InputRejected, WorkerTimeout, WorkerLost."""

    @property
    def workers(self) -> int: ...

    async def run(
        self, fn: Callable[..., Result], /, *args: Any, timeout_s: float | None = None, **kwargs: Any
    ) -> Result: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one attempt at a job is worked on. `folder` is removed afterwards; it survives into the second
    `prepare` that follows when the chat turns out to refuse voice messages (`voice_allowed` False).
    `afterwards`: what to tidy up in the chat once the answer is there; not worth a retry.
    """

    folder: Path
    listener: Listener
    stage: Callable[[Stage], None]
    voice_allowed: bool = True
    afterwards: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


class Recipe(Protocol):
    async def lane(self, session: AsyncSession, request: JobRequest) -> Lane:
        """LIGHT when the answer needs no audio work. Called inside the submitting transaction: queries
        only.
        """
        ...

    async def prepare(self, job: Job, desk: Desk) -> Reply:
        """Do the work and return the one message that answers, not yet sent, or the change of one that is
        there. May run again after a crash.
        """
        ...

    async def confirm(self, session: AsyncSession, job: Job, sent: Sent) -> None:
        """The answer arrived: keep its file_id. Runs in the transaction that marks the job done, also after a
        restart, so it may rely on the job and storage only."""
        ...


class InLightLane:
    """For recipes whose jobs never need audio work."""

    async def lane(self, session: AsyncSession, request: JobRequest) -> Lane:  # noqa: ARG002
        return Lane.LIGHT


class InHeavyLane:
    """For recipes whose jobs always need audio work."""

    async def lane(self, session: AsyncSession, request: JobRequest) -> Lane:  # noqa: ARG002
        return Lane.HEAVY


class KeepsNothing:
    """For recipes with nothing to store when the answer arrived."""

    async def confirm(self, session: AsyncSession, job: Job, sent: Sent) -> None:
        pass


@runtime_checkable
class KeepsTrying(Protocol):
    """A recipe whose jobs may outlive the usual number of attempts."""

    def keeps_trying(self, job: Job, exc: Exception) -> bool: ...


@runtime_checkable
class MournsLoss(Protocol):
    """A recipe that has something to do when a job of its is given up without a word in its chat."""

    async def lost(self, session: AsyncSession, job: Job, error_code: str) -> None:
        """Runs in the transaction that marks the job failed."""
        ...


Recipes = Mapping[JobKind, Recipe]
# Brings the file of a file_id to a path, at most so many bytes. Where workers are elsewhere, it leaves a note
# there that the pool understands: so the path is for the pool's tasks, not for reading here.
Fetch = Callable[[str, Path, int], Awaitable[None]]
Notify = Callable[[str], Awaitable[None]]


def reply_to(job: Job, message_id: int | None = None) -> ReplyParameters:
    """Answer as a reply (to the job's message), and still answer when the user has deleted it meanwhile."""
    return ReplyParameters(message_id=message_id or job.message_id, allow_sending_without_reply=True)
