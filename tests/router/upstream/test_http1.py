"""What only the client of our own promises: how long it keeps connections, what it accepts, what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trustme
from yarl import URL

from llm_router.errors import ConnectFailed, UpstreamBroken, UpstreamReset, UpstreamSilent
from llm_router.upstream.client import KEEP_ALIVE_S, Client
from llm_router.upstream.http1 import NEXT_ADDRESS_S, Http1Client, request_head
from llm_router.upstream.http1_connection import MAX_HEAD_BYTES, MAX_HEADER_LINES
from tests.router.ports import free_port
from tests.router.upstream.raw import (
    OK,
    STACKS,
    SYSTEM,
    Resolving,
    Stack,
    Upstream,
    answering,
    fetch,
    half_open,
    head,
    nobody_accepts,
    post,
    request,
    serving,
    write_apart,
)

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(params=["http1", "http1-asyncio"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return STACKS[request.param]


# ---------------------------------------------------------------- requests as written


def test_a_request_head_is_exactly_this() -> None:
    url = URL("https://[::1]:8443/v1/x?a=%20b#fragment", encoded=True)
    assert request_head("POST", url, (("x-a", "1"), ("x-b", "é")), 12) == (
        b"POST /v1/x?a=%20b HTTP/1.1\r\nHost: [::1]:8443\r\nx-a: 1\r\nx-b: \xc3\xa9\r\nContent-Length: 12\r\n\r\n"
    )


@pytest.mark.parametrize(("method", "size"), [("POST", 0), ("PUT", 0), ("PATCH", 0), ("GET", 1)])
def test_the_length_stands_where_a_body_is_or_could_be(method: str, size: int) -> None:
    assert f"\r\nContent-Length: {size}\r\n".encode() in request_head(method, URL("http://h/"), (), size)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_no_length_stands_where_no_body_is_expected(method: str) -> None:
    assert request_head(method, URL("http://h"), (), 0) == f"{method} / HTTP/1.1\r\nHost: h\r\n\r\n".encode()


@pytest.mark.parametrize("bad", [" ", "\0", "\x0b", "\x1b", "\x7f", "é", "\x85", "\u2028"])
@pytest.mark.parametrize("place", ["http://h/v1/models/{}:generate", "http://h/v1?model={}"])
def test_a_url_cannot_carry_more_than_itself(place: str, bad: str) -> None:
    """A model's name may stand in a path. Line breaks and tabs do not even get into a ``URL``."""
    with pytest.raises(ValueError, match="printable ASCII"):
        request_head("POST", URL(place.format(f"a{bad}b"), encoded=True), (), 0)


@pytest.mark.parametrize("url", ["/v1/x", "ftp://h/", "http:///x"])
def test_a_url_without_a_host_to_speak_http_with_is_refused(url: str) -> None:
    async def main() -> None:
        async with Http1Client(connect_timeout_s=20.0) as client:
            with pytest.raises(ValueError, match="http or https URL"):
                await post(client, URL(url))

    asyncio.run(main())


def test_an_answer_that_does_not_wait_for_the_body_ends_the_sending(stack: Stack) -> None:
    body = b"x" * 64 * 1024 * 1024
    received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        nonlocal received
        await head(reader)
        await write_apart(writer, b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\n")
        await asyncio.sleep(0.05)  # the answer gets there before there is room for more
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.2):
                    received += len(await reader.readexactly(1 << 16))
        writer.write(b"big")
        await reader.read()

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        answer = await client.send("POST", url, (), body, SYSTEM)
        assert answer.status == 413
        assert await answer.read() == b"big"
        assert 0 < received < len(body) / 2
        async with asyncio.timeout(20):
            await upstream.closed.wait()

    stack.against(serve, use)


