"""What passes between the caller and llama-server, and what happens when either of them goes away."""

from __future__ import annotations

import asyncio
import time

from tests.router.edge import Reply, run, send_raw
from tests.router.gate.surroundings import API_KEY, CHAT, Received, Router, Upstream, gate, says_ok, upstream
from tests.router.ports import free_port

BODY = b'{"model":"tiny","stream":true}'
EVENTS = [b'data: {"n":%d}\n\n' % number for number in range(20)]
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nKeep-Alive: timeout=5, max=100\r\nContent-Type: text/event-stream\r\n"
    b"X-Accel-Buffering: no\r\nSet-Cookie: a=b\r\nX-Api-Key: leaked\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def unchunked(body: bytes) -> bytes:
    data = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        data += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return data


async def streams(_seen: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD)
    for event in EVENTS:
        writer.write(chunk(event))
        await writer.drain()
        await asyncio.sleep(0.001)
    writer.write(b"0\r\n\r\n")


async def starts_and_stalls(_seen: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD + chunk(EVENTS[0]))
    await asyncio.Event().wait()


async def stalls(_seen: Received, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def starts_and_breaks_off(_seen: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD + chunk(EVENTS[0]))
    await writer.drain()
    writer.close()


async def breaks_off(_seen: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


# ---------------------------------------------------------------- what passes


def test_a_stream_passes_back_byte_for_byte_with_only_the_headers_that_belong_to_it() -> None:
    async def scenario() -> Reply:
        async with upstream(streams) as behind, gate(behind.url) as router:
            return await router.ask("POST", CHAT, BODY)

    reply = run(scenario())
    assert unchunked(reply.body) == b"".join(EVENTS)
    assert set(reply.headers) == {"content-type", "x-accel-buffering", "transfer-encoding", "connection"}


def test_each_event_passes_when_it_comes_and_not_later() -> None:
    async def scenario() -> bytes:
        async with upstream(starts_and_stalls) as behind, gate(behind.url) as router:
            reader, writer = await asyncio.open_connection(*router.address)
            writer.write(router.raw("POST", CHAT, BODY))
            await reader.readuntil(b"\r\n\r\n")
            first = await asyncio.wait_for(reader.readexactly(len(chunk(EVENTS[0]))), 30)
            writer.close()
            return first

    assert run(scenario()) == chunk(EVENTS[0])


def test_llama_server_sees_its_own_credential_and_none_of_the_caller_s_headers() -> None:
    async def scenario() -> Received:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            more = (
                ("authorization", "Bearer of-the-caller"),
                ("x-api-key", "of-the-caller"),
                ("cookie", "a=b"),
                ("x-forwarded-for", "10.0.0.1"),
                ("accept", "text/event-stream"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                ("user-agent", "somebody/1"),
            )
            await router.ask("POST", CHAT, BODY, more)
            return behind.received[0]

    seen = run(scenario())
    assert seen.headers["authorization"] == f"Bearer {API_KEY}"
    assert seen.headers["accept"] == "text/event-stream"
    assert seen.headers["traceparent"].startswith("00-0af76519")
    assert seen.headers["x-request-id"] == "0193-abc"
    assert set(seen.names) == {
        "host",
        "accept-encoding",
        "authorization",
        "content-type",
        "x-request-id",
        "accept",
        "traceparent",
        "content-length",
    }


def test_errors_of_llama_server_pass_as_they_are() -> None:
    body = b'{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_ctx":1024}}'

    async def refuses(_seen: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def scenario() -> Reply:
        async with upstream(refuses) as behind, gate(behind.url) as router:
            return await router.ask("POST", CHAT, BODY)

    reply = run(scenario())
    assert (reply.status, reply.body) == (400, body)


def test_a_redirect_is_passed_on_without_its_destination_and_not_followed() -> None:
    async def redirects(_seen: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n")

    async def scenario() -> tuple[Reply, int]:
        async with upstream(redirects) as behind, gate(behind.url) as router:
            return await router.ask("POST", CHAT, BODY), len(behind.received)

    reply, requests = run(scenario())
    assert (reply.status, requests) == (307, 1)
    assert "location" not in reply.headers


def test_a_caller_who_reads_slowly_slows_llama_server_down() -> None:
    block = b"x" * 65536
    blocks = 400

    async def scenario() -> tuple[int, int]:
        sent = 0

        async def floods(_seen: Received, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(blocks):
                writer.write(chunk(block))
                await writer.drain()
                sent += 1
            writer.write(b"0\r\n\r\n")

        async with upstream(floods) as behind, gate(behind.url) as router:
            reader, writer = await asyncio.open_connection(*router.address, limit=2**16)
            writer.write(router.raw("POST", CHAT, BODY))
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.5)
            held_back = sent
            size = 0
            while data := await reader.read(2**20):
                size += len(data)
            writer.close()
            return held_back, size

    held_back, size = run(scenario())
    assert held_back < blocks
    assert size > blocks * len(block)


# ---------------------------------------------------------------- departures


async def _closed_after_leaving(router: Router, behind: Upstream, *, wait_for_first: bool) -> float:
    reader, writer = await asyncio.open_connection(*router.address)
    writer.write(router.raw("POST", CHAT, BODY))
    if wait_for_first:
        await reader.readuntil(b"\n\n")
    else:
        await asyncio.wait_for(behind.arrived.get(), 30)
    writer.close()
    left_at = time.monotonic()
    await asyncio.wait_for(behind.closed.get(), 30)
    return time.monotonic() - left_at


def test_a_caller_who_leaves_before_the_first_byte_ends_llama_server_s_work() -> None:
    async def scenario() -> tuple[float, float]:
        async with upstream(stalls) as behind, gate(behind.url) as router:
            after = await _closed_after_leaving(router, behind, wait_for_first=False)
            return after, router.ended("client_gone")

    # Once is enough: the promise is about the gate, not about what else this machine does meanwhile.
    assert any(after < 0.1 and counted == 1 for after, counted in (run(scenario()) for _ in range(20)))


def test_a_caller_who_leaves_in_mid_stream_ends_llama_server_s_work() -> None:
    async def scenario() -> float:
        async with upstream(starts_and_stalls) as behind, gate(behind.url) as router:
            return await _closed_after_leaving(router, behind, wait_for_first=True)

    assert any(run(scenario()) < 0.1 for _ in range(20))


def test_an_answer_that_breaks_off_breaks_off_for_the_caller_too() -> None:
    async def scenario() -> tuple[bytes, float]:
        async with upstream(starts_and_breaks_off) as behind, gate(behind.url) as router:
            return await send_raw(router.address, router.raw("POST", CHAT, BODY)), router.ended("upstream_failed")

    data, counted = run(scenario())
    assert data.endswith(chunk(EVENTS[0]))
    assert not data.endswith(b"0\r\n\r\n")
    assert counted == 1


def test_an_answer_shorter_than_announced_is_not_made_whole() -> None:
    async def lies(_seen: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        writer.close()

    async def scenario() -> Reply:
        async with upstream(lies) as behind, gate(behind.url) as router:
            return await router.ask("POST", CHAT, BODY)

    reply = run(scenario())
    assert reply.headers["content-length"] == "10"
    assert len(reply.body) < 10


def test_a_fresh_connection_that_breaks_before_the_answer_is_502_and_not_tried_again() -> None:
    async def scenario() -> tuple[Reply, int, float]:
        async with upstream(breaks_off) as behind, gate(behind.url) as router:
            reply = await router.ask("POST", CHAT, BODY)
            return reply, len(behind.received), router.ended("upstream_failed")

    reply, requests, counted = run(scenario())
    assert (reply.status, requests, counted) == (502, 1, 1)


def test_a_kept_alive_connection_that_turns_out_closed_is_replaced_once_unnoticed() -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        async def answers_once_a_connection(seen: Received, writer: asyncio.StreamWriter) -> None:
            if len([past for past in behind.received if past.connection == seen.connection]) > 1:
                writer.close()
                return
            await says_ok(seen, writer)

        async with upstream(answers_once_a_connection) as behind, gate(behind.url) as router:
            replies = [await router.ask("POST", CHAT, BODY) for _ in range(3)]
            return [reply.status for reply in replies], [seen.connection for seen in behind.received]

    statuses, connections = run(scenario())
    assert statuses == [200, 200, 200]
    assert connections == [0, 0, 1, 1, 2]


def test_connections_to_llama_server_are_kept() -> None:
    async def scenario() -> int:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            for _ in range(5):
                await router.ask("POST", CHAT, BODY)
            return behind.connections

    assert run(scenario()) == 1


def test_without_a_llama_server_the_answer_is_503() -> None:
    async def scenario() -> Reply:
        async with gate(f"http://127.0.0.1:{free_port()}") as router:
            return await router.ask("POST", CHAT, BODY)

    reply = run(scenario())
    assert reply.status == 503
    assert b"does not accept connections" in reply.body
