"""Chunks and completions that the router writes itself are what the official SDK reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llm_router.errors import UpstreamBroken
from llm_router.model import Usage
from llm_router.upstream.wire.base import Piece
from llm_router.upstream.wire.chunks import Collector, chunk, usage_chunk

USAGE = Usage(input_tokens=7, cache_read_tokens=3, cache_write_tokens=2, output_tokens=5, reasoning_tokens=1)


def completion(*pieces: Piece, usage: Usage = USAGE) -> ChatCompletion:
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    raw = collector.completion(id="chatcmpl-1", created=1_763_700_000, model="m", usage=usage)
    return ChatCompletion.model_validate_json(raw)


def test_a_chunk() -> None:
    raw = chunk(Piece(delta={"content": "ü"}, content=True), id="chatcmpl-1", created=1_763_700_000, model="m")
    parsed = ChatCompletionChunk.model_validate_json(raw)
    assert (parsed.id, parsed.created, parsed.model) == ("chatcmpl-1", 1_763_700_000, "m")
    assert parsed.choices[0].delta.content == "ü"
    assert parsed.choices[0].finish_reason is None
    assert parsed.usage is None


def test_the_last_chunk_of_a_choice() -> None:
    raw = chunk(Piece(delta={}, finish="tool_calls"), id="1", created=1, model="m")
    choice = ChatCompletionChunk.model_validate_json(raw).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.delta.content is None


def test_the_usage_chunk() -> None:
    parsed = ChatCompletionChunk.model_validate_json(usage_chunk(USAGE, id="1", created=1, model="m"))
    assert parsed.choices == []
    assert parsed.usage is not None
    assert (parsed.usage.prompt_tokens, parsed.usage.completion_tokens, parsed.usage.total_tokens) == (12, 5, 17)
    assert parsed.usage.prompt_tokens_details is not None
    assert parsed.usage.prompt_tokens_details.cached_tokens == 3
    assert parsed.usage.completion_tokens_details is not None
    assert parsed.usage.completion_tokens_details.reasoning_tokens == 1


def test_a_collected_answer() -> None:
    parsed = completion(
        Piece(delta={"role": "assistant", "content": None}),
        Piece(delta={"content": "Hel"}, content=True),
        Piece(delta={"content": "lo"}, content=True),
        Piece(delta={}, finish="length"),
        Piece(usage=USAGE, usage_only=True),
        Piece(terminal=True),
    )
    (choice,) = parsed.choices
    assert choice.finish_reason == "length"
    assert (choice.message.role, choice.message.content, choice.message.refusal) == ("assistant", "Hello", None)
    assert choice.message.tool_calls is None
    assert parsed.usage is not None
    assert parsed.usage.total_tokens == 17


def test_tool_calls_are_joined_by_index() -> None:
    fragments = [
        {"index": 0, "id": "call_a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "id": "call_b", "type": "function", "function": {"name": "g", "arguments": '{"b"'}},
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 1, "function": {"arguments": ":2}"}},
        {"index": 0, "function": {"arguments": "1}"}},
    ]
    pieces = [Piece(delta={"tool_calls": [fragment]}, content=True) for fragment in fragments]
    message = completion(*pieces, Piece(finish="tool_calls")).choices[0].message
    assert message.content is None
    assert message.tool_calls is not None
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]  # type: ignore[union-attr]  # no custom tools
    assert calls == [("call_a", "f", '{"a":1}'), ("call_b", "g", '{"b":2}')]


def test_text_before_tool_calls_is_kept() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    message = (
        completion(Piece(delta={"content": "Let me see."}), Piece(delta={"tool_calls": [call]})).choices[0].message
    )
    assert message.content == "Let me see."


def test_a_signature_of_a_tool_call_is_kept() -> None:
    collector = Collector()
    extra = {"google": {"thought_signature": "abc"}}
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}
    collector.add(Piece(delta={"tool_calls": [call]}))
    message = json.loads(collector.completion(id="1", created=1, model="m", usage=USAGE))["choices"][0]["message"]
    assert message["tool_calls"][0]["extra_content"] == extra


def test_refusals_and_reasoning() -> None:
    message = (
        completion(
            Piece(delta={"reasoning_content": "Hm, "}),
            Piece(delta={"reasoning_content": "no."}),
            Piece(delta={"refusal": "No."}),
        )
        .choices[0]
        .message
    )
    assert (message.content, message.refusal) == (None, "No.")
    assert message.model_extra == {"reasoning_content": "Hm, no."}


def test_an_answer_without_content_is_an_empty_text() -> None:
    assert completion(Piece(delta={}, finish="stop")).choices[0].message.content == ""


@pytest.mark.parametrize(
    "delta",
    [
        {"content": 5},
        {"tool_calls": {}},
        {"tool_calls": [{"index": "0"}]},
        {"tool_calls": [{"function": {"name": []}}]},
    ],
)
def test_a_delta_that_is_not_as_openai_has_them_is_broken(delta: dict[str, object]) -> None:
    with pytest.raises(UpstreamBroken):
        Collector().add(Piece(delta=delta))


@given(st.lists(st.text(max_size=5), max_size=10))
def test_what_is_collected_is_what_was_streamed(texts: list[str]) -> None:
    pieces = [Piece(delta={"content": text}) for text in texts]
    assert completion(*pieces).choices[0].message.content == "".join(texts)
