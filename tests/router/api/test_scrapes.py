"""Metrics for who shows the token, whatever else asks on that listener."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from llm_router.api.scrapes import judge_scrape
from llm_router.gate.metrics import metrics_app
from tests.router.edge import Address, Reply, parse, request, run, send_raw, served

TOKEN = "the-token-of-prometheus"
RIGHT = ("authorization", f"Bearer {TOKEN}")


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    registry = CollectorRegistry()
    Counter("llm_gate_requests_total", "Requests.", registry=registry)
    with served(metrics_app(registry, lambda: True, TOKEN)) as address:
        yield address


def answer(address: Address, path: str, *headers: tuple[str, str], method: str = "GET") -> Reply:
    return parse(run(send_raw(address, request(method, path, headers, b""))))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_who_shows_the_token_reads(address: Address, scheme: str) -> None:
    reply = answer(address, "/metrics", ("authorization", f"{scheme} {TOKEN}"))
    assert (reply.status, b"llm_gate_requests_total" in reply.body) == (200, True)


@pytest.mark.parametrize("path", ["/metrics", "/metrics?name[]=x", "/%6detrics"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((), id="nothing"),
        pytest.param((("authorization", ""),), id="nothing said"),
        pytest.param((("authorization", TOKEN),), id="no scheme"),
        pytest.param((("authorization", f"Basic {TOKEN}"),), id="another scheme"),
        pytest.param((("authorization", "Bearer "),), id="no token"),
        pytest.param((("authorization", f"Bearer {TOKEN[:-1]}"),), id="a part"),
        pytest.param((("authorization", f"Bearer {TOKEN}x"),), id="more"),
        pytest.param((("authorization", f"Bearer {TOKEN.upper()}"),), id="other letters"),
        pytest.param((("authorization", "Bearer tökën"),), id="not ASCII"),
        pytest.param((RIGHT, ("authorization", "Bearer other")), id="two"),
        pytest.param((("x-authorization", f"Bearer {TOKEN}"),), id="another header"),
    ],
)
def test_who_does_not_learns_nothing(
    address: Address, method: str, path: str, headers: tuple[tuple[str, str], ...]
) -> None:
    reply = answer(address, path, *headers, method=method)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert b"llm_gate" not in reply.body
    assert TOKEN.encode() not in reply.body


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_have_no_token(address: Address, path: str) -> None:
    assert answer(address, path).status == 200


def test_an_empty_token_is_nobodys() -> None:
    with served(metrics_app(CollectorRegistry(), lambda: True, "")) as address:
        for headers in ((), (("authorization", "Bearer "),), (("authorization", "Bearer"),)):
            assert answer(address, "/metrics", *headers).status == 401


def test_without_a_token_nobody_is_judged() -> None:
    assert judge_scrape(None) is None
