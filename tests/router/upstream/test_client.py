"""The data-path clients against raw sockets: what upstreams do to connections, in the router's terms."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from yarl import URL

from llm_router.errors import ConnectFailed, UpstreamBroken, UpstreamReset, UpstreamSilent
from llm_router.upstream.client import Client
from llm_router.upstream.http1 import Http1Client
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
    head,
    nobody_accepts,
    post,
    request,
    serving,
    write_apart,
)

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Stack:
    return STACKS[request.param]


# ---------------------------------------------------------------- connections kept and given up


def test_a_kept_connection_is_used_again(stack: Stack) -> None:
    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(5):
            assert await fetch(client, url) == b"ok"
        assert upstream.connections == 1

    stack.against(answering(*[OK] * 5), use)


def test_a_kept_connection_that_the_upstream_closed_is_replaced_once_unnoticed(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        await request(reader)
        writer.write(OK)
        if nth == 1:  # take the next request, and answer it with the end of the connection
            await head(reader)

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        (await post(client, url)).close()
        for _ in range(2):
            assert await fetch(client, url) == b"ok"
        assert upstream.connections >= 2

    stack.against(serve, use)


def test_a_caller_who_leaves_while_it_connects_leaves_no_connection(stack: Stack) -> None:
    """At whichever step he leaves: the client could not be closed while it waits for one that nobody has."""

    async def main() -> None:
        async with (
            serving(answering(OK)) as (upstream, url),
            asyncio.timeout(60),
            stack.make(connect_timeout_s=20.0) as client,
        ):
            for steps in range(40):
                asking = asyncio.create_task(fetch(client, url))
                for _ in range(steps):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        await upstream.ended()

    stack.run(main)


def test_however_many_kept_connections_went_stale_each_request_is_answered(stack: Stack) -> None:
    all_here = asyncio.Barrier(8)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        await request(reader)
        if nth <= 8:
            await all_here.wait()
        writer.write(OK)
        await head(reader)

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(2):
            assert await asyncio.gather(*[fetch(client, url) for _ in range(8)]) == [b"ok"] * 8
        assert upstream.connections == 16

    stack.against(serve, use)


def test_a_fresh_connection_that_breaks_before_the_answer_is_a_reset_and_not_repeated(stack: Stack) -> None:
    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        with pytest.raises(UpstreamReset):
            await post(client, url)
        assert upstream.connections == 1

    stack.against(answering(b""), use)


def test_a_connection_that_is_closed_before_the_request_is_a_reset(stack: Stack) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        writer.transport.abort()

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        for _ in range(20):
            with pytest.raises(UpstreamReset):
                await post(client, url)

    stack.against(serve, use)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
    ids=["close", "HTTP/1.0"],
)
def test_an_upstream_that_wants_its_connection_closed_is_obeyed(stack: Stack, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(answer)
        assert await reader.read() == b""

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(2):
            assert await fetch(client, url) == b"ok"
        assert upstream.connections == 2

    stack.against(serve, use)


@pytest.mark.parametrize("surplus", [OK, b"HTTP/1.1 500 Oops\r\ncontent-length: 9\r\n\r\n"], ids=["whole", "begun"])
def test_bytes_behind_an_answer_cost_the_connection_and_never_become_the_next_answer(
    stack: Stack, surplus: bytes
) -> None:
    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for nth in (1, 2):
            assert await fetch(client, url) == b"ok"
            assert upstream.connections == nth

    stack.against(answering(OK + surplus, OK), use)


def test_closing_an_unfinished_answer_closes_the_connection_at_once(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        writer.write(CHUNKED + b"2\r\nhi\r\n")
        await reader.read()  # comes back when the other side has gone

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        answer = await post(client, url)
        assert await answer.some() == b"hi"
        answer.close()
        async with asyncio.timeout(20):
            await upstream.closed.wait()
        with pytest.raises(UpstreamBroken):
            await answer.some()

    stack.against(serve, use)


def test_two_hundred_requests_at_once_each_get_their_own_answer(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        while True:
            path = (await request(reader)).split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(path))
            await asyncio.sleep(0)
            writer.write(path)

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(3):
            bodies = await asyncio.gather(*[fetch(client, url / str(i)) for i in range(200)])
            assert bodies == [f"/v1/x/{i}".encode() for i in range(200)]
        assert upstream.connections <= 200

    stack.against(serve, use)


def test_leaving_the_client_closes_busy_and_idle_connections(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        await request(reader)
        writer.write(OK if nth == 1 else CHUNKED)
        assert await reader.read() == b""

    async def main() -> None:
        async with serving(serve) as (upstream, url):
            async with stack.make(connect_timeout_s=20.0) as client:
                answers = await asyncio.gather(post(client, url), post(client, url))
                assert upstream.connections == 2
            async with asyncio.timeout(20):
                await upstream.ended()
            for answer in answers:
                answer.close()
            with pytest.raises(RuntimeError):
                await post(client, url)

    stack.run(main)


# ---------------------------------------------------------------- no connection


def test_nobody_there_is_a_failed_connection(stack: Stack) -> None:
    async def main() -> None:
        async with stack.make(connect_timeout_s=20.0) as client:
            with pytest.raises(ConnectFailed):
                await post(client, URL(f"http://127.0.0.1:{free_port()}/"))

    stack.run(main)


def test_a_name_that_nobody_knows_is_a_failed_connection(stack: Stack) -> None:
    async def main() -> None:
        async with stack.make(connect_timeout_s=20.0) as client:
            with pytest.raises(ConnectFailed):
                await post(client, URL("http://no-such-host.invalid/"))

    Stack(stack.make, Resolving).run(main)


def test_a_name_whose_first_address_refuses_is_reached_at_its_second(stack: Stack) -> None:
    """``localhost`` is ``::1`` and ``127.0.0.1`` on most machines, in that order; here only the latter listens."""

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        assert await fetch(client, url.with_host("localhost")) == b"ok"

    stack.against(answering(OK), use)


def test_a_full_accept_queue_is_a_connect_timeout(stack: Stack) -> None:
    async def main() -> None:
        with nobody_accepts() as url:
            async with stack.make(connect_timeout_s=0.2) as client:
                with pytest.raises(UpstreamSilent) as silent:
                    await post(client, url)
        assert silent.value.phase == "connect"

    stack.run(main)


@pytest.mark.slow
def test_a_slow_resolver_is_a_connect_timeout_and_blocks_nobody() -> None:
    """With the system's resolver and a name server that is silent, which takes a network of its own: slow_names.py."""
    unshare = shutil.which("unshare")
    assert unshare is not None, "there is no unshare: sudo apt-get install util-linux"
    own_network = [unshare, "--user", "--map-root-user", "--net", "--mount"]
    command = [*own_network, sys.executable, "-m", "tests.router.upstream.slow_names"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stdout) == (0, "bounded\n"), done.stdout + done.stderr


