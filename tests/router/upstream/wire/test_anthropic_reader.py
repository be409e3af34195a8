"""Anthropic's stream in OpenAI's terms: text, thinking, tool calls, usage, finish reasons, errors inside the stream."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.errors import UpstreamBroken, UpstreamRefused
from llm_router.model import Usage
from llm_router.upstream.wire.anthropic_reader import AnthropicReader
from llm_router.upstream.wire.base import Piece
from llm_router.upstream.wire.chunks import Collector
from tests.router.upstream.wire.support import raised_in_stream, read_all

START_USAGE = {"input_tokens": 20, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}
START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "usage": START_USAGE,
    },
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def block(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int, kind: str, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **content}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None, **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


def collected(pieces: list[Piece]) -> dict[str, Any]:
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    raw = collector.completion(id="1", created=1, model="m", usage=Usage())
    choice: dict[str, Any] = json.loads(raw)["choices"][0]
    return choice


def test_a_whole_text_stream() -> None:
    reader = AnthropicReader()
    pieces = read_all(
        reader,
        START,
        block(0, type="text", text=""),
        PING,
        delta(0, "text_delta", text="Hel"),
        delta(0, "text_delta", text="lo"),
        stop(0),
        end("end_turn", output_tokens=12),
        STOP,
    )
    role, first, second, last, done = pieces
    assert (role.delta, role.content, role.model) == ({"role": "assistant", "content": ""}, False, "claude-haiku-5-5")
    assert (first.delta, first.content, first.raw) == ({"content": "Hel"}, True, None)
    assert second.content
    assert (last.finish, last.terminal) == ("stop", False)
    assert last.usage == Usage(input_tokens=20, cache_read_tokens=100, cache_write_tokens=5, output_tokens=12)
    assert done.terminal
    assert collected(pieces)["message"]["content"] == "Hello"


def test_an_answer_that_breaks_has_its_input_counted_and_its_output_estimated() -> None:
    pieces = read_all(AnthropicReader(), START, delta(0, "text_delta", text="a"), delta(0, "text_delta", text="b"))
    assert pieces[-1].usage == Usage(
        input_tokens=20, cache_read_tokens=100, cache_write_tokens=5, output_tokens=2, estimated=True
    )


def test_counts_are_cumulative_and_absurd_ones_replace_nothing() -> None:
    *_, last = read_all(
        AnthropicReader(),
        START,
        end(None, output_tokens=5),
        end("end_turn", output_tokens=9, input_tokens=25, cache_read_input_tokens=-1, cache_creation_input_tokens=None),
    )
    assert last.usage == Usage(
        input_tokens=25, cache_read_tokens=100, cache_write_tokens=5, output_tokens=9, estimated=True
    )


@pytest.mark.parametrize(("told", "kept"), [(3, 3), (5, 5), (9, 5), (None, 0)])
def test_what_is_cached_for_an_hour_is_told_apart_and_never_more_than_what_is_cached(told: Any, kept: int) -> None:
    written = {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": told}
    *_, last = read_all(AnthropicReader(), START, end("end_turn", output_tokens=9, cache_creation=written))
    assert last.usage is not None
    assert (last.usage.cache_write_tokens, last.usage.cache_write_1h_tokens) == (5, kept)
    assert last.usage.all_input_tokens == 125


@pytest.mark.parametrize("absurd", [10**12, -5, "many", 1.5])
def test_an_absurd_output_is_counted_in_events_instead(absurd: object) -> None:
    texts = [delta(0, "text_delta", text=text) for text in "abc"]
    opened = block(0, type="text", text="")
    *_, last = read_all(AnthropicReader(), START, opened, *texts, end("end_turn", output_tokens=absurd))
    assert last.usage is not None
    assert (last.usage.output_tokens, last.usage.estimated) == (3, True)


def test_without_a_prompts_count_there_is_no_usage() -> None:
    *_, last = read_all(AnthropicReader(), end("end_turn", output_tokens=9))
    assert last.usage is None


def test_thinking_is_reasoning_and_its_signature_is_nothing() -> None:
    pieces = read_all(
        AnthropicReader(),
        START,
        block(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Hm"),
        delta(0, "signature_delta", signature="EqQB"),
        stop(0),
        delta(1, "text_delta", text="42"),
        delta(1, "citations_delta", citation={}),
        end("end_turn", output_tokens=30, output_tokens_details={"thinking_tokens": 25}),
    )
    assert collected(pieces)["message"] == {
        "role": "assistant",
        "content": "42",
        "refusal": None,
        "reasoning_content": "Hm",
    }
    assert pieces[1].content
    assert pieces[-1].usage is not None
    assert (pieces[-1].usage.output_tokens, pieces[-1].usage.reasoning_tokens) == (30, 25)


def test_tool_calls_get_openais_indexes() -> None:
    pieces = read_all(
        AnthropicReader(),
        START,
        block(0, type="text", text=""),
        delta(0, "text_delta", text="Let me see."),
        stop(0),
        block(1, type="tool_use", id="toolu_1", name="weather", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"city": "U'),
        delta(1, "input_json_delta", partial_json='lm"}'),
        stop(1),
        block(2, type="tool_use", id="toolu_2", name="now", input={}),
        delta(2, "input_json_delta", partial_json=""),
        stop(2),
        end("tool_use", output_tokens=40),
    )
    choice = collected(pieces)
    calls = choice["message"]["tool_calls"]
    assert [(call["id"], call["function"]["name"]) for call in calls] == [("toolu_1", "weather"), ("toolu_2", "now")]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": "Ulm"}, {}]
    assert choice["finish_reason"] == "tool_calls"
    assert all(piece.content for piece in pieces if piece.delta and "tool_calls" in piece.delta)


def test_a_call_that_comes_whole_keeps_its_arguments() -> None:
    start = block(0, type="tool_use", id="toolu_1", name="weather", input={"city": "Ulm"})
    pieces = read_all(AnthropicReader(), START, start, stop(0), end("tool_use"))
    arguments = collected(pieces)["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"city": "Ulm"}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("a_new_one", "stop"),
        (None, None),
    ],
)
def test_finish_reasons(reason: str | None, finish: str | None) -> None:
    (piece,) = read_all(AnthropicReader(), end(reason, output_tokens=1))
    assert piece.finish == finish


@pytest.mark.parametrize(
    "event",
    [
        PING,
        {"type": "a_new_event", "delta": "of another shape", "usage": 5},
        block(0, type="server_tool_use", id="s", name="web_search", input={}),
        block(0, type="web_search_tool_result", tool_use_id="s", content=[]),
        delta(7, "input_json_delta", partial_json="{}"),
        delta(0, "a_new_delta", text="x"),
        stop(3),
        b"",
    ],
)
def test_what_it_does_not_know_is_ignored(event: Any) -> None:
    assert read_all(AnthropicReader(), event) == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, 529, "overloaded"),
        ({"type": "api_error", "message": "Internal server error"}, 500, "server_error"),
        ({"type": "rate_limit_error", "message": "Slow down"}, 429, "rate_limit_exceeded"),
        ({"type": "timeout_error", "message": "Timed out"}, 504, "timeout"),
        ({"type": "billing_error", "message": "Pay"}, 402, "insufficient_quota"),
        ({"type": "invalid_request_error", "message": "prompt is too long"}, 400, "context_length_exceeded"),
        (
            {
                "type": "rate_limit_error",
                "message": "Limit",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
            402,
            "insufficient_quota",
        ),
        (None, 500, "server_error"),
    ],
)
def test_error_events_are_classified_as_errors_by_status_are(error: Any, status: int, code: str) -> None:
    refused = raised_in_stream(AnthropicReader(), {"type": "error", "error": error})
    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    "event",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"type":5}',
        b'{"type":"content_block_delta","delta":[]}',
        b"[DONE]",
        b'{"type":"\xff"}',
        b'{"type":"ping","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_malformed_events_break_the_stream(event: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        AnthropicReader().read(event)


@given(st.lists(st.sampled_from([START, STOP, PING, stop(0), end("end_turn"), delta(0, "text_delta", text="x")])))
def test_events_in_any_order_do_not_break_the_reader(events: list[dict[str, Any]]) -> None:
    with contextlib.suppress(UpstreamBroken, UpstreamRefused):
        read_all(AnthropicReader(), *events)


def test_the_end_of_a_stream_is_terminal_only_after_a_stop_reason() -> None:
    reader = AnthropicReader()
    read_all(reader, START, delta(0, "text_delta", text="x"))
    assert reader.end() is None
    read_all(reader, end("end_turn"))
    last = reader.end()
    assert last is not None
    assert last.terminal
