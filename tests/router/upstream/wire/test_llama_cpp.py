"""llama.cpp's wire: OpenAI's fields only, always a stream, and nothing that its server would silently do otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.model import Usage
from llm_router.routing.facts import NEEDS
from llm_router.upstream.wire.llama_cpp import LlamaCppWire
from tests.router.upstream.wire.support import HI, TOOL, chat, read_all, refused_param, sent

WIRE = LlamaCppWire()
OTHER_TOOL = {"type": "function", "function": {"name": "time", "parameters": {}}}


def test_it_is_always_collected_from_a_stream() -> None:
    assert WIRE.collects
    out = sent(WIRE, chat(stream=False))
    assert (out["stream"], out["stream_options"]) == (True, {"include_usage": True})


def test_openais_fields_are_forwarded() -> None:
    fields: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 10,
        "stop": ["\n"],
        "seed": 42,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.1,
        "logit_bias": {"15": -1},
        "tools": [TOOL],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
    }
    request = chat(**fields)
    out = sent(WIRE, request, "tinyllama")
    assert {name: out[name] for name in fields} == fields
    assert out["model"] == "tinyllama"
    assert WIRE.outgoing(request, "m", stream=True).dropped == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user", "u-1"),
        ("metadata", {"a": "b"}),
        ("service_tier", "flex"),
        ("store", True),
        ("safety_identifier", "s"),
        ("prompt_cache_key", "k"),
        ("prediction", {"type": "content", "content": "x"}),
        ("verbosity", "low"),
        ("cache_prompt", False),
        ("id_slot", 3),
        ("slot_id", 3),
        ("timings_per_token", True),
        ("n_cache_reuse", 256),
    ],
)
def test_hints_are_left_out_and_named(name: str, value: Any) -> None:
    outgoing = WIRE.outgoing(chat(**{name: value}), "m", stream=True)
    assert outgoing.dropped == (name,)
    assert name not in sent(WIRE, chat(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_discard", -1),
        ("n_keep", -1),
        ("n_predict", 10**9),
        ("grammar", 'root ::= "a"'),
        ("json_schema", {"type": "object"}),
        ("lora", [{"id": 0, "scale": 1}]),
        ("samplers", ["top_k"]),
        ("chat_template_kwargs", {}),
        ("n_cmpl", 4),
        ("n", 2),
        ("logprobs", True),
        ("top_logprobs", 5),
        ("functions", [{"name": "f"}]),
        ("web_search_options", {}),
        ("modalities", ["text", "audio"]),
        ("api_base", "http://169.254.169.254/"),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(name: str, value: Any) -> None:
    assert refused_param(WIRE, chat(**{name: value})) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("logprobs", False),
        ("top_logprobs", None),
        ("store", False),
        ("service_tier", "auto"),
        ("modalities", ["text"]),
        ("grammar", None),
        ("seed", None),
        ("metadata", {}),
        ("functions", []),
    ],
)
def test_defaults_and_nulls_are_left_out_without_a_word(name: str, value: Any) -> None:
    request = chat(**{name: value})
    assert WIRE.outgoing(request, "m", stream=True).dropped == ()
    assert name not in sent(WIRE, request)


def test_pictures_come_along_or_not_at_all() -> None:
    def picture(url: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]

    inline = picture("data:image/png;base64,iVBORw0KGgo=")
    assert sent(WIRE, chat(inline))["messages"] == inline
    for url in ("http://169.254.169.254/latest/meta-data", "https://example.com/a.png", "file:///etc/passwd"):
        assert refused_param(WIRE, chat(picture(url))) == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize("kind", ["input_audio", "video_url", "input_video", "file", "media_marker", None])
def test_other_content_is_refused(kind: str | None) -> None:
    messages: list[dict[str, Any]] = [*HI, {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": kind}]}]
    assert refused_param(WIRE, chat(messages)) == "messages[1].content[1].type"


def test_a_named_tool_is_the_only_one_offered_and_required() -> None:
    named = {"type": "function", "function": {"name": "weather"}}
    out = sent(WIRE, chat(tools=[OTHER_TOOL, TOOL], tool_choice=named))
    assert (out["tools"], out["tool_choice"]) == ([TOOL], "required")


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "missing"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        {"type": "function"},
    ],
)
def test_a_choice_of_tools_that_cannot_be_said_is_refused(choice: dict[str, Any]) -> None:
    assert refused_param(WIRE, chat(tools=[TOOL], tool_choice=choice)) == "tool_choice"


def test_what_it_cannot_take() -> None:
    assert WIRE.unsupported(NEEDS) == {"n", "logprobs", "audio"}
    assert WIRE.unsupported(frozenset({"tools"})) == frozenset()


def test_its_stream_is_read_with_timings_and_a_null_first_content() -> None:
    timings = {"prompt_n": 9, "predicted_n": 2, "predicted_per_second": 30.0}
    usage = {
        "completion_tokens": 2,
        "prompt_tokens": 10,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 1},
    }
    first, text, end, last, done = read_all(
        WIRE.reader(),
        {"choices": [{"finish_reason": None, "index": 0, "delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"finish_reason": None, "index": 0, "delta": {"content": "ho"}}], "model": "tiny"},
        {"choices": [{"finish_reason": "length", "index": 0, "delta": {}}]},
        {"choices": [], "usage": usage, "timings": timings},
        b"[DONE]",
    )
    assert [first.content, text.content, end.content] == [False, True, False]
    assert end.finish == "length"
    assert last.usage == Usage(input_tokens=9, cache_read_tokens=1, output_tokens=2)
    assert done.terminal
