"""The way in to a signed listener, the gate's or the exporter's: who has no key gets nothing, not even a body read.

The order is part of the contract: announced size (413) → signature (401) → reading (413, 408) → digest and nonce (401).
Nobody without a key can make a listener read a body, and nobody with a forged body can use up a nonce. A refused
signature is always the same 401: why is for the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from ..upstream.signing import SKEW_S, Refused, Verified, Verifier
from .guard import Refusal
from .reading import BodyTooLarge, BodyTooSlow, announced_bytes, read_body
from .replay import ReplayStore, ReplayStoreDown, ReplayStoreForgot, ReplayStoreFull

UNREADY_S = 6
"""How long after its start a listener refuses all: a router whose clock is 5 s late may still sign "before the
start"."""


class Reply(Struct, frozen=True):
    """An answer of the listener's own. ``reason`` is the metric's, ``None`` where nothing was rejected."""

    status: int
    body: bytes
    result: str = "rejected"
    reason: str | None = None


class Admitted(Struct, frozen=True):
    verified: Verified
    body: bytes


def llama_error(status: int, kind: str, message: str) -> bytes:
    """In llama-server's shape."""
    return msgspec.json.encode({"error": {"code": status, "message": message, "type": kind}})


_UNAUTHORISED = llama_error(401, "authentication_error", "The request's signature is refused.")
_TOO_SLOW = llama_error(408, "invalid_request_error", "The request body did not arrive in time.")
_TOO_LARGE = llama_error(413, "invalid_request_error", "The request body is too large.")
_NOT_READY = llama_error(503, "unavailable_error", "The gate has just started and accepts signatures in a moment.")
_STORE_FULL = llama_error(503, "unavailable_error", "The gate cannot remember more signatures now.")
_STORE_DOWN = llama_error(503, "unavailable_error", "The gate cannot tell now whether a signature was used before.")
_ALIVE = b'{"status":"alive"}'
_READY = b'{"status":"ready"}'
_DRAINING = b'{"status":"draining"}'


class Door:
    """``started_at`` is the whole second (Unix time) of the first listen, ``unix_time`` the clock that signatures are
    judged by."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        replay: ReplayStore,
        started_at: int,
        unix_time: Callable[[], float],
        max_body: int,
        read_timeout_s: float,
    ) -> None:
        self._verifier, self._replay = verifier, replay
        self._ready_at = started_at + UNREADY_S
        self._unknown_until = started_at + SKEW_S
        self._unix_time = unix_time
        self._draining = False
        self._max_body, self._read_timeout_s = max_body, read_timeout_s

    def rekey(self, keys: Mapping[str, bytes]) -> None:
        """From now on these are the active keys."""
        self._verifier.rekey(keys)

    def drain(self) -> None:
        """Tell load balancers to send nobody any more."""
        self._draining = True

    @property
    def ready(self) -> bool:
        """Whether load balancers may send requests here."""
        return not self._draining and self._accepts()

    def _accepts(self) -> bool:
        return self._unix_time() >= self._ready_at

    async def admit(self, scope: Scope, receive: Receive) -> Admitted | Reply:
        """A request that is signed for here and new, or the answer to it. Raises ``ClientGone``."""
        try:
            return self._unsigned(scope) or await self._signed(scope, receive)
        except Refused as refused:
            return Reply(401, _UNAUTHORISED, reason=refused.reason)
        except BodyTooLarge:
            return Reply(413, _TOO_LARGE, reason="too_large")
        except BodyTooSlow:
            return Reply(408, _TOO_SLOW, reason="too_slow")
        except ReplayStoreFull:
            return Reply(503, _STORE_FULL, reason="replay_store_full")
        except ReplayStoreDown:
            return Reply(503, _STORE_DOWN, reason="replay_store_down")
        except ReplayStoreForgot:
            return Reply(503, _STORE_DOWN, reason="replay_store_forgot")

    def _unsigned(self, scope: Scope) -> Reply | None:
        """The answers that need no signature: probes, and "not yet" to everybody."""
        accepts = self._accepts()
        if scope["method"] == "GET":
            if scope["raw_path"] == b"/livez":
                return Reply(200, _ALIVE, "answered")
            if scope["raw_path"] == b"/readyz" and self._draining:
                return Reply(503, _DRAINING, "answered")
            if scope["raw_path"] == b"/readyz" and accepts:
                return Reply(200, _READY, "answered")
        return None if accepts else Reply(503, _NOT_READY, "not_ready")

    async def _signed(self, scope: Scope, receive: Receive) -> Admitted:
        headers = scope["headers"]
        if (announced_bytes(headers) or 0) > self._max_body:
            raise BodyTooLarge(self._max_body)
        verified = self._verifier.verify_headers(
            scope["method"], scope["raw_path"], scope["query_string"], headers, self._unix_time()
        )
        body = await read_body(receive, max_bytes=self._max_body, deadline_s=self._read_timeout_s)
        self._verifier.verify_body(verified, body, self._unix_time())
        if verified.created <= self._unknown_until:
            raise ReplayStoreForgot(
                "a clock that is ahead may have signed this before the start: it may have been used"
            )
        if not await self._replay.use(verified.replay_key, verified.created):
            raise Refused("replayed")
        return Admitted(verified, body)


def framing_error(refusal: Refusal) -> tuple[bytes, bytes]:
    """How ``Guard`` answers in front of a signed listener."""
    return b"application/json", llama_error(refusal.status, "invalid_request_error", refusal.message)


async def send_reply(reply: Reply, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
