"""The control client's connection: one HTTP session, deeds and questions as JSON."""

from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession, ClientTimeout

from sandbox.refusals import ActionError, Json
from sandbox.views import MessageView

DEFAULT_TIMEOUT_S = 30.0
POLL_S = 20.0  # one long poll


class Wire:
    """All methods raise `ActionError` when the sandbox cannot do it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = ClientSession(timeout=ClientTimeout(total=120))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    @property
    def _session(self) -> ClientSession:
        if self._http is None:
            raise RuntimeError("use `async with SandboxClient(url)`")
        return self._http

    async def _do(self, deed: str, say: Json) -> Any:
        async with self._session.post(f"{self.url}/sandbox/api/{deed}", json=say) as response:
            return read_result(await response.json())

    async def _get(self, what: str, **query: Any) -> Json:
        async with self._session.get(f"{self.url}/sandbox/api/{what}", params=query) as response:
            found: Json = await response.json()
            return found

    @staticmethod
    def _view(message: Json) -> MessageView:
        return MessageView.of(message["chat"]["id"], {"message": message})

    async def _next_change(self, revision: int) -> None:
        await self._get("changes", since=revision, timeout_s=POLL_S)


def read_result(answer: Json) -> Any:
    if "error" in answer:
        raise ActionError(answer["error"])
    return answer["result"]
