"""The edge under test as callers see it: an ASGI application on a real listener, spoken to over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from llm_router.api.serving import Site, listen, serve_sites

T = TypeVar("T")
Address = tuple[str, int]


def run(main: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` on uvloop, as in production."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, **site: Any) -> AsyncIterator[Address]:
    """Serves ``app`` on a free port of the loopback interface; ``site`` are further settings of ``Site``."""
    sock = listen("127.0.0.1", 0)
    address: Address = sock.getsockname()[:2]
    stop = asyncio.Event()
    task = asyncio.create_task(serve_sites([Site(app=app, socket=sock, **site)], drain_s=2, stop=stop))
    try:
        yield address
    finally:
        stop.set()
        await task


@contextlib.contextmanager
def in_thread(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """What the context gives, with the context itself open on a loop in a thread of its own."""
    started: queue.Queue[tuple[T, Callable[[], object]]] = queue.Queue()

    async def main() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with context as given:
            started.put((given, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    thread = threading.Thread(target=lambda: run(main()))
    thread.start()
    given, end = started.get(timeout=30)
    try:
        yield given
    finally:
        end()
        thread.join(30)
        assert not thread.is_alive(), "it did not end"


def served(app: ASGIApp, **site: Any) -> AbstractContextManager[Address]:
    """As ``serving``, in a thread of its own: one server for many tests that only talk to it."""
    return in_thread(serving(app, **site))


@dataclass(frozen=True)
class Reply:
    """An answer as it came: header names in lower case, the body still framed where it is chunked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    names: tuple[str, ...] = ()


def parse(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    return Reply(int(first.split(" ")[1]), headers, body, tuple(name for name, _ in pairs))


async def send_raw(address: Address, data: bytes, *, deadline_s: float = 30.0) -> bytes:
    """What the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), deadline_s)
    finally:
        writer.close()


async def ask(
    address: Address,
    method: str,
    target: str,
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Reply:
    """One request on a connection of its own."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return parse(await send_raw(address, request(method, target, tuple(pairs), body)))


def request(method: str, target: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> bytes:
    """A well-formed request that asks the server to close the connection afterwards."""
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "connection: close"]
    if "host" not in names:
        lines.append("host: gate.example")
    if "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"content-length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def until(condition: Callable[[], Awaitable[bool]], *, every_s: float = 0.02) -> None:
    """Comes back once ``condition()``; the caller sets the deadline."""
    while True:
        if await condition():
            return
        await asyncio.sleep(every_s)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with what it was given: method, path, header names and size of the body."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    names = ",".join(sorted(name.decode() for name, _ in scope["headers"]))
    body = f"{scope['method']} {scope['raw_path'].decode()} {names} {size}".encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
