"""Our HTTP/1.1 protocol: uvicorn's on httptools, with the deadlines and caps that it lacks.

uvicorn waits without limit for the rest of a header block, for the first byte on a connection, and for the rest of a
body that nobody reads; an ASGI application sees none of that, because it is not called yet, or no longer. Here each
of these waits ends in closing the connection. The request target is left in the scope as it came in, because uvicorn
drops scheme and host of an absolute-form target before an application can refuse it (see ``guard``).
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .guard import MAX_HEADER_BYTES, MAX_TARGET_BYTES, TARGET_EXTENSION

LINGER_S = 2.0
"""How long a body that was refused unread is still taken in and thrown away, so that the answer is not lost to a
connection reset while the caller is still sending."""

_MAX_HEAD_BYTES = MAX_HEADER_BYTES + MAX_TARGET_BYTES
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """Use a subclass from ``bounded_protocol``. The deadlines are seconds: ``header_timeout_s`` from the first byte of
    a request to the end of its headers, ``idle_timeout_s`` from connection or answer to the next request."""

    header_timeout_s: ClassVar[float]
    idle_timeout_s: ClassVar[float]

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = False
    _in_body = False
    _discarding = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._close_in(self.idle_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
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
        self.scope["extensions"] = {TARGET_EXTENSION: self.url}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        if self.cycle.response_complete:
            self._close_in(self.idle_timeout_s)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and not self._in_head and self.cycle.response_complete:
            self._close_in(LINGER_S if self._in_body else self.idle_timeout_s)

    def _wait_for_head(self, received: int) -> None:
        """A request has begun and its headers are not complete; most arrive in one piece and never come here."""
        if self._deadline is None:
            self._head_bytes = 0
            self._close_in(self.header_timeout_s)
            return
        self._head_bytes += received
        if self._head_bytes > _MAX_HEAD_BYTES:
            self._discarding = True
            self.transport.write(_TOO_LARGE)
            self._close_in(LINGER_S)

    def _close_in(self, seconds: float) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded_protocol(*, header_timeout_s: float, idle_timeout_s: float) -> type[BoundedProtocol]:
    """The protocol class for uvicorn's ``http`` setting with these deadlines."""
    deadlines = {"header_timeout_s": header_timeout_s, "idle_timeout_s": idle_timeout_s}
    return type("BoundedProtocol", (BoundedProtocol,), deadlines)
