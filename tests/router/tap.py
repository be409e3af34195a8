"""A listener in front of a target that keeps every byte the target is sent, and that can answer in its place: by an
error that repeats whatever credential came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_CREDENTIAL = re.compile(rb"(?im)^(?:authorization|x-api-key|api-key|x-goog-api-key|signature): *(.+?)\r$")


@dataclass
class Tap:
    """``tells`` is the status of the answers that are made here; without one the target answers."""

    target: str
    url: str = ""
    sent: bytearray = field(default_factory=bytearray)
    tells: int | None = None

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            request = head + await reader.readexactly(int(length[1]) if length else 0)
            self.sent += request
            if self.tells is not None:
                writer.write(_told(self.tells, head))
                await writer.drain()
                return
            place = urlsplit(self.target)
            answers, asks = await asyncio.open_connection(place.hostname, place.port)
            with contextlib.closing(asks):
                asks.write(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
                while data := await answers.read(65536):
                    writer.write(data)
                    await writer.drain()


def _told(status: int, head: bytes) -> bytes:
    secrets = [secret.decode("latin-1") for secret in _CREDENTIAL.findall(head)]
    body = json.dumps({"error": {"message": f"refused: {secrets}", "type": "x", "code": " ".join(secrets)}}).encode()
    repeated = "".join(f"x-api-key: {secret}\r\nset-cookie: a={secret}\r\n" for secret in secrets)
    return (
        f"HTTP/1.1 {status} {secrets}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"connection: close\r\n{repeated}\r\n".encode("latin-1")
        + body
    )


@contextlib.asynccontextmanager
async def tapped(*targets: str) -> AsyncIterator[list[Tap]]:
    taps = [Tap(target) for target in targets]
    async with contextlib.AsyncExitStack() as stack:
        for tap in taps:
            server = await stack.enter_async_context(await asyncio.start_server(tap.converse, "127.0.0.1", 0))
            tap.url = "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
        yield taps
