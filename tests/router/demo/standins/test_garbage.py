"""Whatever comes, a stand-in answers or refuses in its protocol's own shape; it never breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.demo.standins.anthropic import Anthropic
from llm_router.demo.standins.dialect import Dialect, Document, Refused, Request
from llm_router.demo.standins.gemini import Gemini
from llm_router.demo.standins.openai import OpenAI

from .raw import chat

DIALECTS: dict[str, Dialect] = {"openai": OpenAI(), "anthropic": Anthropic(), "gemini": Gemini()}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RICH: dict[str, dict[str, Any]] = {
    "openai": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "json"}]},
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
        "stop": ["x"],
        "temperature": 1,
        "n": 2,
        "max_completion_tokens": 9,
    },
    "anthropic": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text"}]}]},
        ],
        "system": [{"type": "text", "text": "x"}],
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "f"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "metadata": {"user_id": "x"},
        "stop_sequences": ["x"],
        "thinking": {"type": "adaptive"},
        "temperature": 1,
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
        ],
        "systemInstruction": {"parts": [{"text": "x"}]},
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "temperature": 1,
            "responseMimeType": "application/json",
            "responseSchema": SCHEMA,
            "stopSequences": ["x"],
            "maxOutputTokens": 9,
        },
    },
}

_scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3)
garbage = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "$ref", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths to everything inside ``value``."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [place for key, one in items for place in _places(one, (*path, key))]
    return [path, *inner] if path else inner


def _replaced(value: Any, path: tuple[str | int, ...], by: Any) -> Any:
    copy = json.loads(json.dumps(value))
    here = copy
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = by
    return copy


def _status(name: str, body: bytes, *, stream: bool) -> int:
    """The status of the reply, which must have its protocol's shape."""
    path, headers, _ = chat(name, stream=stream)
    path, _, query = path.partition("?")
    request = Request(method="POST", path=path, query=query, headers=tuple(headers.items()), body=body)
    try:
        reply = DIALECTS[name].reply(request)
    except Refused as refusal:
        reply = refusal.reply
        assert isinstance(reply, Document)
        assert json.loads(reply.body)["error"]["message"]
    return reply.status if isinstance(reply, Document) else 200


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_rich_request_is_in_order(name: str, stream: bool) -> None:
    assert _status(name, json.dumps({**chat(name, stream=stream)[2], **RICH[name]}).encode(), stream=stream) == 200


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data(), stream=st.booleans())
def test_one_garbled_field_is_answered_or_refused(name: str, data: st.DataObject, stream: bool) -> None:
    rich = {**chat(name, stream=stream)[2], **RICH[name]}
    place = data.draw(st.sampled_from(_places(rich)))
    body = json.dumps(_replaced(rich, place, data.draw(garbage))).encode()
    assert _status(name, body, stream=stream) in (200, 400, 404)


@pytest.mark.parametrize("name", DIALECTS)
@given(body=st.binary(max_size=40) | garbage.map(lambda value: json.dumps(value).encode()))
def test_any_other_body_is_refused(name: str, body: bytes) -> None:
    assert _status(name, body, stream=False) == 400
