"""Very many inputs that nobody would send, made from ones that somebody would: whatever is made of them, nothing may
fail in a way that nobody thought of. Repeatable: a seed gives the same inputs each time."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from starlette.types import ASGIApp, Message

from llm_router.api.not_yet import PATHS
from llm_router.config.load import parse
from llm_router.errors import AttemptFailed, ConfigError
from llm_router.upstream.signing import Refused
from llm_router.upstream.sse import Splitter
from llm_router.upstream.wire.anthropic import AnthropicWire
from llm_router.upstream.wire.base import Wire
from llm_router.upstream.wire.gemini import GeminiWire
from llm_router.upstream.wire.openai import OpenAIWire
from tests.router.config.environment import ENV
from tests.router.corpus import ORDINARY, REFUSED, get, post
from tests.router.edge import Address, in_thread
from tests.router.gate.surroundings import CHAT, gate, says_ok, upstream
from tests.router.routers import Running, providers, running_router
from tests.router.standins import running_standins
from tests.router.upstream import test_signing as signing

FIXTURES = Path(__file__).parent / "fixtures"
FRONTS = ("/v1/chat/completions", "/v1/chat/completions", "/v1/route")
"""Those that are asked most; one question in seven goes to one of those that are not there yet."""
TOGETHER = 50
Headers = Sequence[tuple[bytes, bytes]]

_BITS = (
    *(b"\x00", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b'"', b"\\", b"{", b"}", b"[", b"]", b"%", b"\xff"),
    *(b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xef\xbb\xbf", b"data: ", b"\n\n", b"null", b"-1", b"1e999"),
    *(b"99999999999999999999", b"${HOME}", b"&a *a", b"<<: ", b"!!python/object:os.system ", b"\\ud800", b"'" * 40),
)
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**63, -(2**63) - 1, 10**40, "", " ", "auto", "\u0000"),
    *("\ud800", "é" * 200, "${HOME}", "{{7*7}}", "../..", [], {}, [[]], [None], {"": ""}, ["x"] * 50, "x" * 5000),
)


class Failure(NamedTuple):
    what: str
    given: str


# ---------------------------------------------------------------- making inputs


def spoilt(data: bytes, chance: random.Random) -> bytes:
    """One to four changes of ``data``: bytes changed, put in, taken out, repeated, moved; or nothing of it is left."""
    if chance.random() < 0.03:
        return chance.randbytes(chance.randrange(200))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at, until = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        until = min(until, at + 30)
        piece = data[at:until]
        change = chance.randrange(5)
        new = (
            bytes([chance.randrange(256)]),
            chance.choice(_BITS),
            b"",
            piece * chance.randint(2, 20),
            piece[::-1],
        )[change]
        data = data[:at] + new + (data[at:] if change == 1 else data[until:])
    return data


def bent(value: Any, chance: random.Random) -> Any:
    """A JSON value with one of its parts replaced, left out or put in, somewhere in its depth."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice([*value])
        how = chance.random()
        if how < 0.15:
            return {name: part for name, part in value.items() if name != key}
        if how < 0.3:
            return {**value, str(chance.choice(_ODD))[:40]: chance.choice(_ODD)}
        return {**value, key: bent(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        if chance.random() < 0.2:
            return value * chance.randint(0, 40)
        return [*value[:at], bent(value[at], chance), *value[at + 1 :]]
    return chance.choice(_ODD)


def body(seed: Mapping[str, Any], chance: random.Random) -> bytes:
    """As JSON that is right in itself, or not even that."""
    value: Any = seed
    for _ in range(chance.choice((1, 1, 2, 3))):
        value = bent(value, chance)
    data = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return spoilt(data, chance) if chance.random() < 0.2 else data


# ---------------------------------------------------------------- listeners

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


# ---------------------------------------------------------------- parsers

_STREAMS: Sequence[tuple[Wire, Sequence[Mapping[str, Any]]]] = (
    (
        OpenAIWire(),
        (
            {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hé"}}]},
            {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "stop"}]},
            {"id": "c", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}},
        ),
    ),
    (
        AnthropicWire(),
        (
            {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 3}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        ),
    ),
    (
        GeminiWire(),
        (
            {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}}], "responseId": "r"},
            {
                "candidates": [{"content": {"parts": [{"text": "!"}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11},
            },
        ),
    ),
)
_TOLD = {"error": {"message": "m", "type": "t", "code": "c", "status": "UNAVAILABLE"}}


