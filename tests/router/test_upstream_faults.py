"""Upstream faults below HTTP and at its edges: a router in front of a target that misbehaves byte for byte, and of one
that is well. The client gets a whole answer, whole or streamed, in bounded time."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.router.edge import in_thread
from tests.router.ports import free_port
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins
from tests.router.upstream.raw import Upstream, half_open, serving

KEY = "sk-only-for-the-primary"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
ROLE = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
HANG_S = 30.0
_ANSWER = (
    b'{"id":"1","object":"chat.completion","model":"gpt-5.4-mini","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
)
COMPLETION = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_ANSWER) + _ANSWER

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


def in_front_of(standins: Standins, url: str, **primary: Any) -> dict[str, Any]:
    """The configuration of a router whose first target is at ``url``, and whose second is well."""
    first = {
        "name": "primary",
        "type": "openai",
        "apiKey": KEY,
        "baseUrl": url,
        "models": [MODELS["openai"]],
        "healthCheck": {"enabled": False},
        "priority": 1,
    }
    (second,) = providers(standins, "openai")
    settings = {
        "routingStrategy": "priority",
        "timeouts": {"connect": "1s", "firstToken": "2s", "betweenTokens": "2s"},
    }
    return {"externalProviders": [first | primary, second | {"priority": 2}], "router": settings}


def ask(standins: Standins, url: str, *, stream: bool, **primary: Any) -> dict[str, str]:
    """Asks a router whose first target is at ``url``; what the headers of the answer say."""
    standins.clear()
    with running_router(in_front_of(standins, url, **primary)) as router:
        answer = router.chat(stream=stream)
        assert answer.status_code == 200, answer.text
        assert answer.elapsed.total_seconds() < HANG_S
        assert KEY not in answer.text
        record = router.ledger.recent(1)[0]
        assert [attempt.target for attempt in record.attempts][-1] == "openai"
        return {name.removeprefix("x-llm-router-"): value for name, value in answer.headers.items()}


def saying(*parts: bytes, then: Script | None = None) -> Script:
    async def script(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then is not None:
            await then(writer)

    return script


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))


async def reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def flood(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


@contextmanager
def misbehaving(script: Script) -> Iterator[tuple[Upstream, str]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _nth: int) -> None:
        await read_request(reader)
        await script(writer)

    with in_thread(serving(serve)) as (upstream, url):
        yield upstream, str(url.origin())


FAULTS: dict[str, Script] = {
    "F6 reset before the headers": reset,
    "F7 reset after the headers": saying(SSE + b"connection: close\r\n\r\n", then=reset),
    "F7 end after the role": saying(SSE + b"connection: close\r\n\r\n" + ROLE),
    "F26 an event that is no JSON": saying(SSE + b"connection: close\r\n\r\n" + ROLE + b"data: {nonsense\n\n"),
    "F28 an endless line": saying(SSE + b"connection: close\r\n\r\ndata: ", then=flood),
    "F30 a compressed body": saying(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\n\x1f\x8b\x08\x00\x00\x00"
    ),
    "F31 shorter than announced": saying(SSE + b"content-length: 5000\r\n\r\n" + ROLE),
    "F31 longer than announced": saying(SSE + b"content-length: 7\r\n\r\n" + ROLE),
    "F32 no content": saying(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "F32 not modified": saying(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "F32 nothing but information": saying(
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3, then=lambda _writer: asyncio.sleep(2.4)
    ),
    "F24 an error with status 200": saying(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 55\r\n\r\n"
        b'{"error":{"message":"no","type":"server_error","code":1}'[:55]
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_target_that_breaks_its_protocol_is_followed_by_one_that_does_not(
    standins: Standins, fault: str, stream: bool
) -> None:
    with misbehaving(FAULTS[fault]) as (upstream, url):
        assert ask(standins, url, stream=stream)["target"] == "openai"
        assert 1 <= upstream.connections <= 2


def test_an_answer_that_is_put_together_from_a_stream_is_bounded(
    standins: Standins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that comes whole is: a flood of content does not fill the memory until the total is over."""
    monkeypatch.setattr("llm_router.execution.attempts.MAX_ANSWER_BYTES", 100_000)
    delta = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}' % (b"x" * 1000)

    async def flood_of_content(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"data: " + delta + b"\n\n")
            await writer.drain()

    with misbehaving(saying(SSE + b"connection: close\r\n\r\n", then=flood_of_content)) as (_, url):
        assert ask(standins, url, stream=False, type="anthropic")["target"] == "openai"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_f1_nobody_listens(standins: Standins, stream: bool) -> None:
    said = ask(standins, f"http://127.0.0.1:{free_port()}", stream=stream)
    assert (said["target"], said["attempts"]) == ("openai", "2")


