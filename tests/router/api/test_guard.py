"""The framing guard, on raw sockets in front of a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from llm_router.api.guard import MAX_HEADER_BYTES, MAX_HEADERS, MAX_TARGET_BYTES, Guard, Refusal
from tests.router.edge import Address, Reply, echo, parse, request, run, send_raw, served


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with served(Guard(echo)) as address:
        yield address


def answer_to(data: bytes, address: Address) -> Reply:
    return parse(run(send_raw(address, data)))


def head(*lines: str, host: str = "host: router.example") -> bytes:
    return "\r\n".join([*lines, host, "connection: close", "", ""]).encode("latin-1")


def test_an_ordinary_request_passes_unchanged(address: Address) -> None:
    reply = answer_to(request("POST", "/v1/chat/completions?a=%2F..", (("x-a", "1"),), b"12345"), address)
    assert reply.status == 200
    assert reply.body == b"POST /v1/chat/completions connection,content-length,host,x-a 5"


@pytest.mark.parametrize(
    "host",
    ["host: a.example", "host: a.example:8443", "host: 127.0.0.1:80", "host: [::1]:8080", "host: llm_router:8080"],
)
def test_well_formed_hosts_pass(host: str, address: Address) -> None:
    assert answer_to(head("GET / HTTP/1.1", host=host), address).status == 200


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="no host in HTTP/1.0"),
        pytest.param(head("GET / HTTP/1.1", "host: b.example"), id="two hosts"),
        pytest.param(head("GET / HTTP/1.1", host="host: "), id="empty host"),
        pytest.param(head("GET / HTTP/1.1", host="host: a/health?"), id="host with a path"),
        pytest.param(head("GET / HTTP/1.1", host="host: user@a.example"), id="host with credentials"),
        pytest.param(head("GET / HTTP/1.1", host="host: a.example:x"), id="host with a bad port"),
        pytest.param(head("GET / HTTP/1.1", host="host: a b"), id="host with a space"),
        pytest.param(head("GET http://evil.example/admin HTTP/1.1"), id="absolute form"),
        pytest.param(head("GET http://router.example/ HTTP/1.1"), id="absolute form to the same host"),
        pytest.param(head("OPTIONS * HTTP/1.1"), id="asterisk form"),
        pytest.param(head("CONNECT evil.example:443 HTTP/1.1"), id="authority form"),
        pytest.param(head("GET //evil.example/x HTTP/1.1"), id="two slashes first"),
        pytest.param(head("GET /v1//models HTTP/1.1"), id="two slashes"),
        pytest.param(head("GET /v1/../admin HTTP/1.1"), id="dot segments"),
        pytest.param(head("GET /v1/./models HTTP/1.1"), id="single dot"),
        pytest.param(head("GET /v1/.. HTTP/1.1"), id="dots last"),
        pytest.param(head("GET /v1/%2e%2e/admin HTTP/1.1"), id="encoded dots"),
        pytest.param(head("GET /v1/%2E%2E%2Fadmin HTTP/1.1"), id="encoded slash, capital"),
        pytest.param(head("GET /v1/a%2fb HTTP/1.1"), id="encoded slash"),
        pytest.param(head("GET /v1/%252e%252e/admin HTTP/1.1"), id="encoded twice"),
        pytest.param(head("GET /v1/a%5cb HTTP/1.1"), id="encoded backslash"),
        pytest.param(head("GET /v1\\admin HTTP/1.1"), id="backslash"),
        pytest.param(head("GET /v1/a%00 HTTP/1.1"), id="encoded NUL"),
        pytest.param(head("GET /v1/models#x HTTP/1.1"), id="fragment"),
        pytest.param(head("POST / HTTP/1.1", "transfer-encoding: gzip, chunked") + b"0\r\n\r\n", id="gzip, chunked"),
        pytest.param(head("POST / HTTP/1.1", "transfer-encoding: xchunked") + b"0\r\n\r\n", id="xchunked"),
        pytest.param(
            head("POST / HTTP/1.1", "content-length: 3", "transfer-encoding: chunked") + b"0\r\n\r\n", id="CL and TE"
        ),
        pytest.param(head("POST / HTTP/1.1", "content-length: 3", "content-length: 3") + b"abc", id="two lengths"),
        pytest.param(head("POST / HTTP/1.1", "content-length: +3") + b"abc", id="signed length"),
        pytest.param(
            head("POST / HTTP/1.1", "content-length: 3", "connection: upgrade", "upgrade: h2c") + b"abc",
            id="upgrade with a body",
        ),
        pytest.param(b"GET / HTTP/1.1\nhost: a.example\n\n", id="bare line feeds"),
        pytest.param(head("GET / HTTP/1.1", "x: a", " folded"), id="folded header"),
        pytest.param(head("GET / HTTP/1.1", "x: a\0b"), id="NUL in a header"),
    ],
)
def test_ambiguous_requests_are_answered_400_and_the_connection_is_closed(data: bytes, address: Address) -> None:
    reply = answer_to(data, address)
    assert reply.status == 400
    assert reply.headers["connection"] == "close"


def test_a_second_request_behind_an_ambiguous_one_is_never_answered(address: Address) -> None:
    smuggled = head("POST / HTTP/1.1", "content-length: 3", "transfer-encoding: chunked") + b"0\r\n\r\n"
    whole = answer_to(smuggled + request("GET", "/admin"), address)
    assert b"HTTP/1.1" not in whole.body
    assert b"/admin" not in whole.body


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([f"x-{number}: 1" for number in range(MAX_HEADERS)], id="too many"),
        pytest.param(["x: " + "a" * MAX_HEADER_BYTES], id="too large"),
    ],
)
def test_too_many_headers_are_answered_431(lines: list[str], address: Address) -> None:
    assert answer_to(head("GET / HTTP/1.1", *lines), address).status == 431


def test_a_target_that_is_too_long_is_answered_414(address: Address) -> None:
    assert answer_to(head(f"GET /{'a' * MAX_TARGET_BYTES} HTTP/1.1"), address).status == 414
    assert answer_to(head(f"GET /?{'a' * MAX_TARGET_BYTES} HTTP/1.1"), address).status == 414


def test_header_names_with_an_underscore_are_dropped(address: Address) -> None:
    reply = answer_to(request("GET", "/", (("x_api_key", "1"), ("x-api-key", "2"))), address)
    assert reply.body == b"GET / connection,content-length,host,x-api-key 0"


def test_an_upgrade_without_a_body_is_ignored(address: Address) -> None:
    data = head("GET /x HTTP/1.1", "connection: upgrade", "upgrade: websocket", "sec-websocket-key: x")
    assert answer_to(data, address).body.startswith(b"GET /x")


def test_errors_have_the_shape_that_the_application_chooses_and_are_observed() -> None:
    seen: list[Refusal] = []
    guard = Guard(echo, render=lambda refusal: (b"application/json", refusal.code.encode()), observe=seen.append)
    with served(guard) as address:
        reply = answer_to(head("GET /v1/../x HTTP/1.1"), address)
    assert (reply.headers["content-type"], reply.body) == ("application/json", b"bad_path")
    assert [refusal.status for refusal in seen] == [400]


def test_servers_that_leave_no_raw_path_are_judged_by_the_path() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/a/../b",
        "query_string": b"",
        "headers": [(b"host", b"x")],
    }
    run(Guard(echo)(scope, receive, send))
    assert sent[0]["status"] == 400


def test_other_scopes_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Message:
        return {}

    run(Guard(app)({"type": "lifespan"}, nothing, nothing))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
