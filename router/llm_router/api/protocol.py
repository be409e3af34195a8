"""Our HTTP/1.1 protocol: uvicorn's on httptools, with the deadlines and caps that it lacks.

uvicorn waits without limit for the rest of a header block, for the first byte on a connection, for the rest of a body
that nobody reads, and for a caller to read his answer; an ASGI application sees none of that, because it is not called
yet, or no longer. Here each of these waits ends in closing the connection. And uvicorn does not notice that a caller
has left who sent another request behind the one that is being answered: it stops reading, and tells only the later one.
Here what comes too early is kept aside, unparsed and bounded, and the connection is read on. The request target is left
in the scope as it came in, because uvicorn drops scheme and host of an absolute-form target before an application can
refuse it (see ``guard``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import ClassVar

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .guard import MAX_HEADER_BYTES, MAX_TARGET_BYTES, TARGET_EXTENSION

LINGER_S = 2.0
"""How long a body that was refused unread is still taken in and thrown away, so that the answer is not lost to a
connection reset while the caller is still sending."""

MAX_EARLY_BYTES = 64 * 1024
"""How much may come behind a request that is still being answered; whoever sends more is cut off."""

_MAX_HEAD_BYTES = MAX_HEADER_BYTES + MAX_TARGET_BYTES
_MAX_URL_BYTES = 0xFFFF
"""What the parser of request targets can hold; the guard refuses them much earlier, but only if they get there."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LONG = b"HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """Use a subclass from ``bounded_protocol``. The deadlines are seconds: ``header_timeout_s`` from the first byte of
    a request to the end of its headers, ``idle_timeout_s`` from connection or answer to the next request,
    ``stall_timeout_s`` for a caller to take in what waits to be sent."""

    header_timeout_s: ClassVar[float]
    idle_timeout_s: ClassVar[float]
    stall_timeout_s: ClassVar[float]

    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _answering: RequestResponseCycle | None = None
    _early = b""
    _head_bytes = 0
    _in_head = False
    _in_body = False
    _discarding = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._close_in(self.idle_timeout_s)
        connection = transport.get_extra_info("ssl_object")
        if connection is not None and not self.admits(connection):
            self._discarding = True
            transport.close()

    @staticmethod
    def admits(_connection: ssl.SSLObject) -> bool:
        """Whether the client of a TLS connection may speak. Others are closed without an answer, as OpenSSL does with
        those that it refuses itself."""
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        self.resume_writing()
        self._early = b""
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._early or self._is_early():
            self._keep(data)
            return
        super().data_received(data)
        if self._in_head:
            self._wait_for_head(len(data))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._stop_deadline()

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._stop_deadline()
        if len(self.url) > _MAX_URL_BYTES:
            self._cut_off(_TOO_LONG)
            raise ValueError("the request target is too long")  # ends the parsing
        self.scope["extensions"] = {TARGET_EXTENSION: self.url}  # type: ignore[dict-item]
        super().on_headers_complete()
        if self.pipeline:
            self.flow.resume_reading()  # else nobody notices that the caller leaves

    def on_message_complete(self) -> None:
        self._in_body = False
        if self.cycle.response_complete:
            self._close_in(self.idle_timeout_s)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._unsent()
            return
        if self._early:
            self.loop.call_soon(self._take_up)
        if not self._in_head and self.cycle.response_complete:
            self._close_in(LINGER_S if self._in_body else self.idle_timeout_s)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._abort_later()

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        self._answering = cycle
        super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]

    def _is_early(self) -> bool:
        """Whether what comes now belongs to a later request than the one that is being answered."""
        answering = self._answering
        if answering is None or answering.response_complete:
            return False
        return self.cycle is not answering or not self._in_body

    def _keep(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > MAX_EARLY_BYTES:
            self.transport.abort()

    def _take_up(self) -> None:
        if not self.transport.is_closing():
            early, self._early = self._early, b""
            self.data_received(early)

    def _wait_for_head(self, received: int) -> None:
        """A request has begun and its headers are not complete; most arrive in one piece and never come here."""
        if self._deadline is None:
            self._head_bytes = 0
            self._close_in(self.header_timeout_s)
            return
        self._head_bytes += received
        if self._head_bytes > _MAX_HEAD_BYTES:
            self._cut_off(_TOO_LARGE)

    def _cut_off(self, answer: bytes) -> None:
        """Nothing that this caller says is heard from now on."""
        self._discarding = True
        self.transport.write(answer)
        self._close_in(LINGER_S)

    def send_400_response(self, msg: str) -> None:
        if not self._discarding:
            super().send_400_response(msg)

    def _close_in(self, seconds: float) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(seconds, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._unsent()

    def _unsent(self) -> None:
        """A transport that is closing waits without limit for what it still has to send."""
        if self.transport.get_write_buffer_size():
            self._abort_later()

    def _abort_later(self) -> None:
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.stall_timeout_s, self.transport.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded_protocol(
    *,
    header_timeout_s: float,
    idle_timeout_s: float,
    stall_timeout_s: float,
    admits: Callable[[ssl.SSLObject], bool] = BoundedProtocol.admits,
) -> type[BoundedProtocol]:
    """The protocol class for uvicorn's ``http`` setting with these deadlines."""
    settings = {
        "header_timeout_s": header_timeout_s,
        "idle_timeout_s": idle_timeout_s,
        "stall_timeout_s": stall_timeout_s,
        "admits": staticmethod(admits),
    }
    return type("BoundedProtocol", (BoundedProtocol,), settings)
