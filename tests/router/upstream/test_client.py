"""The data-path client against raw sockets: what upstreams do to connections, in the router's terms."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trustme
from yarl import URL

from llm_router.errors import ConnectFailed, UpstreamBroken, UpstreamReset
from llm_router.upstream.client import AiohttpClient, Answer
from tests.router.ports import free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
SYSTEM = ssl.create_default_context()
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Upstream:
    """Serves each connection with ``serve``, which is told how many came before."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = 0
        self.closed = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._serve(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def with_upstream(
    serve: Serve,
    use: Callable[[AiohttpClient, URL, Upstream], Coroutine[Any, Any, None]],
    *,
    tls: ssl.SSLContext | None = None,
) -> None:
    async def main() -> None:
        upstream = Upstream(serve)
        server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0, ssl=tls)
        scheme = "https" if tls else "http"
        url = URL(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x")
        async with AiohttpClient(connect_timeout_s=2.0) as client:
            await use(client, url, upstream)
        server.close()
        await upstream.ended()

    asyncio.run(main())


async def post(client: AiohttpClient, url: URL, tls: ssl.SSLContext | None = None) -> Answer:
    return await client.send("POST", url, (("x-a", "1"),), b"{}", tls or SYSTEM)


def test_a_kept_connection_is_used_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        while True:
            await head(reader)
            await reader.readexactly(2)
            writer.write(OK)

    async def use(client: AiohttpClient, url: URL, upstream: Upstream) -> None:
        for _ in range(5):
            answer = await post(client, url)
            assert await answer.read() == b"ok"
            answer.close()
        assert upstream.connections == 1

    with_upstream(serve, use)


def test_a_kept_connection_that_the_upstream_closed_is_replaced_once_unnoticed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        await head(reader)
        await reader.readexactly(2)
        writer.write(OK)
        if nth == 1:  # take the next request, and answer it with the end of the connection
            await head(reader)

    async def use(client: AiohttpClient, url: URL, upstream: Upstream) -> None:
        (await post(client, url)).close()
        for _ in range(2):
            answer = await post(client, url)
            assert await answer.read() == b"ok"
            answer.close()
        assert upstream.connections >= 2

    with_upstream(serve, use)


def test_a_fresh_connection_that_breaks_before_the_answer_is_a_reset_and_not_repeated() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)

    async def use(client: AiohttpClient, url: URL, upstream: Upstream) -> None:
        with pytest.raises(UpstreamReset):
            await post(client, url)
        assert upstream.connections == 1

    with_upstream(serve, use)


def test_nobody_there_is_a_failed_connection() -> None:
    async def main() -> None:
        async with AiohttpClient(connect_timeout_s=2.0) as client:
            with pytest.raises(ConnectFailed):
                await post(client, URL(f"http://127.0.0.1:{free_port()}/"))
            with pytest.raises(ConnectFailed):
                await post(client, URL("http://no-such-host.invalid/"))

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
    ids=["length", "chunked"],
)
def test_a_cut_body_is_broken(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        writer.write(answer)

    async def use(client: AiohttpClient, url: URL, _upstream: Upstream) -> None:
        answer = await post(client, url)
        with pytest.raises(UpstreamBroken):
            await answer.read()
        answer.close()

    with_upstream(serve, use)


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_an_upstream_failure(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        writer.write(answer)

    async def use(client: AiohttpClient, url: URL, _upstream: Upstream) -> None:
        with pytest.raises((UpstreamBroken, UpstreamReset)):
            await post(client, url)

    with_upstream(serve, use)


def test_redirects_are_answers_and_bodies_come_as_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        seen.append(await head(reader))
        writer.write(
            b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\nset-cookie: a=b\r\n"
            b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nraw"
        )
        seen.append(await head(reader))
        writer.write(OK)

    async def use(client: AiohttpClient, url: URL, _upstream: Upstream) -> None:
        answer = await post(client, url)
        assert answer.status == 307
        assert await answer.read() == b"raw"
        answer.close()
        (await post(client, url)).close()
        assert b"cookie" not in seen[1].lower()
        assert b"user-agent" not in seen[0].lower()

    with_upstream(serve, use)


def test_an_answer_larger_than_allowed_is_refused() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000)

    async def use(client: AiohttpClient, url: URL, upstream: Upstream) -> None:
        answer = await post(client, url)
        with pytest.raises(UpstreamBroken, match="larger"):
            await answer.read(max_bytes=1000)
        answer.close()

    with_upstream(serve, use)


def test_closing_an_unfinished_answer_closes_the_connection_at_once() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
        await reader.read()  # comes back when the other side has gone

    async def use(client: AiohttpClient, url: URL, upstream: Upstream) -> None:
        answer = await post(client, url)
        assert await answer.some() == b"hi"
        answer.close()
        async with asyncio.timeout(1.0):
            await upstream.closed.wait()

    with_upstream(serve, use)


def test_tls_is_verified_against_the_context_that_is_handed_in() -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting, distrusting = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(trusting)
    stranger.configure_trust(distrusting)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await head(reader)
        writer.write(OK)

    async def use(client: AiohttpClient, url: URL, _upstream: Upstream) -> None:
        with pytest.raises(ConnectFailed):
            await post(client, url, distrusting)
        assert await (await post(client, url, trusting)).read() == b"ok"

    with_upstream(serve, use, tls=server)
