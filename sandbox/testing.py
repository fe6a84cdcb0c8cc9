"""A sandbox inside a test.

    async with running_sandbox() as sandbox:      # in this process, on a free port
        os.environ["TELEGRAM_API_BASE"] = sandbox.url
        async with running_echo_or_real_bot(sandbox.url, sandbox.token):
            await sandbox.wait_for_polling()

For a bot in another process either pass `sandbox.url` to it, or start the server apart with
`python -m sandbox serve --port 0`, which prints `sandbox <address>` as its first line.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sandbox.client import SandboxClient
from sandbox.server import DEFAULT_TOKEN, Sandbox

__all__ = ["DEFAULT_TOKEN", "RunningSandbox", "running_sandbox"]


class RunningSandbox(SandboxClient):
    """The control client of a sandbox in this process. `token` is what the bot must use."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox.url)
        self.sandbox = sandbox
        self.token = sandbox.token


@asynccontextmanager
async def running_sandbox(
    directory: Path | None = None, *, token: str = DEFAULT_TOKEN, port: int = 0, is_local: bool = False
) -> AsyncIterator[RunningSandbox]:
    """Serve and connect. `directory` keeps the chats, so that a second start goes on from there."""
    sandbox = Sandbox(directory, token=token, is_local=is_local)
    async with sandbox.serving(port), RunningSandbox(sandbox) as client:
        yield client
