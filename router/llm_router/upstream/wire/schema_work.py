"""What JSON schemas cost llama.cpp before the first token, in which nobody else's answers go on either.

It makes a grammar of the schema. Measured with its build of October 2026, in seconds of a core: an object of 400
optional properties takes 0.2, of 700 0.9, of 1 000 2.4; a list of 2 000 values 0.5; a pattern whose counts multiply to
20 000 up to 1.4, to a million longer than anybody waits, and one that may begin at 2 000 places, because what it counts
may be empty, 3.5. Hence squares, and a unit of about two microseconds.

The way through the schema is its own: a reference makes one rule however often it is used, except in ``allOf``, whose
components are written out each time, their properties as those of one object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .pattern_work import whole

MOST_WORK = 520_000
MAX_DEPTH = 100
_WORK_OF_SCHEMA = 40
_WORK_OF_REPEATS = 25
_ALTERNATIVES = ("enum", "anyOf", "oneOf", "allOf", "type")
_LISTS = (*_ALTERNATIVES, "items", "prefixItems", "required")
_INDEX = re.compile(r"\s*\+?0*([0-9]{1,9})")


class TooMuch(Exception):
    """It would take too long, or is nested too deeply."""


def weigh(*schemas: Any) -> int:
    """All that one request asks for, in about as many steps. Raises ``TooMuch`` beyond ``MOST_WORK`` or ``MAX_DEPTH``
    schemas in each other, those behind references included."""
    scales = _Scales(schemas)
    for schema in schemas:
        scales.visit(schema, 0)
    return scales.work


class _Scales:
    def __init__(self, roots: tuple[Any, ...]) -> None:
        self.work = 0
        self._live = 0
        self._roots = roots
        self._targets: dict[str, list[Any]] = {}
        self._visited: set[str] = set()

    def visit(self, schema: Any, depth: int) -> None:
        if not isinstance(schema, Mapping):
            return
        self._step(schema, depth)
        self._add(_optional(schema) ** 2)
        if isinstance(schema.get("pattern"), str):
            self._weigh_pattern(schema["pattern"])
        _check_types(schema)
        if _listed(schema, "anyOf") or _listed(schema, "oneOf"):
            self._add(self._beginnings(schema, depth) ** 2 // 32)
        if _listed(schema, "allOf"):
            self._add(sum(self._component(each, depth + 1) for each in _listed(schema, "allOf")) ** 2)
        ref = schema.get("$ref")
        if isinstance(ref, str) and ref not in self._visited:
            self._visited.add(ref)
            for target in self._resolved(ref):
                self.visit(target, depth + 1)
        for inner in _inner(schema):
            self.visit(inner, depth + 1)

    def _beginnings(self, schema: Any, depth: int) -> int:
        """In how many ways it goes on after a quote or a brace, which are all kept in mind at once; a reference's as
        often as it is to choose from."""
        if not isinstance(schema, Mapping):
            return 1
        below = [each for name in ("anyOf", "oneOf") for each in _listed(schema, name)]
        ref = schema.get("$ref")
        if isinstance(ref, str):
            below += self._resolved(ref)
        self._check_depth(depth)
        self._add(2 + len(below))
        own = len(_listed(schema, "enum")) + _optional(schema)
        return max(own + sum(self._beginnings(each, depth + 1) for each in below), 1)

    def _weigh_pattern(self, pattern: str) -> None:
        """All patterns' places together are squared, because they may be those of one choice."""
        part = whole(pattern)
        before, self._live = self._live, self._live + max(part.live - 1, 0)
        self._add(len(pattern) + part.repeats * _WORK_OF_REPEATS + (self._live**2 - before**2) // 2)

    def _component(self, schema: Any, depth: int) -> int:
        """How many properties it adds to the object that ``allOf`` makes, which are visited."""
        if not isinstance(schema, Mapping):
            return 0
        self._step(schema, depth)
        properties = schema.get("properties")
        count = 0
        if isinstance(properties, Mapping):
            count = len(properties)
            self._add(count**2)
            for each in properties.values():
                self.visit(each, depth + 1)
        below = [each for name in ("anyOf", "oneOf", "allOf") for each in _listed(schema, name)]
        ref = schema.get("$ref")
        if isinstance(ref, str):
            below += self._resolved(ref)
        return count + sum(self._component(each, depth + 1) for each in below)

    def _resolved(self, ref: str) -> list[Any]:
        """In every schema, because it may take another tool's definition of the same name."""
        if ref not in self._targets:
            names = ref.split("/")
            self._add(len(names) * len(self._roots) // 4)
            self._targets[ref] = [target for root in self._roots if (target := _at(root, names)) is not None]
        return self._targets[ref]

    def _step(self, schema: Mapping[str, Any], depth: int) -> None:
        self._check_depth(depth)
        self._add(_WORK_OF_SCHEMA + sum(len(_listed(schema, name)) for name in _LISTS))
        self._add(sum(len(_listed(schema, name)) ** 2 for name in _ALTERNATIVES) // 8)

    def _check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TooMuch

    def _add(self, work: int) -> None:
        self.work += work
        if self.work > MOST_WORK:
            raise TooMuch


def _listed(schema: Mapping[str, Any], name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _optional(schema: Mapping[str, Any]) -> int:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return 0
    return len(properties.keys() - {each for each in _listed(schema, "required") if isinstance(each, str)})


def _check_types(schema: Mapping[str, Any]) -> None:
    """It writes a schema out once for each type, so twice for one that is said twice, as it does ``allOf`` for objects
    and strings: in each other that is two to the power of the depth."""
    types = [each for each in _listed(schema, "type") if isinstance(each, str)]
    if len(set(types)) < len(types) or ("allOf" in schema and {"object", "string"} <= set(types)):
        raise TooMuch


def _inner(schema: Mapping[str, Any]) -> Iterator[Any]:
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        yield from properties.values()
    for name in ("items", "prefixItems", "anyOf", "oneOf"):
        yield from _listed(schema, name)
    for name in ("items", "additionalProperties"):
        yield schema.get(name)


def _at(root: Any, names: list[str]) -> Any:
    """What ``#/…`` points to in ``root``; None where nothing is, or elsewhere, which llama.cpp refuses."""
    if names[0] != "#":
        return None
    for name in names[1:]:
        if isinstance(root, Mapping):
            root = root.get(name, root.get(name.replace("~1", "/").replace("~0", "~")))
        elif isinstance(root, list) and (index := _INDEX.match(name)) and int(index[1]) < len(root):
            root = root[int(index[1])]
        else:
            return None
    return root
