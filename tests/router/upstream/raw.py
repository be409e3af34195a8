"""An upstream on a raw socket that does what a test tells it to, and the clients that are tested against it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvloop
from yarl import URL

from llm_router.upstream.client import AiohttpClient, Answer, Client
from llm_router.upstream.http1 import Http1Client

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
Make = type[AiohttpClient] | type[Http1Client]
SYSTEM = ssl.create_default_context()
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Upstream:
    """Serves each connection with ``serve``, which is told how many there are by then, itself included."""

    serve: Serve
    connections: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        try:
            await self.serve(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def ended(self) -> None:
        """All connections have ended, which they soon must."""
        async with asyncio.timeout(20):
            await asyncio.gather(*self.tasks, return_exceptions=True)


Use = Callable[[Client, URL, Upstream], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Stack:
    """A client on an event loop."""

    make: Make
    new_loop: Callable[[], asyncio.AbstractEventLoop]

    def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            runner.run(main())

    def against(self, serve: Serve, use: Use, *, tls: ssl.SSLContext | None = None) -> None:
        """Run ``use`` with a client and the URL of an upstream that serves each of its connections with ``serve``."""

        async def main() -> None:
            async with serving(serve, tls=tls) as (upstream, url), self.make(connect_timeout_s=20.0) as client:
                await use(client, url, upstream)

        self.run(main)


STACKS = {
    "aiohttp": Stack(AiohttpClient, uvloop.new_event_loop),
    "http1": Stack(Http1Client, uvloop.new_event_loop),
    "http1-asyncio": Stack(Http1Client, asyncio.new_event_loop),
}


@contextlib.asynccontextmanager
async def serving(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Upstream, URL]]:
    """An ``Upstream`` on a free port, and its URL; left when all its connections have ended."""
    upstream = Upstream(serve)
    server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    try:
        yield upstream, URL(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x")
    finally:
        server.close()
        await upstream.ended()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def request(reader: asyncio.StreamReader) -> bytes:
    """The head of a request that has ``post``'s body."""
    found = await head(reader)
    await reader.readexactly(2)
    return found


async def post(client: Client, url: URL, tls: ssl.SSLContext | None = None, *, private: bool = False) -> Answer:
    return await client.send("POST", url, (("x-a", "1"),), b"{}", tls or SYSTEM, private=private)


async def fetch(client: Client, url: URL, tls: ssl.SSLContext | None = None, *, private: bool = False) -> bytes:
    """The whole body of the answer to ``post``."""
    answer = await post(client, url, tls, private=private)
    try:
        return await answer.read()
    finally:
        answer.close()


class Resolving(asyncio.SelectorEventLoop):
    """An event loop whose resolver knows every name by the same addresses, and none where there are no addresses; it
    answers while ``answering`` is set. ``asked`` are the names in their order."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self.addresses: tuple[str, ...] = addresses
        self.asked: list[str] = []
        self.was_asked, self.answering = asyncio.Event(), asyncio.Event()
        self.answering.set()

    async def getaddrinfo(self, host: Any, port: Any, **_kwargs: Any) -> Any:
        self.asked.append(host)
        self.was_asked.set()
        await self.answering.wait()
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        kind = socket.SOCK_STREAM
        return [info for address in self.addresses for info in socket.getaddrinfo(address, port, type=kind)]


def answering(*answers: bytes) -> Serve:
    """Answers the requests of each connection in turn, each with one write, and then ends it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        for answer in answers:
            await request(reader)
            writer.write(answer)

    return serve


async def write_apart(writer: asyncio.StreamWriter, *segments: bytes) -> None:
    """Each segment arrives by itself: the event loop gets round to the other side in between."""
    for segment in segments:
        writer.write(segment)
        for _ in range(3):
            await asyncio.sleep(0)


_ATTACH_FILTER = 26  # SO_ATTACH_FILTER of <asm-generic/socket.h>, which Python does not name


def half_open(writer: asyncio.StreamWriter) -> None:
    """From now on this side's system drops each packet of the connection before TCP sees it: nothing is acknowledged,
    refused or read, as behind a firewall that has forgotten it."""
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0 bytes of each packet
    program = struct.pack("@HP", 1, ctypes.addressof(drop_all))
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


@contextlib.contextmanager
def nobody_accepts(address: str = "127.0.0.1", port: int = 0) -> Iterator[URL]:
    """A URL where no connection comes about, and none is refused: the accept queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield URL(f"http://{address}:{listener.getsockname()[1]}/")
