"""The gate: verifies what the router signed and lets nothing else through to llama-server.

The order is part of the contract: framing (400, 414, 431; see ``api.guard``) → announced size (413) → signature (401)
→ reading (413, 408) → digest and nonce (401) → path (404). Nobody without a key can make the gate read a body, and
nobody with a forged body can use up a nonce. A refused signature is always the same 401: why is in a metric.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from ..api.guard import Guard, Refusal
from ..api.reading import BodyTooLarge, BodyTooSlow, ClientGone, announced_bytes, read_body
from ..upstream.signing import Refused, Verified, Verifier
from .forward import AnswerCut, Forwarder, UpstreamFailed
from .metrics import GateMetrics
from .replay import ReplayStore, ReplayStoreFull

UNREADY_S = 6
"""How long after its start a gate refuses all: a router whose clock is 5 s late may still sign "before the start"."""

STATUS_PATH = b"/cluster/status"
FORWARDED = frozenset(
    [
        ("POST", b"/v1/chat/completions"),
        ("POST", b"/v1/completions"),
        ("POST", b"/v1/embeddings"),
        ("POST", b"/v1/messages"),
        ("GET", b"/v1/models"),
        ("GET", b"/health"),
        ("GET", b"/metrics"),
    ]
)

StatusSource = Callable[[], Awaitable[bytes | None]]
"""The body of ``GET /cluster/status``, or ``None`` where it cannot be had now."""


class Reply(Struct, frozen=True):
    """An answer of the gate's own. ``reason`` is the metric's, ``None`` where nothing was rejected."""

    status: int
    body: bytes
    result: str = "rejected"
    reason: str | None = None


def _error(status: int, kind: str, message: str) -> bytes:
    return msgspec.json.encode({"error": {"code": status, "message": message, "type": kind}})


_UNAUTHORISED = _error(401, "authentication_error", "The request's signature is refused.")
_NOT_FOUND = _error(404, "not_found_error", "The gate does not forward this path and method.")
_TOO_SLOW = _error(408, "invalid_request_error", "The request body did not arrive in time.")
_TOO_LARGE = _error(413, "invalid_request_error", "The request body is too large.")
_BROKEN = _error(502, "upstream_error", "llama-server broke the connection before it answered.")
_UNREACHABLE = _error(503, "unavailable_error", "llama-server does not accept connections.")
_NOT_READY = _error(503, "unavailable_error", "The gate has just started and accepts signatures in a moment.")
_STORE_FULL = _error(503, "unavailable_error", "The gate cannot remember more signatures now.")
_NO_STATUS = _error(503, "unavailable_error", "The status cannot be had now.")
_ALIVE = b'{"status":"alive"}'
_READY = b'{"status":"ready"}'
_DRAINING = b'{"status":"draining"}'


class Gate:
    """The signed listener as an ASGI application; ``guarded`` puts the framing guard in front.

    ``started_at`` is the whole second (Unix time) of the first listen, ``unix_time`` the clock that signatures are
    judged by.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        replay: ReplayStore,
        forwarder: Forwarder,
        status: StatusSource,
        metrics: GateMetrics,
        started_at: int,
        unix_time: Callable[[], float],
        max_body: int,
        read_timeout_s: float,
    ) -> None:
        self._verifier, self._replay = verifier, replay
        self._forwarder, self._status = forwarder, status
        self._metrics = metrics
        self._ready_at = started_at + UNREADY_S
        self._unix_time = unix_time
        self._draining = False
        self._max_body, self._read_timeout_s = max_body, read_timeout_s

    def drain(self) -> None:
        """Tell load balancers to send nobody any more."""
        self._draining = True

    def guarded(self) -> ASGIApp:
        return Guard(self, render=_framing_error, observe=lambda refusal: self._metrics.rejected(refusal.code))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = self._unsigned(scope) or await self._signed(scope, receive, send)
        except ClientGone:
            self._metrics.ended("client_gone")
            return
        except AnswerCut:
            # Returning without a last part makes the server break the connection, which is what tells the caller.
            self._metrics.ended("upstream_failed")
            return
        if reply is None:
            self._metrics.ended("forwarded")
            return
        self._count(reply)
        await _send(reply, send)

    def _unsigned(self, scope: Scope) -> Reply | None:
        """The answers that need no signature: probes, and "not yet" to everybody."""
        ready = self._unix_time() >= self._ready_at
        if scope["method"] == "GET":
            if scope["raw_path"] == b"/livez":
                return Reply(200, _ALIVE, "answered")
            if scope["raw_path"] == b"/readyz" and self._draining:
                return Reply(503, _DRAINING, "answered")
            if scope["raw_path"] == b"/readyz" and ready:
                return Reply(200, _READY, "answered")
        return None if ready else Reply(503, _NOT_READY, "not_ready")

    async def _signed(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """The answer to a signed request, ``None`` where llama-server's has been passed back."""
        try:
            verified, body = await self._admit(scope, receive)
        except Refused as refused:
            return Reply(401, _UNAUTHORISED, reason=refused.reason)
        except BodyTooLarge:
            return Reply(413, _TOO_LARGE, reason="too_large")
        except BodyTooSlow:
            return Reply(408, _TOO_SLOW, reason="too_slow")
        except ReplayStoreFull:
            return Reply(503, _STORE_FULL, reason="replay_store_full")
        route = (scope["method"], scope["raw_path"])
        if route == ("GET", STATUS_PATH):
            status = await self._status()
            return Reply(503, _NO_STATUS, "upstream_failed") if status is None else Reply(200, status, "answered")
        if route not in FORWARDED:
            return Reply(404, _NOT_FOUND, reason="path")
        try:
            await self._forwarder.forward(scope, verified, body, receive, send)
        except UpstreamFailed as failed:
            known = (503, _UNREACHABLE) if failed.unreachable else (502, _BROKEN)
            return Reply(*known, "upstream_failed")
        return None

    async def _admit(self, scope: Scope, receive: Receive) -> tuple[Verified, bytes]:
        headers = scope["headers"]
        if (announced_bytes(headers) or 0) > self._max_body:
            raise BodyTooLarge(self._max_body)
        verified = self._verifier.verify_headers(
            scope["method"], scope["raw_path"], scope["query_string"], headers, self._unix_time()
        )
        body = await read_body(receive, max_bytes=self._max_body, deadline_s=self._read_timeout_s)
        self._verifier.verify_body(verified, body, self._unix_time())
        if not await self._replay.use(verified.replay_key):
            raise Refused("replayed")
        return verified, body

    def _count(self, reply: Reply) -> None:
        if reply.reason is not None:
            self._metrics.rejected(reply.reason)
        else:
            self._metrics.ended(reply.result)


def _framing_error(refusal: Refusal) -> tuple[bytes, bytes]:
    return b"application/json", _error(refusal.status, "invalid_request_error", refusal.message)


async def _send(reply: Reply, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
