"""The corpus of odd requests on raw sockets, against the router's listener and the gate's: refused or closed, with
nothing done and nothing smuggled."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator

import pytest

from tests.router.corpus import ADMIN, ORDINARY, REFUSED, Case
from tests.router.edge import Address, in_thread
from tests.router.gate.surroundings import gate, says_ok, upstream
from tests.router.routers import providers, running_router
from tests.router.standins import running_standins

QUIET_S = 0.5
"""Whoever has not answered by then waits for the rest of a request."""


@pytest.fixture(scope="module", params=["router", "gate"])
def listener(request: pytest.FixtureRequest) -> Iterator[Address]:
    """Behind it nobody may have been asked anything in the end."""
    if request.param == "router":
        with running_standins() as standins, running_router({"externalProviders": providers(standins)}) as router:
            yield "127.0.0.1", int(router.url.rpartition(":")[2])
            assert not standins.openai.requests()
            assert not standins.anthropic.requests()
    else:
        with in_thread(upstream(says_ok)) as behind, in_thread(gate(behind.url)) as front:
            yield front.address
            assert behind.received == []


def answers(listener: Address, data: bytes) -> list[int]:
    """The statuses of all that comes back until the connection ends, or nothing more comes."""
    got = b""
    with socket.create_connection(listener) as raw, contextlib.suppress(ConnectionError, TimeoutError):
        raw.settimeout(QUIET_S)
        raw.sendall(data)
        while part := raw.recv(65536):
            got += part
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_an_odd_request_is_refused_and_nothing_behind_it_is_answered(listener: Address, case: Case) -> None:
    statuses = answers(listener, case.data)
    assert len(statuses) <= 1, "a second request was seen in it"
    assert set(statuses) <= case.statuses


@pytest.mark.parametrize("case", ORDINARY, ids=lambda case: case.id)
def test_a_strange_but_harmless_request_is_answered_like_any_other(listener: Address, case: Case) -> None:
    assert answers(listener, case.data) == [*case.statuses]


def test_what_is_smuggled_would_be_seen(listener: Address) -> None:
    """Without oddities in front of it the second request is answered: the tests above can fail."""
    assert len(answers(listener, ADMIN + ADMIN)) == 2


def test_a_hundred_pipelined_requests_are_answered_in_order(listener: Address) -> None:
    """A28."""
    ready = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    statuses = answers(
        listener, (ready + ADMIN) * 49 + ready + ADMIN.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    )
    assert len(statuses) == 100
    assert statuses[::2] == [200] * 50
    assert set(statuses[1::2]) <= {401, 404}
