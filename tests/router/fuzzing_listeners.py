"""Spoilt requests to the router's and a gate's listeners: nothing is answered with a status of class 5xx, nothing
raised."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message

from llm_router.api.not_yet import PATHS
from tests.router.corpus import ORDINARY, REFUSED, get, post
from tests.router.edge import Address, in_thread
from tests.router.gate.surroundings import CHAT, gate, says_ok, upstream
from tests.router.routers import Running, providers, running_router
from tests.router.spoiling import Failure, body, spoilt
from tests.router.standins import running_standins

FRONTS = ("/v1/chat/completions", "/v1/chat/completions", "/v1/route")
"""Those that are asked most; one question in seven goes to one of those that are not there yet."""
TOGETHER = 50
Headers = Sequence[tuple[bytes, bytes]]

_CHAT = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 8,
    "temperature": 0.5,
    "n": 1,
    "stop": ["."],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    "response_format": {"type": "text"},
    "metadata": {"a": "b"},
    "logit_bias": {"1": 1},
}
_PLAIN = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
_ASKED = json.dumps(_PLAIN).encode()
_HEADERS = (
    *("x-llm-compliance", "x-llm-region", "x-llm-max-latency-ms", "x-llm-max-cost-per-1k", "x-llm-strategy"),
    *("x-llm-target", "x-llm-exact-model", "x-llm-criticality", "x-llm-session", "authorization", "x-api-key"),
)


async def answered(app: ASGIApp, path: str, data: bytes, headers: Headers) -> int:
    """The status; 0 where there was none."""
    sent = [data]
    status = 0

    async def receive() -> Message:
        if sent:
            return {"type": "http.request", "body": sent.pop(), "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": b"", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}
    fixed = [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await app({**scope, "headers": [*fixed, *headers]}, receive, send)
    return status


def bodies(chance: random.Random, inputs: int) -> Iterator[Failure]:
    """JSON to every front door, with odd values of the headers that callers set."""

    async def ask(router: Running, path: str, data: bytes, headers: list[tuple[bytes, bytes]]) -> Failure | None:
        try:
            status = await answered(router.app.public, path, data, headers)
        except Exception as error:
            return Failure(f"{error!r} of {path}", f"{data!r} {headers}")
        return Failure(f"{status} of {path}", f"{data!r} {headers}") if status >= 500 or not status else None

    with running_standins() as standins, running_router(config_of(providers(standins))) as router:
        for begin in range(0, inputs, TOGETHER):
            asked = []
            for number in range(begin, min(begin + TOGETHER, inputs)):
                odd = [(chance.choice(_HEADERS).encode(), printable(chance))] if number % 5 == 0 else []
                path = chance.choice(FRONTS if number % 7 else PATHS)
                asked.append(ask(router, path, body(chance.choice((_CHAT, _PLAIN)), chance), odd))
            yield from together(router, asked)


def config_of(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"externalProviders": accounts, "router": {"failover": {"circuitBreaker": {"failureThreshold": 10**6}}}}


def printable(chance: random.Random) -> bytes:
    return bytes(chance.randrange(0x20, 0x7F) for _ in range(chance.randrange(20)))


def together(router: Running, asked: Sequence[Awaitable[Failure | None]]) -> Iterator[Failure]:
    async def all_of_them() -> list[Failure | None]:
        return await asyncio.gather(*asked)

    yield from filter(None, router.run(all_of_them()))


def heads(chance: random.Random, inputs: int) -> Iterator[Failure]:
    """Requests byte for byte, on connections of their own, to the router's listener and, signed, to a gate's."""
    with (
        running_standins() as standins,
        running_router(config_of(providers(standins))) as router,
        in_thread(upstream(says_ok)) as behind,
        in_thread(gate(behind.url)) as front,
    ):
        place = ("127.0.0.1", int(router.url.rpartition(":")[2]))
        seeds = [case.data for case in (*ORDINARY, *REFUSED) if len(case.data) < 4000]
        seeds += [post(f"content-length: {len(_ASKED)}", body=_ASKED), get("/v1/models"), get("/health")] * 20
        for begin in range(0, inputs, TOGETHER):
            asked = []
            for number in range(begin, min(begin + TOGETHER, inputs)):
                to_gate = number % 2 == 0
                seed = front.raw("POST", CHAT, b'{"model":"tiny"}') if to_gate else chance.choice(seeds)
                asked.append(raw(front.address if to_gate else place, spoilt(seed, chance)))
            yield from together(router, asked)


async def raw(address: Address, data: bytes) -> Failure | None:
    reader, writer = await asyncio.open_connection(*address)
    answer = b""
    with suppress(ConnectionError):
        writer.write(data)
        writer.write_eof()
        answer = await reader.read()
    writer.close()
    faults = re.findall(rb"HTTP/1\.1 5\d\d [^\r]*", answer)
    return Failure(f"{faults[0]!r} of {address}", repr(data)) if faults else None
