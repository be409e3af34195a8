"""JSON values that satisfy a JSON Schema: what the stand-ins answer with where a schema or a tool asks for JSON.

Covers what the providers' structured outputs accept: types, ``enum``, ``const``, ``anyOf``/``oneOf``/``allOf``,
``$ref`` into the schema itself, and limits on numbers, strings and arrays. ``pattern`` is not followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_DEPTH = 16
_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T10:30:00Z",
    "email": "a@example.com",
    "uri": "https://example.com",
}

Schema = Mapping[str, Any]


def sample(schema: Schema) -> Any:
    """The smallest value of ``schema`` with every named property present; recursion ends at a fixed depth."""
    return _sample(schema, schema, _MOST_DEPTH)


def open_object(schema: Schema) -> bool:
    """True where some object in ``schema`` does not say ``additionalProperties: false``. Strict structured outputs
    refuse that, at OpenAI and at Anthropic alike."""
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return True
    nested: list[Any] = [schema.get("items"), *schema.get("anyOf", ())]
    for name in ("properties", "$defs", "definitions"):
        nested += schema.get(name, {}).values()
    return any(open_object(inner) for inner in nested if isinstance(inner, Mapping))


def usable(schema: Schema) -> bool:
    """False for what is no JSON Schema, or refers to nothing: ``sample`` and ``open_object`` are not for that."""
    try:
        open_object(schema)
        sample(schema)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
    return True


def _sample(schema: Schema, root: Schema, depth: int) -> Any:
    if "$ref" in schema:
        return _sample(_resolve(str(schema["$ref"]), root), root, depth - 1) if depth else None
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            return _sample(schema[name][0], root, depth)
    if schema.get("allOf"):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged.update(part)
        return _sample(merged, root, depth)
    return _of_type(_type_of(schema), schema, root, depth)


def _of_type(kind: str, schema: Schema, root: Schema, depth: int) -> Any:
    match kind:
        case "object":
            properties: Mapping[str, Schema] = schema.get("properties") or {}
            required = schema.get("required", ())
            names = properties if depth > 0 else [name for name in properties if name in required]
            return {name: _sample(properties[name], root, depth - 1) for name in names}
        case "array":
            length = max(int(schema.get("minItems", 1 if depth > 0 else 0)), 0)
            return [_sample(schema.get("items") or {}, root, depth - 1) for _ in range(length)]
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            text = _FORMATS.get(str(schema.get("format")), "sample")
            return text.ljust(int(schema.get("minLength", 0)), "e")[: int(schema.get("maxLength", len(text) + 1024))]


def _number(schema: Schema) -> int:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if low is not None:
        return int(-(-low // 1))
    return int(min(1, high // 1)) if high is not None else 1


def _type_of(schema: Schema) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return str(kind).lower()  # Gemini's own schemas write OBJECT, STRING …


def _resolve(ref: str, root: Schema) -> Schema:
    here: Any = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        if step:
            here = here[step.replace("~1", "/").replace("~0", "~")]
    if not isinstance(here, Mapping):
        raise TypeError(f"{ref} is no schema")
    return here
