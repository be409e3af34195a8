"""What schemas cost llama.cpp, counted without it: no schema that it chokes on is sent, and none that people write is
refused; the real server answers those."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.routing.facts import read_chat
from llm_router.upstream.wire.llama_cpp import LlamaCppWire
from llm_router.upstream.wire.pattern_work import whole
from llm_router.upstream.wire.schema_work import MOST_WORK, TooMuch, weigh
from tests.router.llama import Llama
from tests.router.upstream.wire.support import chat, refused_param, sent

WIRE = LlamaCppWire()


def optional(count: int, name: str = "field") -> dict[str, Any]:
    return {"type": "object", "properties": {f"{name}{n}": {"type": "string"} for n in range(count)}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def objects(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"inner": schema}}
    return schema


def used(times: int, definition: dict[str, Any]) -> dict[str, Any]:
    """In ``allOf``, where llama.cpp writes out each use."""
    return {"$defs": {"x": definition}, "allOf": [{"anyOf": [{"$ref": "#/$defs/x"}] * times}]}


def at_each_level(depth: int) -> dict[str, Any]:
    """Definitions of which each uses the next one twice: two to the power of ``depth`` objects."""
    twice = {f"x{n}": {"properties": {"a": {"allOf": [{"$ref": f"#/$defs/x{n + 1}"}] * 2}}} for n in range(depth)}
    return {"$defs": twice | {f"x{depth}": optional(1)}, "allOf": [{"$ref": "#/$defs/x0"}]}


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
    "count of a count": text("^a{0,100}{0,100}{0,100}$"),
    "count of a choice": text("^((a{0,100})?{0,100})?{0,100}$"),
    "blanks and zeros": text("^((a{ 0, 000000000100}){0,100}){0,100}$"),
    "counted empty": text("^(a?){0,2000}$"),
    "counted empty group": text("^(?:a?b?c?d?){0,1000}$"),
    "counted empties": {"anyOf": [text("^(a?){0,400}$")] * 4},
    "merged": {"allOf": [{"anyOf": [optional(200, f"of{n}_") for n in range(10)]}]},
    "merged enum": {"allOf": [{"enum": [f"value{n}" for n in range(2100)]}]},
    "merged uses": used(60, optional(60)),
    "values to choose from": {"anyOf": [{"enum": [f"{n} {m}" for m in range(150)]} for n in range(100)]},
    "uses to choose from": {"$defs": {"x": {"enum": [*"abcdefghij"] * 20}}, "anyOf": [{"$ref": "#/$defs/x"}] * 200},
    "uses of uses": at_each_level(40),
    "use of itself": {"$defs": {"x": {"$ref": "#/$defs/x"}}, "allOf": [{"$ref": "#/$defs/x"}]},
    "chain": {"$defs": {f"x{n}": {"$ref": f"#/$defs/x{n + 1}"} for n in range(200)}, "$ref": "#/$defs/x0"},
    "one by many names": {"anyOf": [optional(400), *({"$ref": f"#/anyOf/{'0' * n}"} for n in range(1, 9))]},
    "type twice": {"type": ["object"] * 20, "properties": optional(300)["properties"]},
    "merged twice": {"type": ["object", "string"], "allOf": [optional(1)]},
    "many": {"type": "array", "prefixItems": [{"type": "integer"}] * 20_000},
}
LIGHT: dict[str, Any] = {
    "optional": optional(400),
    "required": optional(900) | {"required": [f"field{n}" for n in range(900)]},
    "enum": {"enum": [f"value{n}" for n in range(1000)]},
    "mail": text(r"^[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,255}\.[a-z]{2,63}$"),
    "date": text(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"),
    "uuid": text("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"),
    "phone": text(r"^(\+[0-9]{1,3} ?)?(\([0-9]{1,4}\) ?)?[0-9 ]{4,14}$"),
    "deep": nested(30),
    "objects": objects(90),
    "big": {
        "type": "object",
        "properties": optional(80)["properties"] | {f"part{n}": optional(15) for n in range(20)},
    },
    "merged": {"allOf": [optional(10), optional(10, "more")]},
    "used": {
        "$defs": {"point": optional(3)},
        "type": "object",
        "properties": {f"point{n}": {"allOf": [{"$ref": "#/$defs/point"}]} for n in range(50)},
    },
    "tree": {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        "type": "object",
        "properties": {"root": {"$ref": "#/$defs/node"}},
    },
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


def test_it_is_weighed_however_it_is_written() -> None:
    escaped = json.dumps(formatted(text("^((a{0,100}){0,100}){0,100}$"))).replace("pattern", "p\\u0061ttern")
    body = f'{{"model":"m","messages":[{{"role":"user","content":"Hi"}}],"response_format":{escaped}}}'
    assert "pattern" not in body
    assert refused_param(WIRE, read_chat(body.encode())) == "response_format"


def test_a_tool_may_get_the_definition_of_another_tool() -> None:
    first = {"$defs": {"x": optional(60)}, "properties": {"a": {"$ref": "#/$defs/x"}}}
    with pytest.raises(TooMuch):
        weigh(first, used(60, optional(1)))


def test_all_tools_are_weighed_together() -> None:
    weigh(optional(400))
    with pytest.raises(TooMuch):
        weigh(*[optional(400)] * 4)


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
        ("a{5", 1),
        ("a{5}{6}{7}", 210),
        ("(a{5}?){6}?{7}", 210),
        ("(a{5})*{6}", 30),
        ("a{ 2, 007}", 7),
        ("a{99999999999999999999}", 999_999_999),
        ("(){3}", 3),
        ("(a|bc){3}", 9),
        ("{5}", 0),
        ("((((", 0),
        (")){3}", 4),
        ("[abc", 1),
    ],
)
def test_counts_multiply_inside_groups_and_add_up_beside_each_other(pattern: str, times: int) -> None:
    assert whole(pattern).repeats == times


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("", 0),
        ("abc", 1),
        ("a?b*c", 3),
        ("a{0,9}", 1),
        ("(a{0,9}){0,8}", 8),
        ("(a?){9}", 9),
        ("(?:a?b?){9}", 18),
        ("(a?b){9}", 2),
        ("(a|b|cd){9}", 3),
        ("(a|){9}", 9),
        ("((a{,5}){6}){7}", 42),
    ],
)
def test_what_may_be_empty_is_begun_in_many_places_where_it_is_counted(pattern: str, places: int) -> None:
    assert whole(pattern).live == places


@given(st.text(alphabet="ab(){}[]\\\\0123,^$?*+|: -", max_size=200) | st.text())
def test_no_pattern_breaks_the_counting(pattern: str) -> None:
    assert min(whole(pattern)) >= 0


KEYS = [
    *("properties", "required", "enum", "type", "anyOf", "oneOf", "allOf", "items", "prefixItems"),
    *("additionalProperties", "pattern", "$defs", "$ref", "x"),
]
REFS = st.sampled_from(["#/$defs/x", "#/allOf/0", "#/anyOf/00", "#/", "#", "#/x/x", "https://x.test/"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | REFS | st.sampled_from(["object", "string"]),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
    )
)
def test_no_schema_breaks_the_weighing(schema: Any) -> None:
    try:
        assert 0 <= weigh(schema, {"$defs": {"x": schema}, "allOf": [schema]}) <= MOST_WORK
    except TooMuch:
        assert "$ref" in repr(schema) or "type" in repr(schema)


class Counted(dict[str, Any]):
    """Counts how often it is looked at."""

    looks = 0

    def get(self, key: str, default: Any = None) -> Any:
        Counted.looks += 1
        return super().get(key, default)


def counted(value: Any) -> Any:
    if isinstance(value, list):
        return [counted(each) for each in value]
    return Counted({key: counted(each) for key, each in value.items()}) if isinstance(value, dict) else value


@each_heavy
def test_weighing_ends_after_no_more_steps_than_work(schema: Any) -> None:
    Counted.looks = 0
    with pytest.raises(TooMuch):
        weigh(counted(schema))
    assert Counted.looks <= MOST_WORK
