"""A chat request in Anthropic's terms; the official SDK's types are the judge of its shape."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from llm_router.errors import UpstreamBroken
from llm_router.routing.facts import NEEDS, ChatRequest
from llm_router.upstream.wire.anthropic import DEFAULT_MAX_TOKENS, AnthropicWire, takes_sampling
from tests.router.upstream.wire.support import HI, TOOL, chat, refused_param, sent

WIRE = AnthropicWire()
SHAPE = TypeAdapter(MessageCreateParamsStreaming)
OLD, NEW = "claude-haiku-4-5", "claude-sonnet-5-5"


def body(request: ChatRequest, model: str = OLD) -> dict[str, Any]:
    out = sent(WIRE, request, model)
    SHAPE.validate_python(out)
    return out


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_the_smallest_request() -> None:
    assert body(chat()) == {
        "model": OLD,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": [{"role": "user", "content": [text("Hi")]}],
        "stream": True,
    }


def test_where_it_is_sent_and_with_which_headers() -> None:
    outgoing = WIRE.outgoing(chat(), OLD, stream=True)
    assert outgoing.path == "/messages"
    assert dict(outgoing.headers) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": "2023-06-01",
    }
    assert WIRE.credentials("sk-ant-1") == (("x-api-key", "sk-ant-1"),)
    assert WIRE.collects


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


# ---------------------------------------------------------------- messages


def test_instructions_leave_the_conversation_wherever_they_stand() -> None:
    out = body(
        chat(
            [
                {"role": "system", "content": "Be brief."},
                *HI,
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            ]
        )
    )
    assert out["system"] == [text("Be brief."), text("Be kind.")]
    assert out["messages"] == [{"role": "user", "content": [text("Hi")]}]


def test_instructions_alone_are_what_is_asked() -> None:
    out = body(chat([{"role": "system", "content": "Say hello."}]))
    assert "system" not in out
    assert out["messages"] == [{"role": "user", "content": [text("Say hello.")]}]


def test_consecutive_messages_of_a_speaker_are_one_turn_and_empty_texts_say_nothing() -> None:
    out = body(
        chat(
            [
                {"role": "user", "content": "a"},
                {"role": "user", "content": ""},
                {"role": "user", "content": [text("b"), text("")]},
                {"role": "assistant", "content": ""},
                {"role": "user", "content": "c"},
            ]
        )
    )
    assert out["messages"] == [{"role": "user", "content": [text("a"), text("b"), text("c")]}]


def test_a_tool_loop() -> None:
    out = body(
        chat(
            [
                {"role": "user", "content": "Weather in Ulm and Bonn?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [call("call_1", "weather", '{"city": "Ulm"}'), call("call.2", "weather", "")],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
                {"role": "tool", "tool_call_id": "call.2", "content": [text("ra"), text("in")]},
                {"role": "user", "content": "So?"},
            ],
            tools=[TOOL],
        )
    )
    _, assistant, user = out["messages"]
    assert assistant["content"] == [
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Ulm"}},
        {"type": "tool_use", "id": "call_2", "name": "weather", "input": {}},
    ]
    assert user == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
            {"type": "tool_result", "tool_use_id": "call_2", "content": "rain"},
            text("So?"),
        ],
    }


def test_pictures() -> None:
    parts = [
        text("What is this?"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
        picture("https://example.com/a.png"),
    ]
    out = body(chat([{"role": "user", "content": parts}]))
    assert out["messages"][0]["content"] == [
        text("What is this?"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]


# ---------------------------------------------------------------- fields


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_both_names_of_the_maximum(name: str) -> None:
    assert body(chat(None, **{name: 17}))["max_tokens"] == 17


@pytest.mark.parametrize(("stop", "sequences"), [("END", ["END"]), (["a", "b"], ["a", "b"])])
def test_stop(stop: Any, sequences: list[str]) -> None:
    assert body(chat(stop=stop))["stop_sequences"] == sequences


@pytest.mark.parametrize(
    ("fields", "user_id"),
    [({"user": "u"}, "u"), ({"safety_identifier": "s"}, "s"), ({"user": "u", "safety_identifier": "s"}, "u")],
)
def test_the_user_goes_along(fields: dict[str, Any], user_id: str) -> None:
    assert body(chat(**fields))["metadata"] == {"user_id": user_id}


def test_tools() -> None:
    strict = {"type": "function", "function": {"name": "time", "strict": True}}
    out = body(chat(tools=[TOOL, strict]))
    function = TOOL["function"]
    assert isinstance(function, dict)
    assert out["tools"] == [
        {"name": "weather", "description": function["description"], "input_schema": function["parameters"]},
        {"name": "time", "input_schema": {"type": "object", "properties": {}}, "strict": True},
    ]
    assert "tool_choice" not in out


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, {"type": "tool", "name": "weather"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "required"}, {"type": "any", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_tool_choice(fields: dict[str, Any], choice: dict[str, Any] | None) -> None:
    assert body(chat(tools=[TOOL], **fields)).get("tool_choice") == choice


def test_a_choice_without_tools_is_none() -> None:
    assert "tool_choice" not in body(chat(tool_choice="auto"))


def test_a_json_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    out = body(chat(response_format=wanted))
    assert out["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert "output_config" not in body(chat(response_format={"type": "text"}))


@pytest.mark.parametrize(
    ("model", "fields", "sampling", "dropped"),
    [
        (OLD, {"temperature": 0.3}, {"temperature": 0.3}, ()),
        (OLD, {"top_p": 0.9}, {"top_p": 0.9}, ()),
        (OLD, {"temperature": 0.3, "top_p": 1}, {"temperature": 0.3}, ()),
        (OLD, {"temperature": 0.3, "top_p": 0.9}, {"temperature": 0.3}, ("top_p",)),
        (OLD, {"temperature": 1.7}, {"temperature": 1.0}, ("temperature",)),
        (NEW, {"temperature": 0.3}, {}, ("temperature",)),
        (NEW, {"top_p": 0.9}, {}, ("top_p",)),
        (NEW, {"temperature": 0.3, "top_p": 0.9}, {}, ("temperature", "top_p")),
    ],
)
def test_sampling_as_far_as_the_model_takes_it(
    model: str, fields: dict[str, Any], sampling: dict[str, float], dropped: tuple[str, ...]
) -> None:
    out = body(chat(**fields), model)
    assert {name: out[name] for name in ("temperature", "top_p") if name in out} == sampling
    assert WIRE.outgoing(chat(**fields), model, stream=True).dropped == dropped


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("claude-3-5-haiku-20241022", True),
        ("claude-sonnet-4-20250514", True),
        ("claude-opus-4-1-20250805", True),
        ("claude-sonnet-4-6", True),
        ("claude-opus-4-7", False),
        ("claude-opus-4.8", False),
        ("claude-haiku-5-5", False),
        ("claude-sonnet-5-20260601", False),
        ("anthropic/claude-opus-5", False),
        ("claude-instant", True),
        ("my-own", True),
    ],
)
def test_which_models_take_sampling(model: str, takes: bool) -> None:
    assert takes_sampling(model) is takes


@pytest.mark.parametrize(
    "hint",
    [
        {"seed": 1},
        {"metadata": {"a": "b"}},
        {"service_tier": "flex"},
        {"frequency_penalty": 0.5},
        {"id_slot": 1},
        {"reasoning_effort": "low"},
        {"store": True},
    ],
)
def test_hints_are_left_out_and_named(hint: dict[str, Any]) -> None:
    assert WIRE.outgoing(chat(**hint), OLD, stream=True).dropped == tuple(hint)
    assert not hint.keys() & body(chat(**hint)).keys()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"grammar": "x"}, "grammar"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": [1]}, "stop[0]"),
    ],
)
def test_fields_that_cannot_be_said_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused_param(WIRE, chat(**fields)) == param


ASSISTANT = {"role": "assistant", "content": None}


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "content[0].type"),
        ({"role": "user", "content": [picture("file:///etc/passwd")]}, "content[0].image_url.url"),
        ({"role": "user", "content": [picture("data:image/svg+xml,<svg/>")]}, "content[0].image_url.url"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "content[0].image_url.url"),
        ({"role": "system", "content": [picture("https://x/a.png")]}, "content[0]"),
        ({"role": "function", "content": "x"}, "role"),
        ({"role": "tool", "tool_call_id": "call_9", "content": "x"}, "tool_call_id"),
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({**ASSISTANT, "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
        ({**ASSISTANT, "audio": {"id": "a"}}, "audio"),
        ({**ASSISTANT, "tool_calls": [call("c", "f", "{")]}, "tool_calls[0].function.arguments"),
        ({**ASSISTANT, "tool_calls": [call("c", "f", "[1]")]}, "tool_calls[0].function.arguments"),
        ({**ASSISTANT, "tool_calls": [{"id": "c", "function": {}}]}, None),
    ],
)
def test_messages_that_cannot_be_said_are_refused_by_name(message: dict[str, Any], param: str | None) -> None:
    refused = refused_param(WIRE, chat([*HI, message]))
    if param is None:
        assert refused is not None
    else:
        assert refused == f"messages[1].{param}"


def test_what_it_cannot_take() -> None:
    assert WIRE.unsupported(NEEDS) == NEEDS & {"n", "logprobs", "audio", "json_object"}


def test_it_is_never_asked_for_a_whole_answer() -> None:
    with pytest.raises(UpstreamBroken):
        WIRE.answer(b"{}")


TEXTS = st.text(max_size=10)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer", "user", "assistant"]), "content": TEXTS}),
    min_size=1,
    max_size=8,
)


@given(MESSAGES)
def test_every_word_of_a_conversation_arrives_once_in_order_and_turns_alternate(messages: list[dict[str, str]]) -> None:
    out = sent(WIRE, chat(messages))
    system = [block["text"] for block in out.get("system", [])]
    said = [block["text"] for message in out["messages"] for block in message["content"]]
    instructions = [m["content"] for m in messages if m["role"] in ("system", "developer") and m["content"]]
    others = [m["content"] for m in messages if m["role"] in ("user", "assistant") and m["content"]]
    assert (system, said) == ((instructions, others) if others else ([], instructions))
    speakers = [message["role"] for message in out["messages"]]
    assert all(one != other for one, other in pairwise(speakers))
