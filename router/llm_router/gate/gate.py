"""The gate: verifies what the router signed and lets nothing else through to llama-server.

What comes before: framing (400, 414, 431; see ``api.guard``), then all that ``api.signed`` judges. What is signed for
here and not for the paths below is 404.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from ..api.guard import Guard
from ..api.reading import ClientGone
from ..api.signed import Admitted, Door, Reply, framing_error, llama_error, send_reply
from .forward import AnswerCut, Forwarder, UpstreamFailed
from .metrics import GateMetrics

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

_NOT_FOUND = llama_error(404, "not_found_error", "The gate does not forward this path and method.")
_BROKEN = llama_error(502, "upstream_error", "llama-server broke the connection before it answered.")
_UNREACHABLE = llama_error(503, "unavailable_error", "llama-server does not accept connections.")
_NO_STATUS = llama_error(503, "unavailable_error", "The status cannot be had now.")


class Gate:
    """The signed listener as an ASGI application; ``guarded`` puts the framing guard in front."""

    def __init__(self, *, door: Door, forwarder: Forwarder, status: StatusSource, metrics: GateMetrics) -> None:
        self._door, self._forwarder, self._status, self._metrics = door, forwarder, status, metrics

    def drain(self) -> None:
        """Tell load balancers to send nobody any more."""
        self._door.drain()

    def ready(self) -> bool:
        return self._door.ready

    def guarded(self) -> ASGIApp:
        return Guard(self, render=framing_error, observe=lambda refusal: self._metrics.rejected(refusal.code))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            let_in = await self._door.admit(scope, receive)
            reply = let_in if isinstance(let_in, Reply) else await self._answer(let_in, scope, receive, send)
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
        await send_reply(reply, send)

    async def _answer(self, admitted: Admitted, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """The answer to a signed request, ``None`` where llama-server's has been passed back."""
        route = (scope["method"], scope["raw_path"])
        if route == ("GET", STATUS_PATH):
            status = await self._status()
            return Reply(503, _NO_STATUS, "upstream_failed") if status is None else Reply(200, status, "answered")
        if route not in FORWARDED:
            return Reply(404, _NOT_FOUND, reason="path")
        try:
            await self._forwarder.forward(scope, admitted.verified, admitted.body, receive, send)
        except UpstreamFailed as failed:
            known = (503, _UNREACHABLE) if failed.unreachable else (502, _BROKEN)
            return Reply(*known, "upstream_failed")
        return None

    def _count(self, reply: Reply) -> None:
        if reply.reason is not None:
            self._metrics.rejected(reply.reason)
        else:
            self._metrics.ended(reply.result)
