"""Spoilt streams, signatures and configurations to what reads them: nothing is raised but what is meant to be."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from llm_router.config.load import parse
from llm_router.errors import AttemptFailed, ConfigError
from llm_router.upstream.signing import Refused
from llm_router.upstream.sse import Splitter
from llm_router.upstream.wire.anthropic import AnthropicWire
from llm_router.upstream.wire.base import Wire
from llm_router.upstream.wire.gemini import GeminiWire
from llm_router.upstream.wire.openai import OpenAIWire
from tests.router.config.environment import ENV
from tests.router.spoiling import Failure, bent, body, spoilt
from tests.router.upstream import test_signing as signing

FIXTURES = Path(__file__).parent / "fixtures"
Headers = Sequence[tuple[bytes, bytes]]

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
