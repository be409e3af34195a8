"""One exchange on one connection: receive, send, and break off in the ways that ASGI has no words for.

TCP resets, answers that end with the connection and chunks that never end need the transport. ``Connection`` is
uvicorn's own HTTP protocol, which additionally hands the transport to the application in the scope's extensions.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .dialect import Header

TRANSPORT = "standin.transport"


class Connection(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class TooLarge(Exception):
    """The request's body is larger than allowed."""


class Gone(Exception):
    """The caller has left."""


class Exchange:
    """An HTTP request and its answer. Every method that waits raises ``Gone`` once the caller has left."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._transport: asyncio.Transport = scope["extensions"][TRANSPORT]["transport"]
        self._left: asyncio.Future[None] | None = None
        self._told = asyncio.Event()
        self._bare = False

    async def read(self, most: int) -> bytes:
        """The whole body. Raises ``TooLarge`` above ``most`` bytes, with the body read to its end."""
        body, size, more = bytearray(), 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            size += len(message["body"])
            if size <= most:
                body += message["body"]
            more = message["more_body"]
        self._left = asyncio.ensure_future(self._until_gone())
        if size > most:
            raise TooLarge
        return bytes(body)

    async def start(self, status: int, headers: Sequence[Header], *, bare: bool = False) -> None:
        """``bare``: neither length nor chunks, the end of the connection is the end of the answer."""
        self._bare = bare
        if bare:
            lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in headers), "connection: close"]
            self._transport.write("\r\n".join([*lines, "", ""]).encode())
            return
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def send(self, data: bytes) -> None:
        if self._left is not None and self._left.done():
            raise Gone
        if self._bare:
            self._transport.write(data)
        else:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await asyncio.sleep(0)  # lets a caller's departure be noticed between two frames

    async def end(self) -> None:
        if self._bare:
            await self.hang_up()
        else:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def wait(self, seconds: float | None) -> None:
        """``None``: until the caller leaves."""
        if self._left is not None:
            await asyncio.wait({self._left}, timeout=seconds)
            if self._left.done():
                raise Gone

    async def pause(self, seconds: float | None) -> bool:
        """As ``wait``, but no longer than until ``go_on``: whether that was called."""
        told = asyncio.ensure_future(self._told.wait())
        ends: set[asyncio.Future[Any]] = {told} if self._left is None else {told, self._left}
        try:
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
        if self._left is not None and self._left.done():
            raise Gone
        return self._told.is_set()

    def go_on(self) -> None:
        """Ends the pause that is under way, and those to come."""
        self._told.set()

    async def hang_up(self) -> None:
        """Ends the connection in order (FIN) whatever is still missing of the answer."""
        self._transport.close()
        await self._closed()

    async def reset(self) -> None:
        """Ends the connection by TCP RST: a socket that lingers for no time has nothing else to say."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await self._closed()

    def release(self) -> None:
        if self._left is not None:
            self._left.cancel()

    async def _closed(self) -> None:
        if self._left is not None:
            await asyncio.wait({self._left})

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
