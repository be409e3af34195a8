"""A provider for the embedded router that speaks OpenAI's chat completions, over the router's own wire and client."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from ..config.base_url import with_version
from ..config.hosts import url_fault
from ..config.schema import Timeouts
from ..errors import ClientError
from ..execution.attempt import Attempt
from ..execution.deadlines import Deadlines
from ..execution.standing import Slot
from ..model import Choice, Target
from ..signals.health import HealthCheck, control_plane_client
from ..upstream.client import Client
from ..upstream.http1 import Http1Client
from ..upstream.sender import Sender
from ..upstream.wire import WIRES
from .reading import chat_of

HEALTH_TIMEOUT_S = 5.0


class OpenAICompatibleProvider:
    """Asks ``model`` at ``base_url`` (with or without ``/v1``). Plain http is for loopback, or with
    ``private=True``, which also lets a name lead into a private network.

    It opens its connections with the first request and belongs to that event loop; ``aclose`` or the end of ``async
    with`` closes them. A ``client`` that is handed in stays its owner's. Raises ``ValueError`` for a ``base_url`` that
    cannot be asked.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str,
        model: str,
        *,
        timeouts: Timeouts | None = None,
        private: bool = False,
        client: Client | None = None,
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        if fault := url_fault(base_url, private=private):
            raise ValueError(f"base_url {base_url!r}: {fault}")
        self.name, self.model = name, model
        self._base_url, self._wire, self._private = with_version(base_url, "/v1"), WIRES["openai"], private
        self._credentials = self._wire.credentials(api_key) if api_key else ()
        self._timeouts = timeouts or Timeouts()
        self._client, self._clock, self._unix_time = client, clock, unix_time
        self._choice = Choice(
            target=Target(name=name, kind="provider", owner=name, model=model),
            reason="",
            usd_per_1k_tokens=None,
            estimated_usd=None,
        )
        self._sender: Sender | None = None
        self._health: HealthCheck | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def complete(self, request: Any) -> dict[str, Any]:
        """The whole ``chat.completion``, validated. ``request`` is a prompt or the body of a chat request, whose own
        ``model`` is replaced. Raises ``ClientError`` for what is no chat request or asks for a stream,
        ``AttemptFailed`` where no whole answer came."""
        chat = chat_of(request)
        if chat is None:
            message = f"{self.name} takes a text or the body of a chat request, not {type(request).__name__}."
            raise ClientError(400, "invalid_request_error", message)
        if chat.stream:
            raise ClientError(
                400, "invalid_request_error", "Answers come whole here: leave stream out.", param="stream"
            )
        deadlines = Deadlines(self._timeouts, self._timeouts.total)
        attempt = Attempt(self._choice, await self._opened(), deadlines, self._clock, Slot(_nothing))
        try:
            answer: dict[str, Any] = json.loads(await attempt.whole(chat, str(uuid.uuid4())))
            return answer
        finally:
            attempt.close()

    async def health_check(self) -> bool:
        """Whether the list of models can be had. Trouble on the way counts only the second time in a row."""
        if self._health is None:
            self._health = HealthCheck(
                url=f"{self._base_url}/models",
                headers=self._credentials,
                timeout_s=HEALTH_TIMEOUT_S,
                client=control_plane_client(ssl.create_default_context(), private=self._private),
                unix_time=self._unix_time,
            )
            self._open.push_async_callback(self._health.aclose)
        return (await self._health.check()).status != "unhealthy"

    async def aclose(self) -> None:
        await self._open.aclose()
        self._sender = self._health = None

    async def _opened(self) -> Sender:
        if self._sender is None:
            client = self._client
            if client is None:
                connect_s = self._timeouts.connect
                client = await self._open.enter_async_context(Http1Client(connect_timeout_s=connect_s))
            self._sender = Sender(
                target=self._choice.target,
                wire=self._wire,
                base_url=self._base_url,
                client=client,
                unix_time=self._unix_time,
                tls=ssl.create_default_context(),
                credentials=self._credentials,
                private=self._private,
            )
        return self._sender


def _nothing() -> None:
    return
