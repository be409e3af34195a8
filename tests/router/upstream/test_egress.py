"""The egress guard: what a name of the configuration leads to is judged when a connection is opened, by data path and
control plane alike, and what was judged is what is connected to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
import trustme
from yarl import URL

from llm_router.errors import ConnectFailed
from llm_router.signals.health import HealthCheck, HealthReport, control_plane_client
from llm_router.upstream.client import AiohttpClient
from llm_router.upstream.egress import Forbidden, permitted_addresses
from llm_router.upstream.http1 import Http1Client
from tests.router.upstream.raw import OK, Make, Resolving, answering, fetch, head, serving

T = TypeVar("T")
METADATA = "169.254.169.254"
CLIENTS = pytest.mark.parametrize("make", [Http1Client, AiohttpClient], ids=["http1", "aiohttp"])


@CLIENTS
@pytest.mark.parametrize("disguise", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_public_name_that_leads_to_this_machine_gets_no_connection(make: Make, disguise: str) -> None:
    loop = Resolving(disguise)

    async def main() -> None:
        async with serving(answering(OK)) as (upstream, url), make(connect_timeout_s=20.0) as client:
            with pytest.raises(ConnectFailed, match="private: true"):
                await fetch(client, url.with_host("api.example.com"))
            assert upstream.connections == 0

    _run(loop, main())


@CLIENTS
def test_a_metadata_service_gets_no_connection_whatever_the_operator_says(make: Make) -> None:
    async def main() -> None:
        async with make(connect_timeout_s=20.0) as client:
            with pytest.raises(ConnectFailed, match="no target"):
                await fetch(client, URL("http://api.example.com/"), private=True)

    _run(Resolving(METADATA), main())


@pytest.mark.parametrize("second", [METADATA, "10.0.0.1"])
def test_a_name_that_leads_elsewhere_the_second_time_is_judged_the_second_time(
    second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding. That the first answer may be used is this test's own rule: no test has a public address."""
    loop = Resolving("127.0.0.1")
    faults = {"127.0.0.1": None, second: "judged"}
    monkeypatch.setattr(
        "llm_router.upstream.egress.resolved_fault",
        lambda _host, address, private: None if private else faults[address],
    )

    async def main() -> None:
        async with serving(answering(OK)) as (upstream, url), Http1Client(connect_timeout_s=20.0) as client:
            rebound = url.with_host("api.example.com")
            assert await fetch(client, rebound) == b"ok"
            assert loop.asked == ["api.example.com"]  # once: what was judged is what was connected to
            async with asyncio.timeout(20):
                await upstream.closed.wait()
            loop.addresses = (second,)
            with pytest.raises(ConnectFailed, match="judged"):
                await fetch(client, rebound)
            assert upstream.connections == 1

    _run(loop, main())


def test_of_several_addresses_only_those_that_may_be_used_are_tried() -> None:
    loop = Resolving(METADATA, "127.0.0.1", "fd00:ec2::254")

    async def main() -> None:
        assert await permitted_addresses("gate.example.com", 443, private=True) == ["127.0.0.1"]
        with pytest.raises(Forbidden, match=r"169\.254.*fd00.*127\.0"):
            await permitted_addresses("gate.example.com", 443, private=False)

    _run(loop, main())


def test_a_connection_into_a_private_network_serves_nobody_who_may_not_go_there() -> None:
    async def main() -> None:
        async with serving(answering(OK, OK)) as (upstream, url), Http1Client(connect_timeout_s=20.0) as client:
            assert await fetch(client, url.with_host("a.test"), private=True) == b"ok"
            with pytest.raises(ConnectFailed):
                await fetch(client, url.with_host("a.test"))
            assert upstream.connections == 1

    _run(Resolving("127.0.0.1"), main())


# ---------------------------------------------------------------- control plane


def _checked(url: str, *, private: bool, tls: ssl.SSLContext | None = None) -> HealthCheck:
    return HealthCheck(
        url=url,
        headers=(("authorization", "Bearer sk-canary-secret"),),
        timeout_s=5.0,
        client=control_plane_client(tls or ssl.create_default_context(), private=private),
        unix_time=lambda: 1234.0,
    )


def test_a_health_check_carries_its_key_to_no_address_that_requests_do_not_go_to() -> None:
    async def main() -> HealthReport:
        async with serving(answering(OK)) as (upstream, url):
            check = _checked(str(url.with_host("api.example.com")), private=False)
            report = await check.check()
            await check.aclose()
            assert upstream.connections == 0
            return report

    report = _run(Resolving("127.0.0.1"), main())
    assert report.status == "unhealthy"
    assert "private: true" in (report.error or "")


def test_a_health_check_verifies_and_names_the_host_of_its_url_at_the_next_address_that_answers() -> None:
    """The first address refuses. The certificate is the name's, and so is the Host that arrives."""
    ca = trustme.CA()
    server, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("gate.example.com").configure_cert(server)
    ca.configure_trust(trusting)
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        heads.append(await head(reader))
        writer.write(OK)

    async def main() -> None:
        async with serving(serve, tls=server) as (_upstream, url):
            for host, status in (("gate.example.com", "healthy"), ("other.example.com", "unhealthy")):
                check = _checked(str(url.with_host(host)), private=True, tls=trusting)
                assert (await check.check()).status == status
                await check.aclose()
            assert [f"host: gate.example.com:{url.port}".encode() in said.lower() for said in heads] == [True]

    _run(Resolving("127.0.0.2", "127.0.0.1"), main())


def _run(loop: Resolving, main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)
