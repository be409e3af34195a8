"""What a target is sent, whatever its protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_router.model import Target
from llm_router.routing.facts import MAX_TOKENS, read_chat
from llm_router.upstream.http1 import Http1Client
from llm_router.upstream.sender import Sender
from llm_router.upstream.wire import WIRES
from tests.router.upstream.raw import SYSTEM

STATED = {
    "nothing": {},
    "null": {"max_tokens": None},
    "less": {"max_tokens": 7},
    "more": {"max_tokens": 5000},
    "as much as can be said": {"max_completion_tokens": MAX_TOKENS},
}
NAMES = {"max_tokens", "max_completion_tokens", "maxOutputTokens"}


def outgoing(wire: str, model: str, stated: dict[str, Any], longest_answer: int | None) -> dict[str, Any]:
    sender = Sender(
        target=Target(name="t", kind="provider", owner="t", model=model, context_length=8192),
        wire=WIRES[wire],
        base_url="http://127.0.0.1:9/v1",
        client=Http1Client(connect_timeout_s=1.0),
        unix_time=lambda: 0.0,
        tls=SYSTEM,
    )
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]} | stated
    sent: dict[str, Any] = json.loads(sender.outgoing(read_chat(json.dumps(body).encode(), longest_answer)).body)
    return sent


def bounds(found: dict[str, Any]) -> set[Any]:
    config = found.get("generationConfig", {})
    return {value for name, value in (found | config).items() if name in NAMES and value is not None}


@pytest.mark.parametrize("stated", STATED.values(), ids=STATED)
@pytest.mark.parametrize(
    ("wire", "model"),
    [
        ("openai", "gpt-5.4-mini"),
        ("openai", "grok-4"),
        ("llama.cpp", "tinyllama"),
        ("anthropic", "claude-haiku-5-5"),
        ("gemini", "gemini-3.5-flash"),
    ],
)
def test_every_protocol_carries_the_bound_on_an_answer(wire: str, model: str, stated: dict[str, Any]) -> None:
    assert bounds(outgoing(wire, model, stated, 1000)) == {7 if stated.get("max_tokens") == 7 else 1000}


@pytest.mark.parametrize("wire", WIRES)
def test_without_an_operator_s_bound_the_caller_s_goes_out_as_it_is(wire: str) -> None:
    assert bounds(outgoing(wire, "m", {"max_tokens": 5000}, None)) == {5000}
