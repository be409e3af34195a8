"""What a target is sent, whatever its protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import pytest
from yarl import URL

from llm_router.errors import UpstreamRefused
from llm_router.model import Target
from llm_router.routing.facts import MAX_TOKENS, read_chat
from llm_router.upstream.client import Client
from llm_router.upstream.http1 import Http1Client
from llm_router.upstream.sender import MASK, Sender
from llm_router.upstream.signing import Signer
from llm_router.upstream.wire import WIRES
from tests.router.upstream.raw import OK, STACKS, SYSTEM, Stack, Upstream, head

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
        client=Http1Client(connect_timeout_s=20.0),
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


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_what_is_sent_again_over_a_fresh_connection_is_signed_anew(stack: Stack) -> None:
    """The gate may have read the first one, and takes no signature twice: its 401 would look like a wrong key."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int) -> None:
        while True:
            read = await head(reader)
            await reader.readexactly(int(re.findall(rb"content-length: (\d+)", read.lower())[0]))
            seen.extend(re.findall(rb'nonce="([^"]+)"', read))
            if (nth, len(seen)) == (1, 2):
                return
            writer.write(OK)

    async def use(client: Client, url: URL, _upstream: Upstream) -> None:
        sender = Sender(
            target=Target(name="t", kind="cluster", owner="t", model="m", wire="llama.cpp"),
            wire=WIRES["llama.cpp"],
            base_url=str(url.with_path("/v1")),
            client=client,
            unix_time=lambda: 1.7e9,
            tls=SYSTEM,
            signer=Signer("t.1", base64.b64encode(bytes(range(32))).decode(), "t.example", "t"),
        )
        chat = read_chat(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}', None)
        for _ in range(2):
            answer = await sender.send(sender.outgoing(chat), "id")
            assert await answer.read() == b"ok"
            answer.close()

    stack.against(serve, use)
    assert len(set(seen)) == 3


@pytest.mark.parametrize("wire", WIRES)
def test_without_an_operator_s_bound_the_caller_s_goes_out_as_it_is(wire: str) -> None:
    assert bounds(outgoing(wire, "m", {"max_tokens": 5000}, None)) == {5000}


def test_a_key_within_which_a_message_was_cut_is_masked_too() -> None:
    key = "key-of-0123456789abcdef"
    sender = Sender(
        target=Target(name="t", kind="provider", owner="t", model="m", context_length=None),
        wire=WIRES["openai"],
        base_url="http://127.0.0.1:9/v1",
        client=Http1Client(connect_timeout_s=20.0),
        unix_time=lambda: 0.0,
        tls=SYSTEM,
        credentials=(("authorization", f"Bearer {key}"),),
    )
    for said, shown in ((f"no {key} here", "no *** here"), (f"no {key[:12]}", "no ***"), ("no key", "no key")):
        assert sender.masked(UpstreamRefused(500, "x", said)).message == shown.replace("***", MASK)
