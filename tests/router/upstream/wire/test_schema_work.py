"""What schemas cost llama.cpp, counted without it: no schema that it chokes on is sent, and none that people write is
refused; the real server answers those."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.upstream.wire.llama_cpp import LlamaCppWire
from llm_router.upstream.wire.schema_work import MOST_WORK, TooMuch, repeats, weigh
from tests.router.llama import Llama
from tests.router.upstream.wire.support import chat, refused_param, sent

WIRE = LlamaCppWire()


def optional(count: int) -> dict[str, Any]:
    return {"type": "object", "properties": {f"field{n}": {"type": "string"} for n in range(count)}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


HEAVY: dict[str, Any] = {
    "optional": optional(720),
    "enum": {"enum": [f"value{n}" for n in range(2100)]},
    "any": {"anyOf": [{"const": n} for n in range(2100)]},
    "several": {"anyOf": [optional(420) for _ in range(3)]},
    "pattern": text("^(a{0,1000}){0,1000}$"),
    "patterns": {"anyOf": [text("^(a{0,100}){0,100}$")] * 3},
    "exact": text("^(((ab){40}c){40}){40}$"),
    "deep": nested(200),
}
LIGHT: dict[str, Any] = {
    "optional": optional(400),
    "required": optional(900) | {"required": [f"field{n}" for n in range(900)]},
    "enum": {"enum": [f"value{n}" for n in range(1000)]},
    "mail": text(r"^[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,255}\.[a-z]{2,63}$"),
    "date": text(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"),
    "deep": nested(30),
    "lengths": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 1000}},
}
each_heavy = pytest.mark.parametrize("schema", HEAVY.values(), ids=HEAVY)
each_light = pytest.mark.parametrize("schema", LIGHT.values(), ids=LIGHT)


def formatted(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def tool(schema: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": schema}}


@each_heavy
def test_what_it_would_choke_on_is_not_sent(schema: Any) -> None:
    with pytest.raises(TooMuch):
        weigh(schema)
    assert refused_param(WIRE, chat(response_format=formatted(schema))) == "response_format"
    assert refused_param(WIRE, chat(tools=[tool(schema)])) == "tools"


@each_light
def test_what_people_write_is_sent_as_it_is(schema: Any) -> None:
    assert weigh(schema) <= MOST_WORK
    out = sent(WIRE, chat(response_format=formatted(schema), tools=[tool(schema)]))
    assert out["response_format"] == formatted(schema)
    assert out["tools"] == [tool(schema)]


def test_many_tools_of_some_parameters_are_no_work() -> None:
    sent(WIRE, chat(tools=[tool(optional(20)) for _ in range(100)]))


@each_light
def test_the_real_server_answers_what_it_gets(llama: Llama, schema: Any) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "response_format": formatted(schema)}
    headers = {"authorization": f"Bearer {llama.api_key}"}
    answer = httpx.post(f"{llama.url}/v1/chat/completions", json=body, headers=headers, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("pattern", "times"),
    [
        ("", 0),
        ("abc", 3),
        ("a{5}", 5),
        ("a{2,7}", 7),
        ("a{3,}", 3),
        ("a{0}", 1),
        ("(ab){4}", 8),
        ("(a{10}){10}", 100),
        ("(a{10}b){10}c{2}", 112),
        ("[a-z{}()]{9}", 9),
        (r"[\]]{9}", 9),
        (r"\({6}", 6),
        ("a{5", 3),
        ("((((", 0),
        (")){3}", 4),
        ("[abc", 1),
    ],
)
def test_counts_multiply_inside_groups_and_add_up_beside_each_other(pattern: str, times: int) -> None:
    assert repeats(pattern) == times


@given(st.text(alphabet="ab(){}[]\\0123,^$", max_size=200))
def test_no_pattern_breaks_the_counting(pattern: str) -> None:
    assert repeats(pattern) >= 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["properties", "required", "enum", "anyOf", "pattern", "items", "x"]), inner
            )
        ),
    )
)
def test_no_schema_breaks_the_weighing(schema: Any) -> None:
    assert weigh(schema) >= 0
