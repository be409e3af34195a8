"""The deadlines and caps of the HTTP protocol, on raw sockets: nobody holds a connection by being slow."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from llm_router.api.guard import Guard
from llm_router.api.reading import ClientGone, WhileCallerStays
from tests.router.edge import Address, echo, parse, request, run, send_raw, served

HEADER_S, IDLE_S = 0.4, 0.8
SLACK_S = 30.0
"""What a busy machine may add to a deadline: it ends, that is all."""


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with served(Guard(echo), header_timeout_s=HEADER_S, idle_timeout_s=IDLE_S) as address:
        yield address


async def _closed_after(address: Address, first: bytes, trickle: bytes, every_s: float = 0.05) -> tuple[float, bytes]:
    """How long the server keeps a connection on which ``trickle`` arrives again and again, and what it sent."""
    started, got = time.monotonic(), b""  # before the server's own clock starts
    reader, writer = await asyncio.open_connection(*address)
    writer.write(first)
    try:
        while True:
            try:
                data = await asyncio.wait_for(reader.read(4096), every_s)
            except TimeoutError:
                writer.write(trickle)
                continue
            if not data:
                return time.monotonic() - started, got
            got += data
    except ConnectionError:
        return time.monotonic() - started, got
    finally:
        writer.close()


def test_a_header_that_trickles_in_ends_at_the_deadline(address: Address) -> None:
    held_s, got = run(_closed_after(address, b"GET / HTTP/1.1\r\nhost: x\r\n", b"x-a: 1\r\n"))
    assert 0.9 * HEADER_S <= held_s < HEADER_S + SLACK_S
    assert got == b""


def test_a_connection_without_a_request_ends_at_the_idle_deadline(address: Address) -> None:
    held_s, _ = run(_closed_after(address, b"", b""))
    assert 0.9 * IDLE_S <= held_s < IDLE_S + SLACK_S


def test_five_hundred_idle_connections_are_all_closed_and_hinder_nobody(address: Address) -> None:
    async def scenario() -> bytes:
        idle = [await asyncio.open_connection(*address) for _ in range(500)]
        answer = await send_raw(address, request("GET", "/"))
        async with asyncio.timeout(IDLE_S + SLACK_S):
            await asyncio.gather(*(reader.read() for reader, _ in idle))
        for _, writer in idle:
            writer.close()
        return answer

    assert run(scenario()).startswith(b"HTTP/1.1 200")


def test_empty_lines_are_no_request(address: Address) -> None:
    held_s, _ = run(_closed_after(address, b"\r\n", b"\r\n"))
    assert held_s < IDLE_S + SLACK_S


def test_an_answered_connection_ends_at_the_idle_deadline(address: Address) -> None:
    held_s, got = run(_closed_after(address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b""))
    assert got.startswith(b"HTTP/1.1 200")
    assert 0.9 * IDLE_S <= held_s < IDLE_S + SLACK_S


def test_requests_on_one_connection_are_answered_as_long_as_they_come() -> None:
    idle_s = 3.0

    async def scenario(address: Address) -> int:
        reader, writer = await asyncio.open_connection(*address)
        answered = 0
        for _ in range(5):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
            answered += 1
            await asyncio.sleep(idle_s / 3)
        writer.close()
        return answered

    with served(Guard(echo), idle_timeout_s=idle_s) as address:
        assert run(scenario(address)) == 5


def test_pipelined_requests_are_answered_in_order(address: Address) -> None:
    async def scenario() -> bytes:
        pipeline = b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(99))
        return await send_raw(address, pipeline + request("GET", "/99"))

    answered = [part.split(b" ")[0] for part in run(scenario()).split(b"GET /")[1:]]
    assert answered == [b"%d" % number for number in range(100)]


@pytest.mark.parametrize("total", [300_000, 3_000_000])
def test_endless_headers_are_cut_off_without_being_collected(address: Address, total: int) -> None:
    line = b"x-filler: " + b"a" * 990 + b"\r\n"
    data = run(send_raw(address, b"GET / HTTP/1.1\r\nhost: x\r\n" + line * (total // len(line))))
    assert parse(data).status == 431


def test_a_refused_body_is_taken_in_for_a_while_so_that_the_answer_arrives() -> None:
    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def scenario(address: Address) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection(*address)
        size = 20_000_000
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"a" * size)
        await writer.drain()
        first = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        rest = await reader.read()
        writer.close()
        return first, rest

    with served(refuse) as address:
        first, second = run(scenario(address))
    assert first.startswith(b"HTTP/1.1 413")
    assert second.startswith(b"HTTP/1.1 413")


def test_a_refused_body_that_trickles_in_does_not_hold_the_connection() -> None:
    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    with served(refuse) as address:
        first = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
        held_s, got = run(_closed_after(address, first, b"a"))
    assert got.startswith(b"HTTP/1.1 401")
    assert held_s < SLACK_S


# ---------------------------------------------------------------- callers who do not read, and who leave early


class Streaming:
    """Sends without end, and says what became of it."""

    def __init__(self, part: bytes = b"x" * 65536) -> None:
        self.part, self.sent = part, 0
        self.began, self.left = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            async with WhileCallerStays(receive):
                while True:
                    await send({"type": "http.response.body", "body": self.part, "more_body": True})
                    self.sent += len(self.part)
                    self.began.set()
                    await asyncio.sleep(0.001)
        except ClientGone:
            self.left.set()


STALL_S = 0.5
GET = b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n"


def test_who_reads_nothing_is_cut_off_and_holds_little_memory() -> None:
    app = Streaming()
    with served(app, stall_timeout_s=STALL_S) as address, socket.create_connection(address) as raw:
        raw.sendall(GET % 1)
        assert app.left.wait(30), "the connection is still open"
        sent = app.sent
    assert sent < 16_000_000, "what the kernel's buffers hold, and little more"


def test_who_reads_slowly_is_not_cut_off() -> None:
    app = Streaming(b"x" * 1000)
    with served(app, stall_timeout_s=STALL_S) as address, socket.create_connection(address, timeout=30) as raw:
        raw.sendall(GET % 1)
        ends_at = time.monotonic() + 3 * STALL_S
        while time.monotonic() < ends_at:
            assert raw.recv(4096)
            time.sleep(0.01)
        assert not app.left.is_set()


def test_an_answer_that_nobody_takes_in_does_not_keep_its_connection_after_the_end() -> None:
    answered = threading.Event()

    async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
        body = b"x" * 32_000_000
        headers = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        answered.set()

    with served(large, stall_timeout_s=STALL_S) as address, socket.create_connection(address, timeout=30) as raw:
        raw.sendall(GET % 1)
        assert answered.wait(30)
        time.sleep(STALL_S * 2)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while data := raw.recv(1 << 20):
                got += len(data)
    assert got < 32_000_000


@pytest.mark.parametrize("behind", ["at once", "later", "half of it", "its body is missing"])
def test_a_request_behind_another_does_not_hide_that_the_caller_left(behind: str) -> None:
    app = Streaming(b": ping\n")
    second = {
        "half of it": b"GET /2 HTTP/1.1\r\nhos",
        "its body is missing": b"POST /2 HTTP/1.1\r\nhost: x\r\ncontent-length: 999999\r\n\r\n" + b"x" * 70_000,
    }.get(behind, GET % 2)
    with served(app) as address:
        with socket.create_connection(address) as raw:
            raw.sendall(GET % 1 + (second if behind == "at once" else b""))
            assert app.began.wait(30)
            if behind != "at once":
                with contextlib.suppress(ConnectionError):
                    raw.sendall(second)
                time.sleep(0.05)
        assert app.left.wait(30), "the answer goes on, to nobody"


def test_who_sends_too_much_behind_a_request_is_cut_off() -> None:
    app = Streaming(b": ping\n")
    with served(app) as address, socket.create_connection(address, timeout=30) as raw:
        raw.sendall(GET % 1)
        assert app.began.wait(30)
        with contextlib.suppress(ConnectionError):
            for number in range(10_000):
                raw.sendall(GET % number)
        assert app.left.wait(30)


def test_requests_that_come_while_one_is_answered_are_answered_after_it_in_order() -> None:
    release = threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/0":
            await asyncio.to_thread(release.wait, 30)
        await echo(scope, receive, send)

    with served(slow) as address, socket.create_connection(address, timeout=30) as raw:
        raw.sendall(GET % 0)
        for number in range(1, 20):
            time.sleep(0.002)
            raw.sendall(b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nab" % number)
            time.sleep(0.002)
            raw.sendall(b"c")
        raw.sendall(request("GET", "/last"))
        release.set()
        got = b""
        while data := raw.recv(65536):
            got += data
    assert got.count(b"HTTP/1.1 200") == 21
    assert re.findall(rb"(?:GET|POST) /(\w+)", got) == [*(b"%d" % number for number in range(20)), b"last"]
