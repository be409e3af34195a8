"""Active health against real sockets."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.signals.cluster_status import StatusPoll
from llm_router.signals.health import HealthCheck, HealthRecord, HealthReport, control_plane_client
from llm_router.signals.polling import jittered
from llm_router.upstream.signing import Signer
from tests.router.descriptors import no_descriptors
from tests.router.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(status: str) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    with suppress(ConnectionError):
        while True:
            writer.write(b" " * 65536)
            await writer.drain()


async def packed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Not as it says: whoever unpacks it fails."""
    assert b"accept-encoding: identity\r\n" in (await reader.readuntil(b"\r\n\r\n")).lower()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nbomb")
    await writer.drain()
    writer.close()


def checked(handler: Handler | None, *, times: int = 1, timeout_s: float = 5.0) -> HealthReport:
    async def main() -> HealthReport:
        port = free_port()
        handled: list[asyncio.Task[None]] = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            handled.append(task)
            assert handler is not None
            await handler(reader, writer)
            with suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(handle, "127.0.0.1", port) if handler else None
        check = HealthCheck(
            url=f"http://127.0.0.1:{port}/health",
            headers=(("authorization", "Bearer sk-canary-secret"),),
            timeout_s=timeout_s,
            client=control_plane_client(ssl.create_default_context()),
            unix_time=lambda: 1234.0,
        )
        for _ in range(times):
            await check.check()
        await check.aclose()
        if server is not None:
            server.close()
            await asyncio.gather(*handled)
        return check.record.report

    return asyncio.run(main())


@pytest.mark.parametrize("body", [endless, packed])
def test_of_a_body_no_more_is_taken_in_than_anybody_needs(body: Handler) -> None:
    assert checked(body).status == "healthy"


def test_an_endless_status_is_none() -> None:
    async def main() -> HealthReport:
        server = await asyncio.start_server(endless, "127.0.0.1", 0)
        async with server:
            poll = StatusPoll(
                endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                signer=Signer("a.1", base64.b64encode(bytes(range(32))).decode(), "a.example", "a"),
                client=control_plane_client(ssl.create_default_context()),
                unix_time=lambda: 1234.0,
            )
            await poll.fetch()
            await poll.aclose()
            return poll.record.report

    assert asyncio.run(main()).error == "more than 262144 bytes are no cluster status"


def test_an_answer_is_health_with_its_latency() -> None:
    report = checked(answering("200 OK"))
    assert (report.status, report.last_check, report.error) == ("healthy", 1234.0, None)
    assert report.latency_ms is not None
    assert report.latency_ms > 0


def test_a_refused_connection_is_definite() -> None:
    assert checked(None).status == "unhealthy"


@pytest.mark.parametrize(
    ("handler", "absent"),
    [(None, True), (silent, True), ("503 Gone", True), ("500 Oops", False), ("401 No", False), ("200 OK", False)],
)
def test_nobody_there_is_told_from_somebody_in_trouble(handler: Handler | str | None, absent: bool) -> None:
    served = answering(handler) if isinstance(handler, str) else handler
    assert checked(served, timeout_s=0.05 if served is silent else 5.0).absent is absent


def test_refused_credentials_are_definite_and_named_without_the_key() -> None:
    report = checked(answering("401 Unauthorized"))
    assert report.status == "unhealthy"
    assert report.error is not None
    assert "credentials" in report.error
    assert "canary" not in report.error


@pytest.mark.parametrize("status", ["500 Oops", "302 Found"])
def test_one_bad_answer_is_no_verdict_two_are(status: str) -> None:
    assert checked(answering(status)).status == "unknown"
    assert checked(answering(status), times=2).status == "unhealthy"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_cannot_be_asked_for_want_of_descriptors_is_held_against_nobody(host: str) -> None:
    """Neither where a connection would be refused, nor where the name is not even found."""

    async def main() -> None:
        check = HealthCheck(
            url=f"http://{host}:{free_port()}/health",
            headers=(),
            timeout_s=5.0,
            client=control_plane_client(ssl.create_default_context(), private=True),
            unix_time=lambda: 1234.0,
        )
        check.record.passed(1.0, 1000.0)
        known = check.record.report
        with no_descriptors():
            for _ in range(3):
                assert await check.check() == known
        assert (await check.check()).status == "unhealthy", "now it was asked"
        await check.aclose()

    asyncio.run(main())


def test_silence_is_bounded() -> None:
    report = checked(silent, times=2, timeout_s=0.05)
    assert report.status == "unhealthy"


def test_one_success_heals() -> None:
    record = HealthRecord()
    record.failed("x", 1.0, definite=True)
    record.passed(3.0, 2.0)
    assert record.report == HealthReport(status="healthy", latency_ms=3.0, last_check=2.0)


@given(
    timeout_share=st.floats(0, 0.2),
    chances=st.lists(st.floats(0, 1), min_size=2, max_size=2),
    outcome=st.sampled_from(["refused", "error", "silence"]),
)
def test_whoever_fails_is_unhealthy_within_the_interval_and_one_check(
    timeout_share: float, chances: list[float], outcome: str
) -> None:
    """Counted from a good check: it fails right after it."""
    interval_s, chance = 30.0, iter(chances)
    takes_s = interval_s * timeout_share if outcome == "silence" else 0.0
    record = HealthRecord()
    record.passed(1.0, 0.0)
    began_s = took_s = 0.0
    while record.report.status == "healthy":
        pause_s = jittered(record.pace_s(interval_s), lambda low, high: low + next(chance) * (high - low))
        began_s, took_s = began_s + max(took_s, pause_s), takes_s
        record.failed("", 0.0, definite=outcome == "refused")
    assert began_s + took_s <= interval_s + takes_s + 1e-6


def test_it_is_looked_again_soon_after_a_first_failure_only() -> None:
    record = HealthRecord()
    usual_s = record.pace_s(30.0)
    assert usual_s < 30.0
    paces = []
    for passed in (True, False, False, False, True):
        if passed:
            record.passed(1.0, 0.0)
        else:
            record.failed("", 0.0, definite=False)
        paces.append(record.pace_s(30.0))
    assert paces == [usual_s, usual_s / 4, usual_s, usual_s, usual_s]
    record.failed("", 0.0, definite=True)
    assert record.pace_s(30.0) == usual_s
