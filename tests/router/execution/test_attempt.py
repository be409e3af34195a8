"""One attempt at a target that says odd things: nothing of ours is repeated, nothing grows without end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from multidict import CIMultiDict

from llm_router.config.schema import Timeouts
from llm_router.errors import UpstreamBroken, UpstreamRefused
from llm_router.execution.attempt import MAX_HELD_BYTES, Attempt
from llm_router.execution.deadlines import Deadlines
from llm_router.execution.standing import Slot
from llm_router.model import Choice, Target
from llm_router.routing.facts import read_chat
from llm_router.upstream.client import MAX_ANSWER_BYTES, read_whole
from llm_router.upstream.sender import Sender
from llm_router.upstream.wire import WIRES
from tests.router.upstream.raw import SYSTEM

CHAT = read_chat(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}', None)
SECRET = "0123456789abcdef0123456789abcdef"
"""Of no form by which it could be told from other text."""
ERROR = {"message": f"unknown field for key {SECRET}", "type": "invalid_request_error", "param": f"x-{SECRET}"}
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","x":"%s"}}]}\n\n' % (b"x" * 100_000)


class Saying:
    """An answer of these pieces, and the client that gets it."""

    status, headers = 200, CIMultiDict[str]()

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.said = 0

    async def send(self, *_request: Any, **_how: Any) -> Saying:
        return self

    async def some(self) -> bytes:
        data = next(self._pieces, b"")
        self.said += len(data)
        return data

    async def read(self, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
        return await read_whole(self, max_bytes)

    def close(self) -> None:
        pass


def attempt_at(saying: Saying) -> Attempt:
    """Within a running loop."""
    target = Target(name="t", kind="provider", owner="t", model="m")
    sender = Sender(
        target=target,
        wire=WIRES["openai"],
        base_url="http://127.0.0.1:9/v1",
        client=saying,
        unix_time=lambda: 0.0,
        tls=SYSTEM,
        credentials=(("api-key", SECRET),),
    )
    choice = Choice(target=target, reason="r", usd_per_1k_tokens=None, estimated_usd=None)
    return Attempt(choice, sender, Deadlines(Timeouts(), 600.0), lambda: 0.0, Slot(lambda: None))


@pytest.mark.parametrize("where", ["whole", "first", "later"])
def test_an_error_with_status_200_repeats_no_credential(where: str) -> None:
    error = json.dumps({"error": ERROR}).encode()
    content = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
    events = [content, b"data: " + error + b"\n\n"] if where == "later" else [b"data: " + error + b"\n\n"]

    async def ask() -> None:
        attempt = attempt_at(Saying(iter([error] if where == "whole" else events)))
        try:
            if where == "whole":
                await attempt.whole(CHAT, "id")
            else:
                await attempt.open(CHAT, "id")
                await attempt.more()
        finally:
            attempt.close()

    with pytest.raises(UpstreamRefused) as caught:
        asyncio.run(ask())
    assert (caught.value.status, caught.value.code) == (400, "invalid_request_error")
    assert (caught.value.message, caught.value.param) == ("unknown field for key ***", "x-***")
    assert SECRET not in str(caught.value)


def test_no_more_than_a_few_megabytes_are_held_back_for_the_first_content() -> None:
    """However few events they are."""
    saying = Saying(iter([ROLE] * 1000))

    async def ask() -> None:
        attempt = attempt_at(saying)
        try:
            await attempt.open(CHAT, "id")
        finally:
            attempt.close()

    with pytest.raises(UpstreamBroken):
        asyncio.run(ask())
    assert MAX_HELD_BYTES < saying.said < MAX_HELD_BYTES + 2 * len(ROLE)
