"""A chat request is read once and strictly, and its facts hold nothing of its text."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from llm_router.errors import ClientError
from llm_router.model import Requirements
from llm_router.pricing.estimate import PRIOR_OUTPUT_TOKENS
from llm_router.routing.facts import (
    MAX_TOKENS,
    ChatRequest,
    bounded,
    estimate_input_tokens,
    facts_of,
    most_tokens,
    read_chat,
)


def chat(longest_answer: int | None = None, **fields: Any) -> ChatRequest:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]} | fields
    return read_chat(json.dumps(body).encode(), longest_answer)


def test_reads_what_the_router_needs() -> None:
    request = chat(stream=True, stream_options={"include_usage": True}, max_completion_tokens=7, max_tokens=7)
    assert (request.model, request.stream, request.include_usage, request.max_tokens) == ("auto", True, True, 7)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": "../../admin"}, "model"),
        ({"model": "a" * 129}, "model"),
        ({"model": "x?y="}, "model"),
        ({"model": "https://evil/../x"}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "user", "content": "x"}] * 2049}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 12.0}, "max_tokens"),
        ({"max_tokens": "12"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"max_tokens": 9, "max_completion_tokens": 7}, "max_tokens"),
        ({"max_tokens": 2**31}, "max_tokens"),
        ({"max_completion_tokens": 10**400}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"n": 128}, "n"),
        ({"tools": "all"}, "tools"),
    ],
)
def test_a_field_at_fault_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError) as refused:
        chat(**fields)
    assert refused.value.status == 400
    assert refused.value.param == param


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_named(missing: str) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
    del body[missing]
    with pytest.raises(ClientError) as refused:
        read_chat(json.dumps(body).encode())
    assert refused.value.param == missing


@pytest.mark.parametrize(
    ("fields", "need"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}, "json_schema"),
        ({"response_format": {"type": "json_object"}}, "json_object"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "vision"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "audio"),
    ],
)
def test_features_that_change_the_meaning_are_needs(fields: dict[str, Any], need: str) -> None:
    assert chat(**fields).needs == {need}


def test_plain_requests_need_nothing() -> None:
    assert not chat(n=1, logprobs=False, tools=[], response_format={"type": "text"}).needs


def test_tokens_grow_with_every_part_of_the_prompt() -> None:
    short = facts_of(chat(), Requirements()).input_tokens
    parts = [{"type": "text", "text": "word " * 100}, {"type": "image_url", "image_url": {"url": "x"}}]
    long = facts_of(chat(messages=[{"role": "user", "content": parts}]), Requirements()).input_tokens
    assert 1 <= short < 20
    assert long > short + 100 + 700


@pytest.mark.parametrize(
    ("stated", "bound"),
    [
        ({}, 100),
        ({"max_tokens": None}, 100),
        ({"max_completion_tokens": None}, 100),
        ({"max_tokens": 7}, 7),
        ({"max_tokens": 100}, 100),
        ({"max_tokens": 101}, 100),
        ({"max_completion_tokens": MAX_TOKENS, "max_tokens": None}, 100),
        ({"max_completion_tokens": 101, "max_tokens": 101}, 100),
    ],
)
def test_no_answer_is_longer_than_the_operator_allows(stated: dict[str, Any], bound: int) -> None:
    """Of what is reserved, and of what is sent, under every name that it has there."""
    request = chat(100, **stated)
    assert most_tokens(request) == estimate_input_tokens(request) + bound
    sent = bounded(request, None)
    values = [json.loads(bytes(raw)) for name, raw in sent.fields.items() if name.startswith("max_")]
    assert {value for value in values if value is not None} == {bound}
    assert sent.max_tokens == bound
    assert {name: raw for name, raw in sent.fields.items() if not name.startswith("max_")} == {
        name: raw for name, raw in request.fields.items() if not name.startswith("max_")
    }


def test_without_an_operator_s_bound_what_is_sent_is_what_came() -> None:
    for stated in ({}, {"max_tokens": None}, {"max_tokens": MAX_TOKENS}, {"max_completion_tokens": 3}):
        request = chat(**stated)
        assert bounded(request, 10) is request


@pytest.mark.parametrize(("window", "told"), [(None, True), (1000, True), (50, False)])
def test_where_the_window_is_the_smaller_bound_none_is_sent(window: int | None, told: bool) -> None:
    assert ("max_tokens" in bounded(chat(100), window).fields) is told


@pytest.mark.parametrize(("max_tokens", "expected"), [(None, PRIOR_OUTPUT_TOKENS), (10, 10), (10_000, 150)])
def test_expected_output_is_capped_by_max_tokens(max_tokens: int | None, expected: int) -> None:
    assert facts_of(chat(max_tokens=max_tokens), Requirements()).expected_output_tokens == expected


def test_only_the_last_user_message_counts_for_complexity() -> None:
    hard = {"role": "user", "content": "Analyse and prove, step by step, why this algorithm terminates. " * 40}
    easy = {"role": "user", "content": "Thanks"}
    answered = facts_of(chat(messages=[hard, {"role": "assistant", "content": "Done."}, easy]), Requirements())
    asked = facts_of(chat(messages=[easy, {"role": "assistant", "content": "?"}, hard]), Requirements())
    assert answered.complexity < 0.2 < 0.5 <= asked.complexity


def test_facts_hold_nothing_of_the_text() -> None:
    facts = facts_of(chat(messages=[{"role": "user", "content": "canary-4711"}]), Requirements())
    assert b"canary-4711" not in msgspec.json.encode(facts)
