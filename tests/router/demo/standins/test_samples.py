"""Sampled values satisfy their schemas: checked by jsonschema, for generated schemas too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llm_router.demo.standins.samples import open_object, sample, usable

_numbers = st.integers(-50, 50).flatmap(
    lambda low: st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={"minimum": st.just(low), "maximum": st.integers(low, 100)},
    )
)
_leaves = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")}, optional={"minLength": st.integers(0, 9), "maxLength": st.integers(9, 20)}
    ),
    _numbers,
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"const": 7}, {"enum": ["a", "b"]}, {"type": ["null", "string"]}]
    ),
)


def _branches(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(st.sampled_from("abcd"), children, max_size=3)
    objects = properties.map(
        lambda named: {"type": "object", "properties": named, "required": [*named], "additionalProperties": False}
    )
    arrays = st.builds(
        lambda items, least: {"type": "array", "items": items, "minItems": least}, children, st.integers(0, 2)
    )
    unions = st.builds(lambda name, one, other: {name: [one, other]}, st.sampled_from(["anyOf"]), children, children)
    return st.one_of(objects, arrays, unions)


schemas = st.recursive(_leaves, _branches, max_leaves=8)


@given(schemas)
def test_a_sample_satisfies_its_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(sample(schema))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "sample"),
        ({"type": "STRING"}, "sample"),
        ({"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}, {"n": 1}),
        ({"type": "string", "format": "date"}, "2026-01-15"),
        ({"type": "string", "maxLength": 3}, "sam"),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "number", "maximum": 0}, 0),
        ({"type": "string", "default": "x"}, "x"),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, 1),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, 3),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "boolean"}}}, True),
    ],
)
def test_each_keyword_counts(schema: dict[str, Any], value: Any) -> None:
    assert sample(schema) == value


def test_recursion_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "name": {"type": "string"}}, "required": ["name"]}
    value, depth = sample(node), 0
    while value.get("next"):
        value, depth = value["next"], depth + 1
    assert 1 <= depth <= 16


@pytest.mark.parametrize(
    ("schema", "is_open"),
    [
        ({"type": "string"}, False),
        ({"type": "object"}, True),
        ({"type": "object", "additionalProperties": False}, False),
        ({"type": "object", "additionalProperties": False, "properties": {"a": {"type": "object"}}}, True),
        ({"type": "array", "items": {"type": "object"}}, True),
        ({"anyOf": [{"type": "null"}, {"type": "object"}]}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}, True),
    ],
)
def test_open_objects_are_found_at_any_depth(schema: dict[str, Any], is_open: bool) -> None:
    assert open_object(schema) is is_open


@pytest.mark.parametrize(
    ("schema", "is_usable"),
    [
        ({}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, True),
        ({"$ref": "#/$defs/nobody"}, False),
        ({"$ref": "#/type", "type": "string"}, False),
        ({"type": "object", "properties": ["a"]}, False),
        ({"type": "object", "properties": {"a": 5}}, False),
        ({"type": "array", "minItems": "many"}, False),
        ({"type": "integer", "minimum": "low"}, False),
        ({"anyOf": 3}, False),
    ],
)
def test_what_is_no_schema_is_told_apart(schema: dict[str, Any], is_usable: bool) -> None:
    assert usable(schema) is is_usable
