"""Judges inputs as a provider's Check does: names, what is required, types, and values that only a table knows."""

from __future__ import annotations

import difflib
import enum
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import pulumi
from pulumi import _types

from . import sdk, values

#: What the engine puts in place of a value that is known only after the update.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def problems(package: sdk.Package, token: str, inputs: dict[str, Any]) -> list[str]:
    """One line for each problem, beginning with the path of the property."""
    args = package.arguments(token)
    if args is None:
        # A custom resource's kind is the cluster's; only its API server can judge it.
        return [] if token.startswith("kubernetes:") and "apiVersion" in inputs else [f"unknown resource type {token}"]
    kubernetes = token.startswith("kubernetes:")
    body = {key: value for key, value in inputs.items() if not (kubernetes and key in ("apiVersion", "kind"))}
    return [*_object(body, args, ""), *values.problems(token, inputs)]


def _object(value: dict[str, Any], args: type, path: str) -> Iterator[str]:
    properties = sdk.properties(args)
    prefix = f"{path}." if path else ""
    for name, known in properties.items():
        if name in value:
            yield from _value(value[name], known.types, prefix + name)
        elif known.required:
            yield f"{prefix}{name}: missing required property"
    for name in value:
        if name not in properties and not name.startswith("__"):
            near = difflib.get_close_matches(name, properties, 1)
            yield f"{prefix}{name}: unknown property" + (f", did you mean {near[0]}?" if near else "")


def _value(value: Any, types: typing.Sequence[Any], path: str) -> Iterator[str]:
    """Nothing where one of the types takes it; else what the nearest type has against it."""
    if value is None or value == UNKNOWN or not types or any(_takes_all(kind) for kind in types):
        return
    enums = [kind for kind in types if inspect.isclass(kind) and issubclass(kind, enum.Enum)]
    if enums and not isinstance(value, dict | list):
        # azure-native says ``str | Enum``: a value that is not of the enumeration is still wrong.
        allowed = {member.value for kind in enums for member in kind}
        if value not in allowed:
            yield f"{path}: expected one of {', '.join(sorted(map(str, allowed)))}, got {value!r}"
        return
    objections = [list(_against(value, kind, path)) for kind in types]
    if all(objections):
        yield from min(objections, key=len)


def _takes_all(kind: Any) -> bool:
    return kind is typing.Any or (inspect.isclass(kind) and issubclass(kind, pulumi.Asset | pulumi.Archive))


def _against(value: Any, kind: Any, path: str) -> Iterator[str]:
    origin = getattr(typing.get_origin(kind), "__name__", "")
    if inspect.isclass(kind) and _types.is_input_type(kind):
        if isinstance(value, dict):
            yield from _object(value, kind, path)
        else:
            yield f"{path}: expected an object, got {value!r}"
    elif origin in ("Sequence", "list"):
        if isinstance(value, list):
            for i, item in enumerate(value):
                yield from _value(item, sdk.element(kind), f"{path}[{i}]")
        else:
            yield f"{path}: expected a list, got {value!r}"
    elif origin in ("Mapping", "dict"):
        if isinstance(value, dict):
            for key, item in value.items():
                yield from _value(item, sdk.element(kind), f"{path}.{key}")
        else:
            yield f"{path}: expected a map, got {value!r}"
    elif not _is_scalar(value, kind):
        yield f"{path}: expected {getattr(kind, '__name__', kind)}, got {value!r}"


def _is_scalar(value: Any, kind: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool) or value in ("true", "false")
    if kind is int:
        return not isinstance(value, bool) and isinstance(value, int | float) and float(value).is_integer()
    if kind is float:
        return not isinstance(value, bool) and isinstance(value, int | float)
    if kind is str:
        return isinstance(value, str)
    # TypedDicts stand beside their classes: what they allow, the class has judged.
    return isinstance(value, dict) if kind is dict or typing.is_typeddict(kind) else True
