"""One HTTP/1.1 connection to an upstream, and the answers that come over it, one after the other.

llhttp parses; what is here decides how far an answer has come, when it is whole, and whether the connection may be
used again. Nothing runs between events: no task, and no timer but the caller's own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from ..errors import UpstreamBroken, UpstreamReset
from .client import MAX_ANSWER_BYTES, read_whole

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADER_LINES = 200

MAX_BUFFERED_BYTES = 256 * 1024
"""As much of an answer waits for its reader before the connection is read no further."""

ONE_WRITE_BYTES = 64 * 1024
"""A request body up to here goes out together with its head."""

WRITE_BYTES = 256 * 1024
"""A larger one follows in pieces of this size, each when there is room for it."""

Key = tuple[str, int, ssl.SSLContext | None, bool]
"""Host, port, what TLS is verified against, ``None`` for plain HTTP, and whether the host may be one of a private
network: whom a connection may be used for."""

RawHeaders = list[tuple[bytes, bytes]]


class Keeper(Protocol):
    """Whoever keeps the connections."""

    def opened(self, connection: Connection) -> None: ...

    def idle(self, connection: Connection) -> None:
        """``connection`` has brought a whole answer and may carry another request."""
        ...

    def lost(self, connection: Connection) -> None: ...


class Http1Answer:
    """An ``Answer``. It lets go of its connection when it is whole or broken; what has come by then stays readable."""

    __slots__ = ("_connection", "_headers", "_pieces", "_waiter", "begun", "cut", "raw_headers", "status", "whole")

    def __init__(self, connection: Connection, pieces: list[bytes]) -> None:
        self.status = 0  # until its head is complete
        self.raw_headers: RawHeaders = []
        self.begun = False
        self.whole = False
        self.cut: str | None = None
        self._connection: Connection | None = connection
        self._pieces = pieces
        self._headers: CIMultiDict[str] | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def headers(self) -> CIMultiDict[str]:
        if self._headers is None:
            # Not ASCII only, and not always UTF-8: one character for each byte can be turned back into what came.
            pairs = ((name.decode("latin-1"), value.decode("latin-1").strip()) for name, value in self.raw_headers)
            self._headers = CIMultiDict(pairs)
        return self._headers

    async def some(self) -> bytes:
        pieces = self._pieces
        while not pieces:
            if self.whole:
                return b""
            if self.cut is not None:
                raise UpstreamBroken(self.cut)
            await self.change()
            pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._connection is not None:
            self._connection.taken()
        return data

    async def read(self, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
        return await read_whole(self, max_bytes)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.give_up("the answer was closed before its end")

    async def change(self) -> None:
        """Wait until something has come or happened. Whoever is cancelled here has given the answer up."""
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        except (asyncio.CancelledError, GeneratorExit):
            self.close()
            raise

    def changed(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def let_go(self, cut: str | None) -> None:
        """No more will come: the answer is whole, or ``cut`` says why it is not."""
        self.whole, self.cut = cut is None, cut
        self._connection, self._pieces = None, self._pieces.copy()
        self.changed()

    def ends_with_its_connection(self) -> bool:
        """Whether nothing but the end of the connection tells the end of the body (RFC 9112, section 6.3)."""
        framing = {name.lower(): value for name, value in self.raw_headers}
        if coding := framing.get(b"transfer-encoding"):
            return not coding.lower().rstrip().endswith(b"chunked")
        return b"content-length" not in framing


class Connection(asyncio.Protocol):
    """Opened for ``key``; carries one request at a time."""

    def __init__(self, key: Key, keeper: Keeper) -> None:
        self.key, self.idle_since = key, 0.0
        self._keeper = keeper
        self._watched = False
        self._answer: Http1Answer | None = None
        self._headers: RawHeaders = []
        self._pieces: list[bytes] = []
        self._buffered_bytes = self._barren_bytes = 0
        self._bodiless = self._full = self._reusable = False
        self._sent = True
        self.on_body = self._pieces.append  # called by the parser

    # ------------------------------------------------------------ for the client and the answer

    async def ask(self, head: bytes, body: bytes, *, bodiless: bool) -> Http1Answer:
        """Send a request and wait for the head of its answer, which has no body if it is ``bodiless``.

        Raises ``UpstreamReset`` if the connection breaks before a byte of it has come, else ``UpstreamBroken``.
        """
        if self._transport.is_closing():
            raise UpstreamReset("the connection was closed before the request")
        self._answer = answer = Http1Answer(self, self._pieces)
        self._bodiless, self._reusable = bodiless, False
        self._barren_bytes = 0
        if len(body) <= ONE_WRITE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            await self._upload(answer, body)
        while not answer.status:
            if answer.cut is not None:
                raise (UpstreamBroken if answer.begun else UpstreamReset)(answer.cut)
            await answer.change()
        return answer

    async def _upload(self, answer: Http1Answer, body: bytes) -> None:
        self._sent = False
        rest = memoryview(body)
        while rest:
            while self._full and not answer.status and answer.cut is None:
                await answer.change()
            if answer.status or answer.cut is not None:
                return  # an answer that does not wait for the rest does not want it
            self._transport.write(rest[:WRITE_BYTES])
            rest = rest[WRITE_BYTES:]
        self._sent = True

    def break_unacknowledged_after(self, timeout_s: float) -> None:
        """From now on the connection breaks when what is sent over it is not acknowledged for so long.

        Only the system of a peer that is there acknowledges, however busy the peer is; a firewall that has forgotten
        the connection, or a machine that has gone without a word, does not, and would be tried for a quarter of an
        hour. A peer that leaves more than it can buffer unread for so long counts as gone, too. Where the system cannot
        tell, on others than Linux, the caller's own timers do.
        """
        if self._watched or not hasattr(socket, "TCP_USER_TIMEOUT"):
            return
        self._watched = True
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(timeout_s * 1000)))

    def taken(self) -> None:
        """All that had come was read."""
        if self._buffered_bytes > MAX_BUFFERED_BYTES:
            self._transport.resume_reading()
        self._buffered_bytes = 0

    def give_up(self, why: str) -> None:
        """Close at once, whatever is under way."""
        answer, self._answer = self._answer, None
        self._reusable = False
        self._transport.abort()
        if answer is not None:
            answer.let_go(why)

    # ------------------------------------------------------------ for the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = HttpResponseParser(self)
        self._keeper.opened(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.give_up("")  # nothing was asked for: whatever this is, the next answer is not to begin with it
            return
        answer.begun = True
        pieces_before = len(self._pieces)
        self._barren_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            self.give_up(f"not an HTTP answer: {exc}")
            return
        if self._answer is None:
            self._pass_on()
        elif len(self._pieces) > pieces_before:
            self._barren_bytes = 0
            self._buffer(len(data))
            answer.changed()
        elif self._barren_bytes > MAX_HEAD_BYTES:
            self.give_up(f"more than {MAX_HEAD_BYTES} bytes of header or framing")
        elif answer.status:
            answer.changed()

    def eof_received(self) -> None:
        answer = self._answer
        if answer is not None and answer.status and answer.ends_with_its_connection():
            self._answer = None
            answer.let_go(None)
        self.give_up("the connection was closed before the end of the answer")

    def connection_lost(self, exc: Exception | None) -> None:
        self.give_up(f"the connection broke: {exc or 'closed'}")
        self._keeper.lost(self)
        del self._parser  # which holds on to this object

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._answer is not None:
            self._answer.changed()

    # ------------------------------------------------------------ for the parser

    def on_message_begin(self) -> None:
        if self._answer is None:
            self._reusable = False  # an answer to no request, right behind the last one

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        answer = self._answer
        headers, self._headers = self._headers, []  # trailers, if there are any, go where nobody looks
        if answer is None:
            return
        if len(headers) > MAX_HEADER_LINES:
            self.give_up(f"more than {MAX_HEADER_LINES} header lines")
            return
        if self._barren_bytes > MAX_HEAD_BYTES and sum(len(n) + len(v) for n, v in headers) > MAX_HEAD_BYTES:
            self.give_up(f"more than {MAX_HEAD_BYTES} bytes of header")
            return
        status = self._parser.get_status_code()
        if status == 101:
            self.give_up("it wants to switch protocols, which nobody asked for")
        elif status >= 200:
            answer.status, answer.raw_headers = status, headers
            if self._bodiless:
                self._complete(answer, reusable=False)

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is not None and answer.status:
            self._complete(answer, reusable=self._parser.should_keep_alive())

    # ------------------------------------------------------------

    def _complete(self, answer: Http1Answer, *, reusable: bool) -> None:
        """All of ``answer`` is there; what else the parser finds belongs to nobody."""
        self._answer = None
        answer.let_go(None)
        self._pieces.clear()
        self._reusable = reusable and self._sent

    def _pass_on(self) -> None:
        self._headers.clear()
        if self._reusable and not self._transport.get_write_buffer_size():
            self.taken()
            self._keeper.idle(self)
        else:
            self.give_up("")

    def _buffer(self, size: int) -> None:
        before = self._buffered_bytes
        self._buffered_bytes = before + size
        if before <= MAX_BUFFERED_BYTES < self._buffered_bytes:
            self._transport.pause_reading()
