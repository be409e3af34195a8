"""One stand-in as an ASGI application: a dialect, the faults it is told, the requests it has seen.

Beside the provider's own paths it answers to whoever controls it: ``POST /__standin__/fault`` adds a fault, ``DELETE``
clears all and lets those go on whom one holds up; ``GET /__standin__/requests`` lists what came, credentials included,
``DELETE`` forgets it.
"""

from __future__ import annotations

import time
from collections import deque

import msgspec
from msgspec import structs
from starlette.types import Receive, Scope, Send

from .connection import Exchange, Gone, TooLarge
from .delivery import Delivery, Pace, Seen
from .dialect import EVENTS, Dialect, Document, Refused, Reply, Request, dump
from .faults import Fault, Faults

CONTROL = "/__standin__"

_MOST_SEEN = 512
_MOST_BODY_SEEN = 256 * 1024


class Standin:
    """Keeps the last ``_MOST_SEEN`` requests, and of each body the first ``_MOST_BODY_SEEN`` bytes."""

    def __init__(self, dialect: Dialect, pace: Pace | None = None) -> None:
        self._dialect = dialect
        self._pace = pace or Pace()
        self._faults = Faults()
        self._seen: deque[Seen] = deque(maxlen=_MOST_SEEN)
        self._under_way: set[Exchange] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        self._under_way.add(exchange)
        try:
            if scope["path"].startswith(CONTROL):
                await self._control(scope["method"], scope["path"].removeprefix(CONTROL), exchange)
            else:
                await self._serve(_request(scope), exchange)
        except Gone:
            pass
        finally:
            self._under_way.discard(exchange)
            exchange.release()

    async def _control(self, method: str, path: str, exchange: Exchange) -> None:
        try:
            reply = self._controlled(method, path, await exchange.read(_MOST_BODY_SEEN))
        except (TooLarge, msgspec.DecodeError) as error:
            reply = Document(body=dump({"error": f"not a fault: {error}"}), status=400)
        await self._deliver(reply, None, exchange, _seen(Request(method=method, path=path)))

    def _controlled(self, method: str, path: str, body: bytes) -> Document:
        match method, path:
            case "POST", "/fault":
                self._faults.add(msgspec.json.decode(body, type=Fault))
            case "DELETE", "/fault":
                self._faults.clear()
                for held in self._under_way:
                    held.go_on()
            case "GET", "/requests":
                return Document(body=dump(list(self._seen)))
            case "DELETE", "/requests":
                self._seen.clear()
            case _:
                return Document(body=dump({"error": f"no such control: {method} {path}"}), status=404)
        return Document(body=b"{}")

    async def _serve(self, head: Request, exchange: Exchange) -> None:
        seen = _seen(head)
        self._seen.append(seen)
        began = time.monotonic()
        try:
            await self._answer(head, exchange, seen)
        except Gone:
            seen.outcome = "left"
        finally:
            seen.duration_s = time.monotonic() - began

    async def _answer(self, head: Request, exchange: Exchange, seen: Seen) -> None:
        try:
            request = structs.replace(head, body=await exchange.read(self._dialect.max_body))
        except TooLarge:
            await self._deliver(self._dialect.trouble("too_large", head), None, exchange, seen)
            return
        seen.body = request.body[:_MOST_BODY_SEEN].decode(errors="replace")
        fault = self._faults.take(generates=self._dialect.generates(request))
        if fault is not None:
            seen.fault = fault.kind
            if fault.kind == "silence":
                await exchange.pause(fault.seconds)
            if fault.kind == "reset":
                seen.outcome = "broken"
                await exchange.reset()
                return
        try:
            reply, played = self._reply(request, fault)
        except Refused as refusal:
            reply, played = refusal.reply, None
        await self._deliver(reply, played, exchange, seen)

    def _reply(self, request: Request, fault: Fault | None) -> tuple[Reply, Fault | None]:
        """The reply, and what is left of ``fault`` to be played on the way. Raises ``Refused``."""
        if fault is None:
            return self._dialect.reply(request), None
        trouble = fault.trouble
        if trouble is None:
            reply = self._dialect.reply(request)
            if fault.kind not in ("overloaded", "error_first_event") or reply.content_type == EVENTS:
                return reply, fault
            trouble = "overloaded"
        reply = self._dialect.trouble(trouble, request, status=fault.status, retry_after=fault.retry_after)
        if fault.kind == "empty_200_error" and isinstance(reply, Document):
            reply = structs.replace(reply, status=200)
        return reply, None

    async def _deliver(self, reply: Reply, fault: Fault | None, exchange: Exchange, seen: Seen) -> None:
        error = self._dialect.error_frame()
        await Delivery(exchange, self._pace, seen, ping=self._dialect.ping, error=error).give(reply, fault)


def _request(scope: Scope) -> Request:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    query = scope["query_string"].decode("latin-1")
    return Request(method=scope["method"], path=scope["path"], query=query, headers=headers)


def _seen(request: Request) -> Seen:
    return Seen(
        at=time.time(), method=request.method, path=request.path, query=request.query, headers=list(request.headers)
    )
