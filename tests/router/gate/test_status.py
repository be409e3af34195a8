"""Where the gate's status comes from when an exporter stands beside it."""

from __future__ import annotations

import asyncio

import httpx
import msgspec
import pytest

from llm_router.gate.status import ExporterStatus
from llm_router.model import ClusterStatus
from tests.router.edge import run
from tests.router.gate.surroundings import TARGET, Received, upstream
from tests.router.ports import free_port

STATUS = ClusterStatus(target=TARGET, state="up", slots_total=4, node_usd_per_hour=0.378)


def told(answer: bytes) -> bytes | None:
    async def script(_seen: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async def scenario() -> bytes | None:
        async with upstream(script) as exporter, httpx.AsyncClient(trust_env=False) as client:
            return await ExporterStatus(f"{exporter.url}/cluster/status", TARGET, client)()

    return run(scenario())


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body


def test_the_exporter_s_status_is_passed_on() -> None:
    body = told(ok(msgspec.json.encode(STATUS)))
    assert body is not None
    assert msgspec.json.decode(body, type=ClusterStatus) == STATUS


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", id="not measured yet"),
        pytest.param(ok(b"<html>"), id="not JSON"),
        pytest.param(ok(b'{"target":"aws-us-west-2","state":"asleep"}'), id="not a status"),
        pytest.param(
            ok(msgspec.json.encode(msgspec.structs.replace(STATUS, target="gcp-eu"))), id="about another pool"
        ),
        pytest.param(ok(b" " * 300_000), id="too large"),
        pytest.param(b"garbage\r\n\r\n", id="not HTTP"),
    ],
)
def test_what_is_no_status_of_this_target_is_not_passed_on(answer: bytes) -> None:
    assert told(answer) is None


def test_an_exporter_that_is_down_means_no_status() -> None:
    async def scenario() -> bytes | None:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await ExporterStatus(f"http://127.0.0.1:{free_port()}/cluster/status", TARGET, client)()

    assert run(scenario()) is None
