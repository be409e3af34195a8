"""A chat request in Gemini's terms; the official SDK's models, which refuse unknown fields, judge its shape."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types

from llm_router.errors import UpstreamBroken
from llm_router.routing.facts import NEEDS, ChatRequest
from llm_router.upstream.wire.gemini import NO_SIGNATURE, GeminiWire
from tests.router.upstream.wire.support import HI, TOOL, chat, refused_param, sent

WIRE = GeminiWire()


def body(request: ChatRequest) -> dict[str, Any]:
    out = sent(WIRE, request)
    for content in out["contents"]:
        types.Content.model_validate(content)
    types.Content.model_validate(out.get("systemInstruction", {}))
    types.GenerationConfig.model_validate(out.get("generationConfig", {}))
    for tool in out.get("tools", []):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(out.get("toolConfig", {}))
    known = {"contents", "systemInstruction", "generationConfig", "tools", "toolConfig"}
    assert out.keys() <= known
    return out


def call(id: str, name: str, arguments: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def test_the_smallest_request() -> None:
    assert body(chat()) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("gemini-3.5-flash-lite", True, "/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse"),
        ("gemini-3.5-flash-lite", False, "/models/gemini-3.5-flash-lite:generateContent"),
        ("tuned/../x?y#z", True, "/models/tuned%2F..%2Fx%3Fy%23z:streamGenerateContent?alt=sse"),
    ],
)
def test_the_model_is_one_segment_of_the_path(model: str, stream: bool, path: str) -> None:
    assert WIRE.outgoing(chat(), model, stream=stream).path == path


def test_headers() -> None:
    headers = dict(WIRE.outgoing(chat(), "m", stream=True).headers)
    assert headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert WIRE.credentials("AIza") == (("x-goog-api-key", "AIza"),)
    assert WIRE.collects


def test_roles_and_instructions() -> None:
    out = body(
        chat(
            [
                {"role": "system", "content": "Be brief."},
                *HI,
                {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            ]
        )
    )
    assert out["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert out["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "Hello"}]},
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
    ]


def test_a_tool_loop_keeps_signatures_and_stands_in_for_missing_ones() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    out = body(
        chat(
            [
                *HI,
                {
                    "role": "assistant",
                    "tool_calls": [call("c1", "weather", '{"city":"Ulm"}', **signed), call("c2", "now", "")],
                },
                {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "blue"}'},
                {"role": "tool", "tool_call_id": "c2", "content": "12:00"},
                {"role": "assistant", "tool_calls": [call("c3", "now", "{}"), call("c4", "now", "{}")]},
                {"role": "tool", "tool_call_id": "c3", "content": "[1]"},
                {"role": "tool", "tool_call_id": "c4", "content": ""},
            ],
            tools=[TOOL],
        )
    )
    _, first, results, second, more_results = out["contents"]
    assert first["parts"] == [
        {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Ulm"}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "c2", "name": "now", "args": {}}},
    ]
    assert results == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "c1", "name": "weather", "response": {"sky": "blue"}}},
            {"functionResponse": {"id": "c2", "name": "now", "response": {"result": "12:00"}}},
        ],
    }
    assert [part.get("thoughtSignature") for part in second["parts"]] == [NO_SIGNATURE, None]
    assert [part["functionResponse"]["response"] for part in more_results["parts"]] == [
        {"result": "[1]"},
        {"result": ""},
    ]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("data:image/webp;base64,UklGRg==", {"inlineData": {"mimeType": "image/webp", "data": "UklGRg=="}}),
        (
            "https://example.com/A.PNG?x=1",
            {"fileData": {"fileUri": "https://example.com/A.PNG?x=1", "mimeType": "image/png"}},
        ),
        ("https://example.com/a", {"fileData": {"fileUri": "https://example.com/a"}}),
    ],
)
def test_pictures(url: str, part: dict[str, Any]) -> None:
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    assert body(chat([message]))["contents"][0]["parts"] == [part]


def test_generation_config() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    out = body(
        chat(
            temperature=1.7,
            top_p=0.9,
            max_completion_tokens=100,
            stop="END",
            seed=42,
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        )
    )
    assert out["generationConfig"] == {
        "temperature": 1.7,
        "topP": 0.9,
        "maxOutputTokens": 100,
        "stopSequences": ["END"],
        "seed": 42,
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }


def test_any_json() -> None:
    out = body(chat(response_format={"type": "json_object"}))
    assert out["generationConfig"] == {"responseMimeType": "application/json"}


def test_a_seed_that_gemini_cannot_hold_is_left_out_and_named() -> None:
    assert "generationConfig" not in body(chat(seed=2**40))
    assert WIRE.outgoing(chat(seed=2**40), "m", stream=True).dropped == ("seed",)


def test_tools() -> None:
    out = body(chat(tools=[TOOL, {"type": "function", "function": {"name": "now"}}]))
    function = TOOL["function"]
    assert isinstance(function, dict)
    assert out["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": function["description"],
                    "parametersJsonSchema": function["parameters"],
                },
                {"name": "now"},
            ]
        }
    ]
    assert "toolConfig" not in out


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "weather"}}, {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_tool_choice(choice: Any, calling: dict[str, Any]) -> None:
    assert body(chat(tools=[TOOL], tool_choice=choice))["toolConfig"] == {"functionCallingConfig": calling}


@pytest.mark.parametrize(
    "hint", [{"user": "u"}, {"frequency_penalty": 1}, {"parallel_tool_calls": False}, {"id_slot": 1}]
)
def test_hints_are_left_out_and_named(hint: dict[str, Any]) -> None:
    assert WIRE.outgoing(chat(**hint), "m", stream=True).dropped == tuple(hint)
    assert body(chat(**hint)) == body(chat())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
    ],
)
def test_fields_that_cannot_be_said_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused_param(WIRE, chat(**fields)) == param


def test_what_it_cannot_take() -> None:
    assert WIRE.unsupported(NEEDS) == {"n", "logprobs", "audio"}


def test_it_is_never_asked_for_a_whole_answer() -> None:
    with pytest.raises(UpstreamBroken):
        WIRE.answer(b"{}")
