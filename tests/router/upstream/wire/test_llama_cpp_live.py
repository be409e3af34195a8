"""What the wire sends is taken, and what it reads is said, by llama.cpp's own server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from llm_router.errors import UpstreamRefused
from llm_router.routing.facts import ChatRequest
from llm_router.upstream.sse import Splitter
from llm_router.upstream.wire.base import Piece
from llm_router.upstream.wire.chunks import Collector
from llm_router.upstream.wire.llama_cpp import LlamaCppWire
from tests.router.llama import Llama
from tests.router.upstream.wire.support import chat

WIRE = LlamaCppWire()


def ask(llama: Llama, request: ChatRequest) -> list[Piece]:
    outgoing = WIRE.outgoing(request, llama.model, stream=True)
    headers = dict(outgoing.headers + WIRE.credentials(llama.api_key))
    with (
        httpx.Client(base_url=f"{llama.url}/v1", trust_env=False, timeout=60) as client,
        client.stream("POST", outgoing.path, headers=headers, content=outgoing.body) as answer,
    ):
        if answer.status_code != 200:
            raise WIRE.refused(answer.status_code, answer.headers, answer.read())
        splitter, reader = Splitter(), WIRE.reader()
        events = [event for data in answer.iter_raw() for event in splitter.feed(data)]
        assert not splitter.close()
    return [piece for event in events if (piece := reader.read(event.data, event.name)) is not None]


def message(pieces: list[Piece]) -> dict[str, Any]:
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    usage = next(piece.usage for piece in reversed(pieces) if piece.usage is not None)
    body = collector.completion(id="1", created=1, model="m", usage=usage)
    found: dict[str, Any] = json.loads(body)["choices"][0]["message"]
    return found


def test_a_stream_has_content_a_finish_reason_usage_and_a_terminal_event(llama: Llama) -> None:
    pieces = ask(llama, chat(max_tokens=8, stop=None, seed=1, user="hint", temperature=0))
    content = [piece.content for piece in pieces]
    assert not content[0]
    assert 1 <= sum(content) <= 8
    assert [piece.finish for piece in pieces if piece.finish] in (["length"], ["stop"])
    (usage,) = [piece.usage for piece in pieces if piece.usage is not None]
    assert usage.all_input_tokens > 0
    assert 1 <= usage.output_tokens <= 8
    assert pieces[-1].terminal


def test_json_that_follows_a_schema(llama: Llama) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    answer = json.loads(message(ask(llama, chat(response_format=wanted, max_tokens=100)))["content"])
    assert set(answer) == {"a"}
    assert isinstance(answer["a"], bool)


def test_a_prompt_that_does_not_fit_is_a_context_overflow(llama: Llama) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        ask(llama, chat([{"role": "user", "content": "word " * 20_000}]))
    assert (raised.value.status, raised.value.code) == (400, "context_length_exceeded")


def test_a_wrong_key_is_the_operators_fault(llama: Llama) -> None:
    wrong = Llama(url=llama.url, api_key="wrong", model=llama.model, process=llama.process)
    with pytest.raises(UpstreamRefused) as raised:
        ask(wrong, chat())
    assert (raised.value.status, raised.value.code) == (401, "invalid_api_key")
