"""The deadlines and caps of the HTTP protocol, on raw sockets: nobody holds a connection by being slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from llm_router.api.guard import Guard
from tests.router.edge import Address, echo, parse, request, run, send_raw, served

HEADER_S, IDLE_S = 0.4, 0.8
SLACK_S = 1.5
"""What a busy machine may add to a deadline."""


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with served(Guard(echo), header_timeout_s=HEADER_S, idle_timeout_s=IDLE_S) as address:
        yield address


async def _closed_after(address: Address, first: bytes, trickle: bytes, every_s: float = 0.05) -> tuple[float, bytes]:
    """How long the server keeps a connection on which ``trickle`` arrives again and again, and what it sent."""
    reader, writer = await asyncio.open_connection(*address)
    started, got = time.monotonic(), b""
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


def test_empty_lines_are_no_request(address: Address) -> None:
    held_s, _ = run(_closed_after(address, b"\r\n", b"\r\n"))
    assert held_s < IDLE_S + SLACK_S


def test_an_answered_connection_ends_at_the_idle_deadline(address: Address) -> None:
    held_s, got = run(_closed_after(address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b""))
    assert got.startswith(b"HTTP/1.1 200")
    assert 0.9 * IDLE_S <= held_s < IDLE_S + SLACK_S


def test_requests_on_one_connection_are_answered_as_long_as_they_come(address: Address) -> None:
    async def scenario() -> int:
        reader, writer = await asyncio.open_connection(*address)
        answered = 0
        for _ in range(5):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
            answered += 1
            await asyncio.sleep(IDLE_S / 3)
        writer.close()
        return answered

    assert run(scenario()) == 5


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
    assert held_s < 3