def test_a_resolver_that_does_not_answer_is_a_connect_timeout() -> None:
    loop = Resolving("127.0.0.1")
    loop.answering.clear()

    async def main() -> None:
        async with Http1Client(connect_timeout_s=0.05) as client:
            with pytest.raises(UpstreamSilent) as silent:
                await post(client, URL("http://slow.example:9"))
        assert silent.value.phase == "connect"

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def test_a_tls_handshake_that_nobody_answers_is_a_connect_timeout(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _nth: int) -> None:
        await reader.read()  # the greeting, until the other side gives up

    async def main() -> None:
        async with serving(serve) as (upstream, url), stack.make(connect_timeout_s=0.2) as client:
            with pytest.raises(UpstreamSilent) as silent:
                await post(client, url.with_scheme("https"))
            assert silent.value.phase == "connect"
            async with asyncio.timeout(20):
                await upstream.closed.wait()

    stack.run(main)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    """What a server needs that ``authority`` vouches for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls_is_verified_against_the_context_that_is_handed_in(
    stack: Stack, authority: trustme.CA, certified: ssl.SSLContext
) -> None:
    distrusting = trusting(trustme.CA())

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        with pytest.raises(ConnectFailed):
            await post(client, url, distrusting)
        assert await fetch(client, url, trusting(authority)) == b"ok"
        with pytest.raises(ConnectFailed):
            await post(client, url, distrusting)

    stack.against(answering(OK, OK), use, tls=certified)


def test_a_certificate_out_of_its_time_is_no_connection(stack: Stack, authority: trustme.CA) -> None:
    ended = datetime.now(UTC) - timedelta(minutes=1)
    expired = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", not_before=ended - timedelta(days=1), not_after=ended).configure_cert(expired)

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        with pytest.raises(ConnectFailed, match="certificate has expired"):
            await post(client, url, trusting(authority))

    stack.against(answering(OK), use, tls=expired)


def test_a_connection_serves_the_context_it_was_verified_against_and_no_other(
    stack: Stack, authority: trustme.CA, certified: ssl.SSLContext
) -> None:
    one, other = trusting(authority), trusting(authority)

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for tls in (one, other, one, other):
            assert await fetch(client, url, tls) == b"ok"
        assert upstream.connections == 2

    stack.against(answering(OK, OK), use, tls=certified)


# ---------------------------------------------------------------- requests as written


def test_requests_carry_what_they_must_and_nothing_of_the_client_s_own(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        seen.append(await request(reader))
        writer.write(OK)
        seen.append(await head(reader))
        writer.write(OK)

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        assert await fetch(client, URL(f"{url}?a=b%20c", encoded=True)) == b"ok"
        answer = await client.send("GET", url, (), b"", SYSTEM)
        assert await answer.read() == b"ok"
        host = f"host: 127.0.0.1:{url.port}".encode()
        assert seen[0].startswith(b"POST /v1/x?a=b%20c HTTP/1.1\r\n")
        assert set(seen[0].lower().split(b"\r\n")[1:]) == {host, b"x-a: 1", b"content-length: 2", b""}
        assert set(seen[1].lower().split(b"\r\n")) == {b"get /v1/x http/1.1", host, b""}

    stack.against(serve, use)


@pytest.mark.parametrize("header", [("x-a", "b\r\nx-c: d"), ("x-a: b\r\nx-c", "d"), ("x-a", "\n"), ("x-a", "\0")])
def test_a_header_cannot_smuggle_another_one(stack: Stack, header: tuple[str, str]) -> None:
    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        with pytest.raises(ValueError, match=r"(?i)header"):
            await client.send("POST", url, (header,), b"{}", SYSTEM)

    stack.against(answering(OK), use)


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 1024 * 1024])
def test_a_body_arrives_as_it_is_however_slowly_it_is_read(stack: Stack, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        while True:
            await head(reader)
            digest, left = hashlib.sha256(), len(body)
            while left:
                piece = await reader.read(min(left, 50_000))
                digest.update(piece)
                left -= len(piece)
                await asyncio.sleep(0)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n" + digest.digest())

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(2):
            answer = await client.send("POST", url, (), body, SYSTEM)
            assert await answer.read() == hashlib.sha256(body).digest()
            answer.close()
        assert upstream.connections == 1

    stack.against(serve, use)


# ---------------------------------------------------------------- answers as they come


def test_redirects_are_answers_and_bodies_come_as_sent(stack: Stack) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        seen.append(await request(reader))
        writer.write(
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation:  http://127.0.0.1:1/ \r\nset-cookie: a=b\r\n"
            b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nraw"
        )
        seen.append(await request(reader))
        writer.write(OK)

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        answer = await post(client, url)
        assert answer.status == 307
        assert answer.headers["location"] == answer.headers["LOCATION"] == "http://127.0.0.1:1/"
        assert await answer.read() == b"raw"
        answer.close()
        assert await fetch(client, url) == b"ok"
        assert b"cookie" not in seen[1].lower()

    stack.against(serve, use)


def test_what_came_together_with_the_end_waits_for_a_slow_reader(stack: Stack) -> None:
    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        slow = await post(client, url)
        await asyncio.sleep(0.05)
        assert await fetch(client, url) == b"other"
        assert [await slow.some(), await slow.some(), await slow.some()] == [b"hello", b"", b""]
        slow.close()

    ends = CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", CHUNKED + b"5\r\nother\r\n0\r\n\r\n"
    stack.against(answering(*ends), use)


@pytest.mark.parametrize("framing", ["length", "chunked", "closed"])
def test_a_slow_reader_slows_the_upstream_down_and_misses_nothing(stack: Stack, framing: str) -> None:
    piece = bytes(range(256)) * 256
    pieces = 320  # 20 MiB: more than the buffers of both sockets hold
    written = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        nonlocal written
        await request(reader)
        if framing == "length":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(piece) * pieces))
        else:
            writer.write(CHUNKED if framing == "chunked" else b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(pieces):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            await writer.drain()
            written += 1
        writer.write(b"0\r\n\r\n" if framing == "chunked" else b"")

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        answer = await post(client, url)
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.05)
        assert written < pieces
        digest = hashlib.sha256()
        while data := await answer.some():
            digest.update(data)
            await asyncio.sleep(0)
        answer.close()
        assert digest.digest() == hashlib.sha256(piece * pieces).digest()

    stack.against(serve, use)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello",
        CHUNKED + b"2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n",
    ],
    ids=["length", "chunked"],
)
def test_an_answer_may_be_split_anywhere(stack: Stack, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        for at in range(1, len(answer)):
            await request(reader)
            await write_apart(writer, answer[:at], answer[at:])
        await request(reader)
        await write_apart(writer, *[answer[i : i + 1] for i in range(len(answer))])

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(len(answer)):
            assert await fetch(client, url) == b"hello"
        assert upstream.connections == 1

    stack.against(serve, use)


def test_informational_answers_are_not_the_answer(stack: Stack) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\nx-early: 1\r\n\r\n"

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(2):
            answer = await post(client, url)
            assert answer.status == 200
            assert "x-early" not in answer.headers
            assert await answer.read() == b"ok"
            answer.close()
        assert upstream.connections == 1

    stack.against(answering(b"HTTP/1.1 100 Continue\r\n\r\n" + early + OK, early + OK), use)


def test_answers_without_a_body_end_with_their_head(stack: Stack) -> None:
    answers = [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", OK]

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        assert [await fetch(client, url) for _ in answers] == [b"", b"", b"ok"]
        assert upstream.connections == 1

    stack.against(answering(*answers), use)


def test_the_answer_to_head_has_no_body_whatever_it_announces(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        await reader.read()

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        answer = await client.send("HEAD", url, (), b"", SYSTEM)
        assert answer.headers["content-length"] == "10"
        assert await answer.read() == b""
        answer.close()

    stack.against(serve, use)


def test_a_body_without_framing_ends_with_its_connection(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        await write_apart(writer, b"HTTP/1.1 200 OK\r\n\r\nto the", b" end")

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        for _ in range(2):
            assert await fetch(client, url) == b"to the end"
        assert upstream.connections == 2

    stack.against(serve, use)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        CHUNKED + b"4\r\nhalf\r\n",
        CHUNKED + b"4\r\nhalf\r\nnonsense\r\n",
    ],
    ids=["length", "chunked", "malformed"],
)
def test_a_cut_body_is_broken(stack: Stack, answer: bytes) -> None:
    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        with pytest.raises(UpstreamBroken):
            await fetch(client, url)

    stack.against(answering(answer), use)


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_an_upstream_failure(stack: Stack, answer: bytes) -> None:
    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        with pytest.raises((UpstreamBroken, UpstreamReset)):
            await post(client, url)

    stack.against(answering(answer), use)


def test_an_answer_larger_than_allowed_is_refused(stack: Stack) -> None:
    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        answer = await post(client, url)
        with pytest.raises(UpstreamBroken, match="larger"):
            await answer.read(max_bytes=1000)
        answer.close()

    stack.against(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000), use)


# ---------------------------------------------------------------- callers that do not wait


def test_a_caller_who_stops_waiting_for_a_connection_leaves_nothing_behind(stack: Stack) -> None:
    async def main() -> None:
        with nobody_accepts() as url:
            async with stack.make(connect_timeout_s=30.0) as client:
                await cancelled(asyncio.create_task(post(client, url)))
                assert asyncio.all_tasks() == {asyncio.current_task()}

    stack.run(main)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["nothing", "half a head"])
def test_a_caller_who_stops_waiting_for_the_answer_closes_the_connection(stack: Stack, sent: bytes) -> None:
    sent_it = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(sent)
        sent_it.set()
        assert await reader.read() == b""

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        asking = asyncio.create_task(post(client, url))
        await sent_it.wait()
        await cancelled(asking)
        async with asyncio.timeout(20):
            await upstream.closed.wait()

    stack.against(serve, use)


def test_a_caller_who_stops_waiting_for_more_closes_the_connection(stack: Stack) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        writer.write(CHUNKED + b"2\r\nhi\r\n")
        assert await reader.read() == b""

    async def use(client: Client, url: URL, upstream: Upstream) -> None:
        answer = await post(client, url)
        assert await answer.some() == b"hi"
        await cancelled(asyncio.create_task(answer.some()))
        answer.close()
        async with asyncio.timeout(20):
            await upstream.closed.wait()

    stack.against(serve, use)


async def cancelled(task: asyncio.Task[object]) -> None:
    """Cancel ``task`` once it waits, and see that this is how it ends."""
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---------------------------------------------------------------- whatever an answer looks like

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(lambda name: f"x-{name}")
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)
BODIES = st.lists(st.binary(min_size=1, max_size=300), max_size=6)


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, dict[str, str], bytes, list[bytes]]:
    """Status, headers and body of a valid answer, and its bytes on the wire in random segments."""
    status = draw(st.sampled_from([200, 201, 400, 429, 500, 529]))
    headers = draw(st.dictionaries(TOKENS, VALUES, max_size=5))
    pieces = draw(BODIES)
    body = b"".join(pieces)
    lines = [f"HTTP/1.1 {status} Whatever", *[f"{name}: {value}" for name, value in headers.items()]]
    framing = draw(st.sampled_from(["length", "chunked", "closed"]))
    content = body
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        content = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    wire = "\r\n".join([*lines, "", ""]).encode() + content
    cuts = sorted(draw(st.sets(st.integers(1, len(wire) - 1), max_size=12)))
    segments = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    return status, headers, body, segments


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=answers())
@example(answer=(200, {"x-a": "b"}, b"", [b"HTTP/1.1 200 OK\r\nx-a: b\r\n\r", b"\n"]))
def test_whatever_is_sent_is_what_is_read(stack: Stack, answer: tuple[int, dict[str, str], bytes, list[bytes]]) -> None:
    status, headers, body, segments = answer

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await request(reader)
        await write_apart(writer, *segments)

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        found = await post(client, url)
        assert found.status == status
        assert {name: found.headers[name] for name in headers} == headers
        assert await found.read() == body
        found.close()

    stack.against(serve, use)
