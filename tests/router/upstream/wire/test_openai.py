"""OpenAI's wire: three fields of a request change; each event of a stream is checked and still passes unchanged."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.errors import UpstreamBroken, UpstreamRefused
from llm_router.model import Usage
from llm_router.routing.facts import NEEDS, read_chat
from llm_router.upstream.wire.openai import OpenAIReader, OpenAIWire
from tests.router.upstream.wire.support import chat, raised_in_stream, read_all, sent

WIRE = OpenAIWire()


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5.4-mini", "choices": [choice], **more}


USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
USAGE_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": USAGE}


# ---------------------------------------------------------------- requests


def test_only_model_and_stream_change_and_everything_else_is_the_bytes_it_came_in() -> None:
    body = (
        b'{ "temperature":1.0e0 , "messages":[{"role":"user","content":"\\u00fc \xc3\xbc"}], "model" : "asked",'
        b' "logit_bias":{"1":  -1.50}, "unknown_field": [1,  2], "n": 2}'
    )
    out = WIRE.outgoing(read_chat(body), "gpt-5.4-mini", stream=False).body
    assert b'"temperature":1.0e0' in out
    assert b'[{"role":"user","content":"\\u00fc \xc3\xbc"}]' in out
    assert b'{"1":  -1.50}' in out
    assert json.loads(out) == {**json.loads(body), "model": "gpt-5.4-mini", "stream": False}


def test_a_stream_is_always_asked_for_its_usage() -> None:
    assert sent(WIRE, chat(stream=True))["stream_options"] == {"include_usage": True}
    options = {"include_usage": False, "include_obfuscation": False}
    asked = chat(stream=True, stream_options=options)
    assert sent(WIRE, asked)["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert sent(WIRE, chat(stream=True, stream_options=None))["stream_options"] == {"include_usage": True}


def test_stream_options_go_only_with_a_stream() -> None:
    out = sent(WIRE, chat(stream=True, stream_options={"include_usage": True}), stream=False)
    assert "stream_options" not in out
    assert out["stream"] is False


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5.4-mini", "max_completion_tokens"),
        ("openai/gpt-6-astra", "max_completion_tokens"),
        ("o3", "max_completion_tokens"),
        ("o4-mini-2025-04-16", "max_completion_tokens"),
        ("gpt-4o-mini", "max_tokens"),
        ("gpt-35-turbo", "max_tokens"),
        ("gpt-oss-20b", "max_tokens"),
        ("grok-4", "max_tokens"),
        ("olmo-2", "max_tokens"),
    ],
)
def test_the_maximum_goes_by_the_name_that_the_model_knows(model: str, name: str) -> None:
    out = sent(WIRE, chat(max_tokens=17), model)
    assert {key: value for key, value in out.items() if key.startswith("max_")} == {name: 17}


def test_a_maximum_by_both_names_is_left_to_openai_to_judge() -> None:
    out = sent(WIRE, chat(max_tokens=17, max_completion_tokens=17), "gpt-5.4-mini")
    assert (out["max_tokens"], out["max_completion_tokens"]) == (17, 17)


def test_a_name_without_a_value_is_not_used() -> None:
    out = sent(WIRE, chat(max_tokens=17, max_completion_tokens=None), "gpt-5.4-mini")
    assert {key: value for key, value in out.items() if key.startswith("max_")} == {"max_completion_tokens": 17}


def test_where_it_is_sent_and_with_which_headers() -> None:
    streamed, whole = (WIRE.outgoing(chat(), "m", stream=stream) for stream in (True, False))
    assert streamed.path == whole.path == "/chat/completions"
    assert dict(streamed.headers) == {"content-type": "application/json", "accept": "text/event-stream"}
    assert dict(whole.headers)["accept"] == "application/json"
    assert WIRE.credentials("sk-1") == (("authorization", "Bearer sk-1"),)


def test_it_can_take_everything() -> None:
    assert WIRE.unsupported(NEEDS) == frozenset()
    assert not WIRE.collects


@given(st.text(min_size=1, max_size=20))
def test_any_model_name_is_escaped(model: str) -> None:
    assert sent(WIRE, chat(), model)["model"] == model


# ---------------------------------------------------------------- streams


def test_a_whole_stream() -> None:
    role, text, end, usage, done = read_all(
        OpenAIReader(),
        chunk({"role": "assistant", "content": "", "refusal": None}, usage=None),
        chunk({"content": "Hel"}, usage=None, obfuscation="x9"),
        chunk({}, "stop", usage=None),
        USAGE_CHUNK,
        b"[DONE]",
    )
    assert (role.content, role.finish, role.terminal) == (False, None, False)
    assert (text.content, text.delta, text.model) == (True, {"content": "Hel"}, "gpt-5.4-mini")
    assert (end.content, end.finish, end.usage) == (False, "stop", None)
    assert (usage.usage, usage.usage_only) == (Usage(input_tokens=9, output_tokens=2), True)
    assert (done.terminal, done.raw) == (True, None)


@given(st.text(max_size=40), st.sampled_from([b"", b" ", b"\n"]))
def test_bytes_pass_through_as_they_came(text: str, space: bytes) -> None:
    raw = json.dumps(chunk({"content": text}), ensure_ascii=False).encode() + space
    (piece,) = read_all(OpenAIReader(), raw)
    assert piece.raw == raw


@pytest.mark.parametrize(
    ("delta", "content"),
    [
        ({}, False),
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": None}, False),
        ({"role": "assistant", "content": "", "refusal": None, "tool_calls": []}, False),
        ({"content": "x"}, True),
        ({"content": " "}, True),
        ({"content": [{"type": "text", "text": "x"}]}, True),
        ({"refusal": "No."}, True),
        ({"reasoning_content": "Hm"}, True),
        ({"content": None, "reasoning": "Hm"}, True),
        ({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]}, True),
        ({"function_call": {"name": "f"}}, True),
    ],
)
def test_what_counts_as_content(delta: dict[str, Any], content: bool) -> None:
    (piece,) = read_all(OpenAIReader(), chunk(delta))
    assert piece.content is content


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("eos", "stop"),
        ("", None),
        (None, None),
    ],
)
def test_finish_reasons(reason: str | None, finish: str | None) -> None:
    (piece,) = read_all(OpenAIReader(), chunk({}, reason))
    assert piece.finish == finish


def test_usage_beside_a_choice_is_read_and_passed_on() -> None:
    (piece,) = read_all(OpenAIReader(), chunk({}, "stop", usage=USAGE))
    assert piece.usage == Usage(input_tokens=9, output_tokens=2)
    assert not piece.usage_only


def test_a_zero_usage_is_a_usage_and_an_absurd_one_is_none() -> None:
    zero, absurd = read_all(
        OpenAIReader(),
        {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
        {"choices": [], "usage": {"prompt_tokens": -5, "completion_tokens": 10**18}},
    )
    assert zero.usage == Usage()
    assert (absurd.usage, absurd.usage_only) == (None, False)


def test_metadata_chunks_without_choices_pass() -> None:
    (piece,) = read_all(OpenAIReader(), {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    assert (piece.content, piece.usage_only, piece.delta) == (False, False, None)


def test_events_of_other_kinds_and_empty_ones_mean_nothing() -> None:
    assert read_all(OpenAIReader(), {"type": "ping"}, b"", b" ") == []


def test_an_answer_of_several_choices_has_finished_when_all_have() -> None:
    def of(index: int, finish: str | None) -> dict[str, Any]:
        return {"choices": [{"index": index, "delta": {"content": "" if finish else "x"}, "finish_reason": finish}]}

    reader = OpenAIReader()
    pieces = read_all(reader, of(0, None), of(1, None), of(0, "length"))
    assert [piece.finish for piece in pieces] == [None, None, None]
    assert reader.end() is None
    (last,) = read_all(reader, of(1, "stop"))
    assert last.finish == "stop"
    assert reader.end() is not None


@pytest.mark.parametrize(
    "event",
    [
        b'{"choices":[{"index":0,"delta":{"content":"x"',
        b"{}}",
        b"[]",
        b'"text"',
        b"[DONE",
        b'{"choices":{}}',
        b'{"choices":[{"delta":5}]}',
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"choices":[],"id":"\xff\xfe"}',
        b'{"id":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_malformed_events_break_the_stream(event: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        OpenAIReader().read(event)


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_break_the_stream(event: bytes) -> None:
    with contextlib.suppress(UpstreamBroken, UpstreamRefused):
        OpenAIReader().read(event)


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        ({"error": {"message": "Overloaded", "type": "overloaded_error"}}, 529, "overloaded"),
        ({"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}, 429, "rate_limit_exceeded"),
        ({"error": {"message": "No money", "code": "insufficient_quota"}}, 402, "insufficient_quota"),
        ({"error": {"message": "boom", "type": "server_error"}}, 500, "server_error"),
        ({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503, "overloaded"),
        ({"error": {"code": "502", "message": "Provider disconnected"}, "choices": []}, 502, "server_error"),
        (
            {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}},
            400,
            "context_length_exceeded",
        ),
        ({"error": {"message": "maximum context length is 8192"}}, 400, "context_length_exceeded"),
        ({"error": {"type": "exceed_context_size_error", "code": 400}}, 400, "context_length_exceeded"),
        ({"error": {"type": "invalid_request_error", "message": "bad"}}, 400, "invalid_request_error"),
        ({"error": "boom"}, 500, "server_error"),
        ({"object": "error", "message": "boom", "type": "BadRequestError", "code": 400}, 400, "invalid_request_error"),
    ],
)
def test_errors_inside_a_stream_are_classified_as_errors_by_status_are(
    event: dict[str, Any], status: int, code: str
) -> None:
    refused = raised_in_stream(OpenAIReader(), event)
    assert (refused.status, refused.code) == (status, code)


def test_a_null_error_is_no_error() -> None:
    (piece,) = read_all(OpenAIReader(), chunk({"content": "x"}, error=None))
    assert piece.content


def test_the_end_of_a_stream_is_terminal_only_after_a_finish_reason() -> None:
    reader = OpenAIReader()
    read_all(reader, chunk({"content": "x"}))
    assert reader.end() is None
    read_all(reader, chunk({}, "stop"))
    end = reader.end()
    assert end is not None
    assert end.terminal


# ---------------------------------------------------------------- whole answers


def completion(**more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE, **more}


def test_a_whole_answer() -> None:
    complete = WIRE.answer(json.dumps(completion()).encode())
    assert complete.usage == Usage(input_tokens=9, output_tokens=2)
    assert (complete.finish, complete.model) == ("stop", "m")


def test_a_whole_answer_without_usage() -> None:
    assert WIRE.answer(json.dumps(completion(usage=None)).encode()).usage is None


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(UpstreamRefused) as raised:
        WIRE.answer(b'{"error":{"message":"Overloaded","type":"overloaded_error"}}')
    assert raised.value.status == 529


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        json.dumps(completion(choices=[])).encode(),
        json.dumps(completion(choices=None)).encode(),
        json.dumps(completion(choices=[{"index": 0, "finish_reason": "stop"}])).encode(),
        json.dumps(completion(choices=[{"index": 0, "message": {"content": "x"}, "finish_reason": None}])).encode(),
        json.dumps(completion()).encode()[:-10],
        json.dumps(completion(id="PLACE")).encode().replace(b"PLACE", b"\xff"),
    ],
)
def test_what_is_no_complete_answer_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        WIRE.answer(body)