# ---------------------------------------------------------------- connections kept and given up


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(stack: Stack) -> None:
    clock = Clock()

    async def main() -> None:
        async with (
            serving(answering(*[OK] * 5)) as (upstream, url),
            Http1Client(connect_timeout_s=20.0, now=clock) as client,
        ):
            for idle_s, connections in [(0.0, 1), (KEEP_ALIVE_S - 0.1, 1), (KEEP_ALIVE_S - 0.1, 1), (KEEP_ALIVE_S, 2)]:
                clock.now += idle_s
                assert await fetch(client, url) == b"ok"
                assert upstream.connections == connections

    stack.run(main)


def test_idle_connections_are_closed_without_being_asked_for(stack: Stack) -> None:
    async def main() -> None:
        async with (
            serving(answering(OK, OK)) as (upstream, url),
            Http1Client(connect_timeout_s=20.0, keep_alive_s=0.05) as client,
        ):
            await asyncio.gather(fetch(client, url), fetch(client, url))
            async with asyncio.timeout(20):
                await upstream.ended()

    stack.run(main)


def test_the_connection_used_last_is_used_next(stack: Stack) -> None:
    """So that those which are not needed grow old."""
    slow_one_came, quick_one_ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        while True:
            path = (await request(reader)).split(b" ")[1]
            if path == b"/slow":
                slow_one_came.set()
                await quick_one_ended.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % nth)

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        waiting = asyncio.create_task(fetch(client, url.with_path("/slow")))
        await slow_one_came.wait()
        quick = await fetch(client, url)
        quick_one_ended.set()
        slow = await waiting
        assert slow != quick
        assert [await fetch(client, url) for _ in range(3)] == [slow] * 3

    stack.against(serve, use)