def streams(chance: random.Random, inputs: int) -> Iterator[Failure]:
    """Streams of servers, spoilt and cut anywhere, to what reads each provider's; and the same as whole answers."""
    for number in range(inputs):
        wire, events = _STREAMS[number % len(_STREAMS)]
        at = chance.randrange(len(events))
        seed = events[at] if chance.random() < 0.8 else _TOLD
        odd = body(seed, chance)
        parts = [json.dumps(event).encode() for event in events[:at]] + [odd]
        parts += [json.dumps(event).encode() for event in events[at + 1 :]]
        given = b"".join(b"data: " + part + b"\n\n" for part in parts)
        if chance.random() < 0.2:
            given = spoilt(given, chance)
        yield from unless(partial(read_in_pieces, wire, given, chance), AttemptFailed, given)
        yield from unless(partial(wire.answer, odd), AttemptFailed, odd)


def read_in_pieces(wire: Wire, given: bytes, chance: random.Random) -> None:
    reader, splitter = wire.reader(), Splitter(8000)
    while given:
        size = chance.randint(1, 200)
        for event in splitter.feed(given[:size]):
            reader.read(event.data, event.name)
        given = given[size:]
    splitter.close()
    reader.end()


def signatures(chance: random.Random, inputs: int) -> Iterator[Failure]:
    """What a gate verifies: header values, path and query as they came."""
    verifier = signing.verifier()

    def verify(message: signing.Message, path: bytes, headers: Headers) -> None:
        verified = verifier.verify_headers(message.method, path, message.query, headers, signing.NOW)
        verifier.verify_body(verified, message.body, signing.NOW)

    for _ in range(inputs):
        message = signing.signed(signing.Message())
        headers = [(name, spoilt(value, chance) if chance.random() < 0.2 else value) for name, value in message.headers]
        if chance.random() < 0.1:
            headers += chance.sample(headers, 2)
        path = spoilt(message.path, chance) if chance.random() < 0.2 else message.path
        yield from unless(partial(verify, message, path, headers), Refused, repr((headers, path)).encode())


def configurations(chance: random.Random, inputs: int) -> Iterator[Failure]:
    """Files of every dialect that loads, with other values in them, or with other bytes."""
    files = sorted([*FIXTURES.glob("configs/valid/*.yaml"), *FIXTURES.glob("dialects/*/valid/*.yaml")])
    texts = [file.read_bytes() for file in files]
    # Without quotes, only the loader under test reads references.
    documents = [yaml.safe_load(re.sub(rb"\$\{(\w+)\}", rb"ENV_\1_ENV", text)) for text in texts]
    for _ in range(inputs):
        if chance.random() < 0.4:
            given = spoilt(chance.choice(texts), chance)
        else:
            document = json.dumps(bent(chance.choice(documents), chance), default=str)
            given = re.sub(r"ENV_(\w+)_ENV", r"${\1}", document).encode()
        yield from unless(partial(parse, given.decode(errors="replace"), "fuzzed.yaml", ENV), ConfigError, given)


def unless(act: Callable[[], object], allowed: type[Exception], given: bytes) -> Iterator[Failure]:
    try:
        act()
    except allowed:
        pass
    except Exception as error:
        yield Failure(f"{type(error).__name__}: {error}", repr(given))


# ---------------------------------------------------------------- all of it

Fuzz = Callable[[random.Random, int], Iterator[Failure]]
SURFACES: Mapping[str, tuple[Fuzz, int]] = {
    "bodies": (bodies, 16),
    "heads": (heads, 6),
    "streams": (streams, 14),
    "signatures": (signatures, 10),
    "configurations": (configurations, 4),
}
"""How each is tried, and how many of fifty inputs it gets."""


class _Tracebacks(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Failure] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(Failure(f"logged by {record.name}", logging.Formatter().format(record)))


@contextmanager
def tracebacks() -> Iterator[list[Failure]]:
    handler = _Tracebacks()
    logging.getLogger().addHandler(handler)
    try:
        yield handler.found
    finally:
        logging.getLogger().removeHandler(handler)


def failures(surface: str, inputs: int, seed: int) -> list[Failure]:
    """Answers of class 5xx, exceptions that are not the ones meant, and whatever is logged as an error."""
    with tracebacks() as logged:
        found = [*SURFACES[surface][0](random.Random(f"{surface} {seed}"), inputs)]
    return [*found, *logged]
