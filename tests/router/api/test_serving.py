"""Listening and serving: addresses, what an answer does not reveal, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from functools import partial

import pytest
from starlette.types import Receive, Scope, Send

from llm_router.api.serving import Site, listen, parse_address, serve_sites
from llm_router.errors import ConfigError
from tests.router.edge import Address, echo, parse, request, run, send_raw, serving, until


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("router.internal:0", ("router.internal", 0)),
        ("[::1]:8443", ("::1", 8443)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_addresses_are_host_and_port(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "8443", ":8443", "127.0.0.1", "127.0.0.1:", "h:x", "h:65536", "::1:8443", "h:²"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:8443|\[address\]:port"):
        parse_address(text)


def test_a_taken_address_is_refused_with_the_setting_and_a_remedy() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^admin\.port: cannot listen .* port {port}: .*choose another"):
            listen("127.0.0.1", port, path="admin.port")


def test_a_listening_socket_lets_callers_wait_before_it_is_served() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as sock, socket.create_connection(sock.getsockname()) as caller:
        assert caller.getpeername() == sock.getsockname()


def test_an_answer_does_not_say_what_serves_it() -> None:
    async def scenario() -> bytes:
        async with serving(echo) as address:
            return await send_raw(address, request("GET", "/"))

    reply = parse(run(scenario()))
    assert set(reply.headers) == {"content-length", "connection"}


def test_proxy_headers_change_nothing() -> None:
    seen: list[tuple[str, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["client"][0], scope["scheme"]))
        await echo(scope, receive, send)

    async def scenario() -> None:
        async with serving(app) as address:
            forged = (("x-forwarded-for", "10.9.8.7"), ("x-forwarded-proto", "https"))
            await send_raw(address, request("GET", "/", forged))

    run(scenario())
    assert seen == [("127.0.0.1", "http")]


class Slow:
    """Answers when it is told to, and says that it was asked."""

    def __init__(self) -> None:
        self.asked, self.release = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        await self.release.wait()
        await echo(scope, receive, send)


async def refused(address: Address) -> bool:
    """Whether nobody listens there any more."""
    try:
        _reader, writer = await asyncio.open_connection(*address)
    except ConnectionError:
        return True
    writer.close()
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_all_sites_and_says_so_first(number: signal.Signals) -> None:
    async def scenario() -> tuple[list[str], bytes]:
        told: list[str] = []
        app = Slow()
        first, second = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
        addresses = [first.getsockname(), second.getsockname()]
        sites = [Site(app=app, socket=first), Site(app=echo, socket=second)]
        task = asyncio.create_task(serve_sites(sites, drain_s=30, on_drain=lambda: told.append("draining")))
        answering = asyncio.create_task(send_raw(addresses[0], request("GET", "/")))
        await app.asked.wait()
        os.kill(os.getpid(), number)
        for address in addresses:
            await until(partial(refused, address))
        told.append("ended" if task.done() else "still answering")
        app.release.set()
        answer = await answering
        await task
        return told, answer

    told, answer = run(asyncio.wait_for(scenario(), 60))
    assert told == ["draining", "still answering"]
    assert answer.startswith(b"HTTP/1.1 200")


def test_what_does_not_finish_in_time_is_cut() -> None:
    async def scenario() -> tuple[float, bytes]:
        app, stop = Slow(), asyncio.Event()
        sock = listen("127.0.0.1", 0)
        address = sock.getsockname()
        task = asyncio.create_task(serve_sites([Site(app=app, socket=sock)], drain_s=1, stop=stop))
        answering = asyncio.create_task(send_raw(address, request("GET", "/")))
        await app.asked.wait()
        stop.set()
        started = time.monotonic()
        await task
        return time.monotonic() - started, await answering

    ended_after_s, answer = run(asyncio.wait_for(scenario(), 60))
    assert 0.9 <= ended_after_s < 30
    assert not answer.startswith(b"HTTP/1.1 200")


def test_a_second_signal_ends_it_at_once() -> None:
    async def scenario() -> float:
        app = Slow()
        sock = listen("127.0.0.1", 0)
        address = sock.getsockname()
        task = asyncio.create_task(serve_sites([Site(app=app, socket=sock)], drain_s=60))
        _reader, writer = await asyncio.open_connection(*address)
        writer.write(request("GET", "/"))
        await app.asked.wait()
        started = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert not task.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await task
        app.release.set()
        writer.close()
        return time.monotonic() - started

    assert run(asyncio.wait_for(scenario(), 60)) < 30
