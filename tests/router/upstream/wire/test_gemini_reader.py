"""Gemini's stream in OpenAI's terms: text, thoughts, function calls, usage, finish reasons, errors, blocked prompts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_router.errors import UpstreamBroken
from llm_router.model import Usage
from llm_router.upstream.wire.gemini import GeminiWire
from llm_router.upstream.wire.gemini_reader import GeminiReader, usage_of
from tests.router.upstream.wire.support import chat, raised_in_stream, read_all, sent


def frame(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-3.5-flash-lite", "responseId": "r1", **more}


def counts(prompt: int, candidates: int, **more: int) -> dict[str, Any]:
    return {"usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": candidates, **more}}


def test_a_whole_text_stream() -> None:
    reader = GeminiReader()
    first, second, last = read_all(
        reader,
        frame({"text": "Hel"}, **counts(9, 1)),
        frame({"text": "lo"}, **counts(9, 2)),
        frame({"text": ""}, finish="STOP", **counts(9, 3)),
    )
    assert (first.delta, first.content, first.raw) == ({"role": "assistant", "content": "Hel"}, True, None)
    assert first.model == "gemini-3.5-flash-lite"
    assert second.delta == {"content": "lo"}
    assert (last.delta, last.content, last.finish, last.terminal) == ({}, False, "stop", False)
    assert [piece.usage for piece in (first, last)] == [
        Usage(input_tokens=9, output_tokens=1),
        Usage(input_tokens=9, output_tokens=3),
    ]
    end = reader.end()
    assert end is not None
    assert end.terminal


def test_the_end_of_a_stream_without_a_finish_reason_is_not_terminal() -> None:
    reader = GeminiReader()
    read_all(reader, frame({"text": "Hel"}), frame({"text": "x"}, finish="FINISH_REASON_UNSPECIFIED"))
    assert reader.end() is None


def test_thoughts_are_reasoning() -> None:
    (piece,) = read_all(
        GeminiReader(), frame({"text": "Hm", "thought": True}, {"text": "4"}, {"text": "2", "thoughtSignature": "c2ln"})
    )
    assert piece.delta == {"role": "assistant", "reasoning_content": "Hm", "content": "42"}


def test_function_calls_are_tool_calls_and_finish_as_such() -> None:
    first, second, last = read_all(
        GeminiReader(),
        frame({"functionCall": {"name": "weather", "args": {"city": "Ulm"}}, "thoughtSignature": "c2ln"}),
        frame({"functionCall": {"id": "abc", "name": "now"}}),
        frame(finish="STOP"),
    )
    assert first.content
    assert first.delta == {
        "role": "assistant",
        "tool_calls": [
            {
                "index": 0,
                "id": "call_r1_0",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Ulm"}'},
                "extra_content": {"google": {"thought_signature": "c2ln"}},
            }
        ],
    }
    assert second.delta is not None
    (call,) = second.delta["tool_calls"]
    assert (call["index"], call["id"], call["function"]) == (1, "abc", {"name": "now", "arguments": "{}"})
    assert last.finish == "tool_calls"


def test_a_call_brought_back_by_the_caller_is_the_call_that_gemini_made() -> None:
    part = {"functionCall": {"id": "abc", "name": "weather", "args": {"city": "Ulm"}}, "thoughtSignature": "c2ln"}
    (piece,) = read_all(GeminiReader(), frame(part))
    assert piece.delta is not None
    calls = [{key: value for key, value in call.items() if key != "index"} for call in piece.delta["tool_calls"]]
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "abc", "content": "sunny"},
    ]
    assert sent(GeminiWire(), chat(history))["contents"][1]["parts"] == [part]


def test_ids_of_calls_differ_between_answers_without_an_id() -> None:
    ids = set()
    for _ in range(2):
        call = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]}
        (piece,) = read_all(GeminiReader(), call)
        assert piece.delta is not None
        ids.add(piece.delta["tool_calls"][0]["id"])
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("CONTINUATION", "length"), ("A_NEW_ONE", "stop")]
    + [
        (reason, "content_filter")
        for reason in (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "ESCALATION",
            "MODEL_ARMOR",
        )
    ],
)
def test_finish_reasons(reason: str, finish: str) -> None:
    (piece,) = read_all(GeminiReader(), {"candidates": [{"finishReason": reason}]})
    assert piece.finish == finish


@pytest.mark.parametrize(
    "reason",
    [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "OTHER",
    ],
)
def test_an_answer_that_gemini_gave_up_is_broken(reason: str) -> None:
    with pytest.raises(UpstreamBroken, match=reason):
        read_all(GeminiReader(), frame({"text": "x"}), frame(finish=reason))


def test_a_blocked_prompt_is_a_filtered_answer() -> None:
    reader = GeminiReader()
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **counts(9, 0)}
    (piece,) = read_all(reader, blocked)
    assert (piece.finish, piece.content, piece.usage) == ("content_filter", False, Usage(input_tokens=9))
    assert reader.end() is not None


def test_usage_alone_and_nothing_at_all() -> None:
    (piece,) = read_all(GeminiReader(), counts(9, 3), {"promptFeedback": {}}, {}, b"")
    assert (piece.usage, piece.usage_only) == (Usage(input_tokens=9, output_tokens=3), True)


@pytest.mark.parametrize(
    ("stated", "usage"),
    [
        (None, None),
        ({}, None),
        ({"candidatesTokenCount": 7}, None),
        (
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 60,
                "candidatesTokenCount": 7,
                "thoughtsTokenCount": 30,
                "toolUsePromptTokenCount": 5,
                "totalTokenCount": 142,
            },
            Usage(input_tokens=45, cache_read_tokens=60, output_tokens=37, reasoning_tokens=30),
        ),
        ({"promptTokenCount": 5, "cachedContentTokenCount": 9}, Usage(cache_read_tokens=5)),
        ({"promptTokenCount": 5, "candidatesTokenCount": None}, Usage(input_tokens=5)),
        ({"promptTokenCount": -5}, None),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 10**12}, None),
        ([], None),
    ],
)
def test_usage(stated: Any, usage: Usage | None) -> None:
    assert usage_of(stated) == usage


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}, 503, "overloaded"),
        ({"code": 500, "message": "Internal", "status": "INTERNAL"}, 500, "server_error"),
        ({"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}, 429, "rate_limit_exceeded"),
        ({"code": 402, "message": "Credits", "status": "RESOURCE_EXHAUSTED"}, 402, "insufficient_quota"),
        ({"message": "?", "status": "DEADLINE_EXCEEDED"}, 504, "timeout"),
    ],
)
def test_errors_inside_a_stream(error: dict[str, Any], status: int, code: str) -> None:
    refused = raised_in_stream(GeminiReader(), {"error": error})
    assert (refused.status, refused.code) == (status, code)


def test_the_wait_of_an_error_inside_a_stream() -> None:
    details = ["?", {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}]
    refused = raised_in_stream(GeminiReader(), {"error": {"code": 429, "details": details}})
    assert refused.retry_after_s == 1.5


@pytest.mark.parametrize(
    "event", [b"{", b"[]", b"5", b'{"candidates":5}', json.dumps(frame()).encode()[:-1], b"[DONE]"]
)
def test_malformed_events_break_the_stream(event: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        GeminiReader().read(event)