def test_many_at_once_get_past_a_target_where_nobody_listens(standins: Standins) -> None:
    """The budget of follow-ups is for load, and a refused connection is none."""
    standins.clear()
    gone = {"name": "gone", "type": "openai", "apiKey": KEY, "baseUrl": f"http://127.0.0.1:{free_port()}"}
    config = {
        "externalProviders": [
            gone | {"models": [MODELS["openai"]], "healthCheck": {"enabled": False}, "priority": 1},
            *(provider | {"priority": 2} for provider in providers(standins, "openai")),
        ],
        "router": {"routingStrategy": "priority", "failover": {"circuitBreaker": {"failureThreshold": 1000}}},
    }
    with running_router(config) as router, ThreadPoolExecutor(30) as threads:
        answers = [threads.submit(router.chat) for _ in range(60)]
        assert {answer.result().status_code for answer in answers} == {200}


def test_f2_nobody_accepts(standins: Standins) -> None:
    """A full accept queue answers no SYN, as a black hole does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            said = ask(standins, f"http://127.0.0.1:{full.getsockname()[1]}", stream=True)
            assert (said["target"], said["attempts"]) == ("openai", "2")


def test_f13_a_kept_connection_that_swallows_everything(standins: Standins) -> None:
    """The same target answers over a second connection, within the same attempt: asked once more, billed once."""
    requests: list[int] = []
    second = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        await read_request(reader)
        requests.append(nth)
        if nth == 1:
            half_open(writer)
        else:
            second.set()
        writer.write(COMPLETION)
        if nth == 1:
            await second.wait()

    with (
        in_thread(serving(serve)) as (_upstream, url),
        running_router(in_front_of(standins, str(url.origin()))) as router,
    ):
        for _ in range(2):
            answer = router.chat()
            assert answer.status_code == 200, answer.text
            said = answer.headers
            assert (said["x-llm-router-target"], said["x-llm-router-attempts"]) == ("primary", "1")
        assert requests == [1, 2]
        billed = [[attempt.target for attempt in record.attempts] for record in router.ledger.recent(2)]
        assert billed == [["primary"], ["primary"]]


def test_f3_a_name_that_nobody_has(standins: Standins) -> None:
    said = ask(standins, "http://nobody.invalid:8080", stream=True, private=True)
    assert said["target"] == "openai"


@pytest.mark.parametrize("private", [False, True])
def test_a44_a_provider_s_name_that_leads_into_a_private_network(
    standins: Standins, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    """Neither a request nor a health check, with their key, goes there, unless the operator says that it is meant."""

    async def rebound(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    with misbehaving(saying(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")) as (upstream, url):
        monkeypatch.setattr("llm_router.upstream.egress._resolved", rebound)
        scheme = "http" if private else "https"
        name = f"{scheme}://api.example.com:{url.rpartition(':')[2]}"
        said = ask(standins, name, stream=False, private=private, healthCheck={"enabled": True})
        assert said["target"] == "openai"
        assert (upstream.connections > 0) is private


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_f33_a_redirect_is_not_followed_and_the_key_goes_nowhere(standins: Standins, status: int) -> None:
    elsewhere: list[bytes] = []

    async def note(writer: asyncio.StreamWriter) -> None:
        elsewhere.append(b"came")

    with misbehaving(note) as (other, there):
        moved = b"HTTP/1.1 %d Moved\r\nlocation: %s/v1/x\r\ncontent-length: 0\r\n\r\n" % (status, there.encode())
        with misbehaving(saying(moved)) as (_upstream, url):
            settings = {"externalProviders": providers(standins, "openai")}
            settings["externalProviders"][0] |= {"baseUrl": url, "apiKey": KEY}
            with running_router(settings) as router:
                answer = router.chat()
                assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
        assert other.connections == 0
    assert elsewhere == []


FIELDS = ("api_base", "base_url", "baseUrl", "custom_host", "endpoint", "api_key", "x-portkey-custom-host")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("place", ["body", "extra_body", "header", "query"])
def test_a41_no_caller_says_where_requests_go(asked: Running, standins: Standins, field: str, place: str) -> None:
    """What the router does not know goes to the configured target as data, which refuses or ignores it."""
    standins.clear()
    elsewhere: list[bytes] = []

    async def note(_writer: asyncio.StreamWriter) -> None:
        elsewhere.append(b"came")

    with misbehaving(note) as (other, url):
        body: dict[str, Any] = {"model": MODELS["openai"], "messages": [{"role": "user", "content": "Hi"}]}
        if place == "body":
            body[field] = url
        elif place == "extra_body":
            body["extra_body"] = {field: url}
        answer = asked.client.post(
            "/v1/chat/completions",
            json=body,
            headers={field: url} if place == "header" else {},
            params={field: url} if place == "query" else {},
        )
        assert answer.status_code in (200, 400)
        assert other.connections == 0
    assert elsewhere == []
    assert len(standins.openai.requests()) == 1


@pytest.fixture(scope="module")
def asked(standins: Standins) -> Iterator[Running]:
    with running_router({"externalProviders": providers(standins, "openai")}) as router:
        yield router
