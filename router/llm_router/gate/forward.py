"""From the gate to llama-server on loopback and back, byte for byte."""

from __future__ import annotations

import ssl

from starlette.types import Receive, Scope, Send
from yarl import URL

from ..api.reading import WhileCallerStays
from ..errors import AttemptFailed, ConnectFailed
from ..upstream.client import Answer, Client
from ..upstream.signing import Verified

RawHeaders = list[tuple[bytes, bytes]]

_TO_UPSTREAM = {b"accept": "accept", b"traceparent": "traceparent"}
_TO_CALLER = (
    "content-type",
    "content-length",
    "content-encoding",
    "cache-control",
    "retry-after",
    "x-accel-buffering",
    "x-request-id",
)


class UpstreamFailed(AttemptFailed):
    """llama-server gave no answer; nothing has been sent to the caller. ``unreachable`` means no connection at all."""

    def __init__(self, cause: AttemptFailed) -> None:
        super().__init__(str(cause))
        self.unreachable = isinstance(cause, ConnectFailed)


class AnswerCut(AttemptFailed):
    """llama-server's answer broke off after its beginning had gone to the caller, whose connection must break too."""


class Forwarder:
    """Sends verified requests to one llama-server, under the gate's own credential and framing.

    Only headers that both sides need pass, in either direction.
    """

    def __init__(self, *, client: Client, upstream: str, api_key: str | None) -> None:
        self._client = client
        self._upstream = upstream.rstrip("/")
        # The client wants a context for every URL; over loopback, plain HTTP, it is never looked at.
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._fixed: tuple[tuple[str, str], ...] = (("accept-encoding", "identity"),)
        if api_key:
            self._fixed += (("authorization", f"Bearer {api_key}"),)

    async def forward(self, scope: Scope, verified: Verified, body: bytes, receive: Receive, send: Send) -> None:
        """Ask what ``scope`` asks, path and query as signed, and end that work the moment the caller leaves.

        Raises ``UpstreamFailed`` before and ``AnswerCut`` after the answer has begun, ``ClientGone`` at any time.
        """
        url = URL(self._upstream + _target(scope), encoded=True)
        headers = self._headers(scope["headers"], verified)
        async with WhileCallerStays(receive):
            try:
                answer = await self._client.send(scope["method"], url, headers, body, self._tls)
            except AttemptFailed as error:
                raise UpstreamFailed(error) from error
            try:
                await _pass_back(answer, send)
            finally:
                answer.close()

    def _headers(self, headers: RawHeaders, verified: Verified) -> tuple[tuple[str, str], ...]:
        passed = tuple((_TO_UPSTREAM[name], value.decode("latin-1")) for name, value in headers if name in _TO_UPSTREAM)
        own = (
            ("content-type", verified.content_type.decode("latin-1")),
            ("x-request-id", verified.request_id),
        )
        return self._fixed + own + passed


def _target(scope: Scope) -> str:
    path: str = scope["raw_path"].decode("ascii")
    query: str = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


async def _pass_back(answer: Answer, send: Send) -> None:
    found = answer.headers
    headers = [(name.encode(), found[name].encode("latin-1")) for name in _TO_CALLER if name in found]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    try:
        # ``send`` waits while the caller's connection is full: a slow reader slows llama-server down.
        while data := await answer.some():
            await send({"type": "http.response.body", "body": data, "more_body": True})
    except AttemptFailed as error:
        raise AnswerCut(str(error)) from error
    await send({"type": "http.response.body", "body": b"", "more_body": False})
