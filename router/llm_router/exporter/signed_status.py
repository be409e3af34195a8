"""``GET /cluster/status`` for those who are further away than loopback: signed, as the gate has it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from ..api.guard import Guard
from ..api.reading import ClientGone
from ..api.replay import MemoryReplayStore
from ..api.signed import Door, Reply, framing_error, llama_error, send_reply
from ..api.signed_config import key_bytes
from ..model import ClusterStatus
from ..upstream.signing import Verifier
from .config import StatusConfig

PATH = b"/cluster/status"
MAX_BODY, READ_TIMEOUT_S = 1024, 10.0
"""Of a request that needs no body."""
MAX_NONCES = 10_000
_NOT_FOUND = llama_error(404, "not_found_error", "There is nothing here but /cluster/status.")
_NOT_YET = llama_error(503, "unavailable_error", "The pool has not been measured yet.")


def door_of(target: str, settings: StatusConfig, *, unix_time: Callable[[], float]) -> Door:
    """Opens now: nothing that was signed before counts."""
    started_at = math.ceil(unix_time())
    keys = key_bytes(settings.keys)
    return Door(
        verifier=Verifier(keys=keys, target=target, authority=settings.authority, not_before=started_at),
        replay=MemoryReplayStore(max_entries=MAX_NONCES),
        started_at=started_at,
        unix_time=unix_time,
        max_body=MAX_BODY,
        read_timeout_s=READ_TIMEOUT_S,
    )


class SignedStatus:
    """An ASGI application; ``guarded`` puts the framing guard in front. ``asked`` counts requests by what came of them,
    refused ones by the reason, which their sender is not told."""

    def __init__(self, door: Door, status: Callable[[], ClusterStatus | None]) -> None:
        self._door, self._status = door, status
        self.asked: Counter[str] = Counter()

    def guarded(self) -> ASGIApp:
        return Guard(self, render=framing_error, observe=lambda refusal: self.asked.update([refusal.code]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            let_in = await self._door.admit(scope, receive)
        except ClientGone:
            self.asked["client_gone"] += 1
            return
        reply = let_in if isinstance(let_in, Reply) else self._answer(scope)
        self.asked[reply.reason or reply.result] += 1
        await send_reply(reply, send)

    def _answer(self, scope: Scope) -> Reply:
        if (scope["method"], scope["raw_path"]) != ("GET", PATH):
            return Reply(404, _NOT_FOUND, reason="path")
        status = self._status()
        if status is None:
            return Reply(503, _NOT_YET, "not_measured")
        return Reply(200, msgspec.json.encode(status), "answered")