def test_a_connection_that_was_closed_while_idle_makes_way_for_the_next(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        path = (await request(reader)).split(b" ")[1]
        writer.write(OK)
        if path != b"/last":
            await request(reader)
            writer.write(OK)

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        older, younger = await asyncio.gather(post(client, url), post(client, url.with_path("/last")))
        assert await older.read() == await younger.read() == b"ok"
        await upstream.closed.wait()
        await asyncio.sleep(0.05)
        assert await fetch(client, url) == b"ok"
        assert upstream.connections == 2

    stack.against(serve, use)


@pytest.mark.parametrize("surplus", [b"x", b"HTTP/1.1 2"])
def test_the_beginning_of_anything_behind_an_answer_costs_the_connection_but_not_the_answer(
    stack: Stack, surplus: bytes
) -> None:
    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for nth in (1, 2):
            assert await fetch(client, url) == b"ok"
            assert upstream.connections == nth

    stack.against(answering(OK + surplus, OK), use)


def test_bytes_on_an_idle_connection_never_become_the_next_answer(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        await write_apart(writer, OK, b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        assert await reader.read() == b""

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for nth in (1, 2):
            upstream.closed.clear()
            assert await fetch(client, url) == b"ok"
            assert upstream.connections == nth
            async with asyncio.timeout(20):
                await upstream.closed.wait()

    stack.against(serve, use)


def test_trailers_are_nobody_s_headers(stack: Stack) -> None:
    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(2):
            answer = await post(client, url)
            assert await answer.read() == b"hi"
            assert list(answer.headers) == ["transfer-encoding"]
        assert upstream.connections == 1

    stack.against(answering(*[CHUNKED + b"2\r\nhi\r\n0\r\nx-trailer: 1\r\n\r\n"] * 2), use)


# ---------------------------------------------------------------- several addresses


@pytest.mark.parametrize("silent", [("127.0.0.2",), ("127.0.0.2", "127.0.0.2")], ids=["one", "two"])
def test_an_address_that_does_not_answer_does_not_hold_up_the_next(silent: tuple[str, ...]) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as (upstream, url), Http1Client(connect_timeout_s=20.0) as client:
            with nobody_accepts("127.0.0.2", url.port or 0):
                started = time.monotonic()
                assert await fetch(client, url.with_host("a.test"), private=True) == b"ok"
                assert time.monotonic() - started < 20.0, "not after the silent one had its time"
            assert asyncio.all_tasks() <= {asyncio.current_task(), *upstream.tasks}

    Stack(Http1Client, lambda: Resolving(*silent, "127.0.0.1")).run(main)


def test_addresses_that_all_refuse_are_all_named() -> None:
    port = free_port()

    async def main() -> None:
        async with Http1Client(connect_timeout_s=20.0) as client:
            with pytest.raises(ConnectFailed, match=r"a\.test.*127\.0\.0\.2.*127\.0\.0\.3"):
                await fetch(client, URL(f"http://a.test:{port}/"), private=True)

    Stack(Http1Client, lambda: Resolving("127.0.0.2", "127.0.0.3")).run(main)


def test_a_caller_who_stops_waiting_stops_every_attempt_to_connect() -> None:
    async def main() -> None:
        with nobody_accepts("127.0.0.2") as url, nobody_accepts("127.0.0.3", url.port or 0):
            async with Http1Client(connect_timeout_s=NEXT_ADDRESS_S * 1.5) as client:
                with pytest.raises(UpstreamSilent):
                    await fetch(client, url.with_host("a.test"), private=True)
                assert asyncio.all_tasks() == {asyncio.current_task()}

    Stack(Http1Client, lambda: Resolving("127.0.0.2", "127.0.0.3")).run(main)


# ---------------------------------------------------------------- answers that are none


@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_answer_that_was_begun_is_broken_and_not_asked_for_again(stack: Stack, part: bytes) -> None:
    """On a kept connection too: whoever has begun to answer has read the request."""

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        assert await fetch(client, url) == b"ok"
        with pytest.raises(UpstreamBroken):
            await post(client, url)
        assert upstream.connections == 1

    stack.against(answering(OK, part), use)


def test_a_body_without_framing_is_broken_by_a_reset(stack: Stack) -> None:
    """Only an orderly end of the connection is the end of the body."""
    read = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nto the")
        await read.wait()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        answer = await post(client, url)
        assert await answer.some() == b"to the"
        read.set()
        with pytest.raises(UpstreamBroken):
            await answer.some()

    stack.against(serve, use)


def test_what_came_before_a_cut_is_read_first(stack: Stack) -> None:
    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        answer = await post(client, url)
        await asyncio.sleep(0.05)  # the cut has come as well
        assert await answer.some() == b"half"
        for _ in range(2):
            with pytest.raises(UpstreamBroken):
                await answer.some()

    stack.against(answering(CHUNKED + b"4\r\nhalf\r\nnonsense\r\n"), use)


@pytest.mark.parametrize(
    "switch",
    [b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", b"HTTP/1.1 101 \r\n\r\n"],
)
def test_nobody_switches_protocols(stack: Stack, switch: bytes) -> None:
    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        with pytest.raises(UpstreamBroken, match="switch protocols"):
            await post(client, url)

    stack.against(answering(switch + OK), use)


def lines(count: int, size: int = 10) -> bytes:
    return b"".join(b"x-%d: %b\r\n" % (i, b"y" * size) for i in range(count))


@pytest.mark.parametrize(
    "flood",
    [
        lines(MAX_HEADER_LINES + 1),
        lines(2, MAX_HEAD_BYTES // 2),
        b"x-endless: " + b"y" * 300_000,
        b"\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    ],
    ids=["too many lines", "too large", "an endless line", "nothing but promises"],
)
def test_an_answer_s_head_has_limits(stack: Stack, flood: bytes) -> None:
    start = b"HTTP/1.1 100 Continue\r\n" if flood.startswith(b"\r\n") else b"HTTP/1.1 200 OK\r\n"

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        with pytest.raises(UpstreamBroken, match="header"):
            await fetch(client, url)

    stack.against(answering(start + flood + b"\r\nbody"), use)


def test_a_head_within_its_limits_is_read_whatever_comes_with_it(stack: Stack) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + lines(MAX_HEADER_LINES - 1, 300) + b"content-length: 100000\r\n\r\n"

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(3):
            assert await fetch(client, url) == b"z" * 100_000
        assert upstream.connections == 1

    stack.against(answering(*[answer + b"z" * 100_000] * 3), use)


@pytest.mark.parametrize("flood", [b"0\r\nx-trailer: " + b"y" * 300_000, b"2;" + b"x" * 300_000])
def test_framing_has_limits(stack: Stack, flood: bytes) -> None:
    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        answer = await post(client, url)
        assert await answer.some() == b"hi"
        with pytest.raises(UpstreamBroken):
            await answer.read()

    stack.against(answering(CHUNKED + b"2\r\nhi\r\n" + flood), use)


def test_small_pieces_for_a_long_time_are_no_flood(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(CHUNKED)
        for _ in range(200):
            await write_apart(writer, b"1;%b\r\n" % (b"x" * 1000), b"z\r\n")
        writer.write(b"0\r\n\r\n")

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        assert await fetch(client, url) == b"z" * 200

    stack.against(serve, use)


# ---------------------------------------------------------------- nothing left behind


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", CHUNKED + b"2\r\nhi\r\n"], ids=["before", "head", "body"]
)
def test_a_caller_who_stops_waiting_closes_the_connection_without_a_word(stack: Stack, sent: bytes) -> None:
    """A cancelled wait alone is enough: there may be nobody left to call ``close``."""
    sent_it = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(sent)
        sent_it.set()
        assert await reader.read() == b""

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        task = asyncio.create_task(fetch_without_closing(client, url))
        await sent_it.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        async with asyncio.timeout(20):
            await upstream.closed.wait()
        assert task.cancelled()

    stack.against(serve, use)


async def fetch_without_closing(client: Client, url: URL) -> bytes:
    return await (await post(client, url)).read()


def test_leaving_the_client_wakes_whoever_waits(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        await request(reader)
        writer.write(CHUNKED if nth == 1 else b"")
        assert await reader.read() == b""

    async def main() -> None:
        async with serving(serve) as (_upstream, url):
            async with Http1Client(connect_timeout_s=20.0) as client:
                for_more = asyncio.create_task((await post(client, url)).some())
                for_head = asyncio.create_task(post(client, url))
                await asyncio.sleep(0.05)
            with pytest.raises(UpstreamBroken):
                await for_more
            with pytest.raises(UpstreamReset):
                await for_head

    stack.run(main)


def test_leaving_the_client_while_it_connects_leaves_no_connection(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _nth: int) -> None:
        assert await reader.read() == b""

    async def main() -> None:
        async with serving(serve) as (_upstream, url):
            async with Http1Client(connect_timeout_s=20.0) as client:
                connecting = asyncio.create_task(post(client, url))
                await asyncio.sleep(0)
            with pytest.raises(UpstreamReset):
                await connecting

    stack.run(main)


async def leaves_no_garbage(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``main`` twice, and see that the second time left nothing that only the garbage collector finds."""
    await main()
    gc.collect()
    gc.disable()
    try:
        await main()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_requests_leave_no_cycles(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        while True:
            await request(reader)
            writer.write(CHUNKED + b"2\r\nhi\r\n")
            await asyncio.sleep(0)
            writer.write(b"3\r\nyou\r\n0\r\n\r\n")

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        async def some_requests() -> None:
            for _ in range(20):
                answer = await post(client, url)
                assert answer.headers["Transfer-Encoding"] == "chunked"
                assert await answer.read() == b"hiyou"
                answer.close()

        await leaves_no_garbage(some_requests)

    stack.against(serve, use)


@pytest.mark.parametrize("size", [2, 8 * 1024 * 1024], ids=["small", "large"])
def test_a_kept_connection_that_is_half_open_is_replaced_once(stack: Stack, size: int) -> None:
    """Not one byte of the second request is acknowledged or read on the first connection, and nobody is told."""
    read: list[int] = []
    second = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        if nth == 2:
            second.set()
        await head(reader)
        read.append(len(await reader.readexactly(2 if nth == 1 else size)))
        if nth == 1:
            half_open(writer)
        writer.write(OK)
        if nth == 1:
            await second.wait()
            assert not reader._buffer  # type: ignore[attr-defined]

    async def main() -> None:
        async with serving(serve) as (upstream, url), Http1Client(connect_timeout_s=0.3) as client:
            assert await fetch(client, url) == b"ok"
            async with asyncio.timeout(30):
                answer = await client.send("POST", url, (), b"x" * size, SYSTEM)
            assert await answer.read() == b"ok"
            answer.close()
            assert (upstream.connections, read) == (2, [2, size])

    stack.run(main)


def test_a_busy_upstream_that_acknowledges_is_waited_for(stack: Stack) -> None:
    """Its system takes in what it does not read: that is no half-open connection, and nothing is sent twice."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(OK)
        await asyncio.sleep(1.5)
        await request(reader)
        writer.write(OK)

    async def main() -> None:
        async with serving(serve) as (upstream, url), Http1Client(connect_timeout_s=0.5) as client:
            for _ in range(2):
                assert await fetch(client, url) == b"ok"
            assert upstream.connections == 1

    stack.run(main)


def test_closed_connections_leave_no_cycles() -> None:
    """On uvloop, as in production: the standard library's transports are cycles by themselves."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(CHUNKED + b"2\r\nhi\r\n")
        await reader.read()

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        async def some_requests() -> None:
            for _ in range(5):
                answer = await post(client, url)
                assert await answer.some() == b"hi"
                answer.close()
            await asyncio.sleep(0.05)

        await leaves_no_garbage(some_requests)

    STACKS["http1"].against(serve, use)


def test_over_tls_it_is_all_the_same(stack: Stack) -> None:
    """Read slowly to an end that is the connection's; kept; given up in the middle; closed with the client."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    body = bytes(range(256)) * 20_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        while True:
            path = (await request(reader)).split(b" ")[1]
            if path == b"/closed":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
                return
            writer.write(CHUNKED + b"2\r\nhi\r\n" + (b"0\r\n\r\n" if path == b"/whole" else b""))

    async def main() -> None:
        async with serving(serve, tls=server) as (upstream, url):
            async with Http1Client(connect_timeout_s=20.0) as client:
                answer = await post(client, url.with_path("/closed"), trusting)
                parts = []
                while data := await answer.some():
                    parts.append(data)
                    await asyncio.sleep(0)
                assert b"".join(parts) == body
                for _ in range(3):
                    assert await fetch(client, url.with_path("/whole"), trusting) == b"hi"
                assert upstream.connections == 2
                begun = await post(client, url, trusting)
                assert await begun.some() == b"hi"
                upstream.closed.clear()
                begun.close()
                async with asyncio.timeout(20):
                    await upstream.closed.wait()
                await asyncio.gather(fetch(client, url.with_path("/whole"), trusting), post(client, url, trusting))
            async with asyncio.timeout(20):
                await upstream.ended()

    stack.run(main)


def test_a_kept_connection_that_breaks_after_long_work_is_no_stale_one() -> None:
    """The request was read, and may be charged for: whether it is sent again is not the client's to say."""
    now = 0.0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        nonlocal now
        await request(reader)
        writer.write(OK)
        await request(reader)
        now += 30.0

    async def main() -> int:
        async with serving(serve) as (upstream, url), Http1Client(connect_timeout_s=2.0, now=lambda: now) as client:
            assert await fetch(client, url) == b"ok"
            with pytest.raises(UpstreamReset):
                await fetch(client, url)
            return upstream.connections

    assert asyncio.run(main()) == 1
