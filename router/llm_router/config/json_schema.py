"""The JSON Schema of the dialect, for editors and for those who generate configurations.

Says what ``decode`` accepts, value by value; what ``check`` asks of the whole stays with ``check``.
"""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal

from msgspec import NODEFAULT, Meta, Struct

from .hints import Hint, Key, keys_of, read
from .masked import plain
from .scalars import BYTES_PATTERN, SECONDS_PATTERN, Bytes, Duration, FilePath, Pause, Seconds, Secret, Size
from .schema import Config, Fragment
from .secrets import ENV_REFERENCE, SECRET_REFERENCE

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TITLES = {Config: "LLM router configuration", Fragment: "LLM router fragment of one cloud stack"}
_REFERENCE = {
    "description": "What the environment variable NAME holds: ${NAME}, also inside a longer text.",
    "type": "string",
    "pattern": ENV_REFERENCE,
}
_SECRET = {
    "description": "${NAME} (environment), file:/path, or secret:NAME (a file in $LLM_ROUTER_SECRETS_DIR, by default "
    "/run/secrets). The secret itself is accepted only while every listener is on loopback.",
    "type": "string",
    "minLength": 1,
}
_SECRET_REFERENCE = {
    "description": "A reference, never the secret: ${NAME} (environment), file:/path or secret:NAME.",
    "type": "string",
    "pattern": f"^(?:{ENV_REFERENCE}|{SECRET_REFERENCE})$",
}
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    FilePath: {"type": "string", "minLength": 1},
}
_QUANTITIES: dict[Any, tuple[str, str, str]] = {
    Seconds: (SECONDS_PATTERN, "number", "250ms, 30s, 5m, 1h or 7d; a number counts seconds."),
    Bytes: (BYTES_PATTERN, "integer", "512KiB, 4MiB or 1GiB; a number counts bytes."),
}
_NAMED_QUANTITIES = {"duration": read(Duration), "pause": read(Pause), "size": read(Size)}


def router_schema() -> dict[str, Any]:
    return schema(Config)


def fragment_schema() -> dict[str, Any]:
    return schema(Fragment)


def to_text(document: dict[str, Any]) -> str:
    """As it stands in the file ``router.schema.json``."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def schema(struct: type[Struct]) -> dict[str, Any]:
    """The schema of a whole file. A fragment may hold references where secrets stand, and nowhere else."""
    writer = _Writer(references=struct is not Fragment)
    body = writer.body(struct)
    title = _TITLES.get(struct, struct.__name__)
    return {"$schema": DIALECT, "title": title, **body, "$defs": dict(sorted(writer.definitions.items()))}


class _Writer:
    def __init__(self, *, references: bool) -> None:
        self.definitions: dict[str, Any] = {}
        self._references = references
        if references:
            self.definitions["reference"] = _REFERENCE

    def body(self, struct: type[Struct]) -> dict[str, Any]:
        doc = struct.__dict__.get("__doc__")
        keys = keys_of(struct)
        required = [key.spelling for key in keys if key.required]
        return {
            **({"description": inspect.cleandoc(doc).split("\n\n")[0].replace("\n", " ")} if doc else {}),
            "type": "object",
            "properties": {key.spelling: self._property(key) for key in keys},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def _property(self, key: Key) -> dict[str, Any]:
        doc = read(key.annotation).doc
        body = self._value(key.annotation)
        if doc:
            body = {"description": doc, **body}
        if key.default is NODEFAULT or key.default is None or isinstance(key.default, Struct):
            return body
        return {**body, "default": plain(key.default)}

    def _value(self, annotation: Any) -> dict[str, Any]:
        hint = read(annotation)
        if hint.is_union:
            options = [self._value(member) for member in hint.members]
            return _any_of(*options, *([{"type": "null"}] if hint.optional else []))
        if hint.is_struct:
            return self._defined(hint.core.__name__, lambda: self.body(hint.core))
        if hint.origin is tuple:
            least = next((m.min_length for m in hint.metas if m.min_length is not None), None)
            bound = {} if least is None else {"minItems": least}
            return {"type": "array", "items": self._value(hint.args[0]), **bound}
        if hint.origin is dict:
            return self._mapping(hint)
        return self._scalar(hint)

    def _mapping(self, hint: Hint) -> dict[str, Any]:
        names = self._value(hint.args[0])
        bound = {} if names == {"type": "string"} else {"propertyNames": names}
        return {"type": "object", **bound, "additionalProperties": self._value(hint.args[1])}

    def _scalar(self, hint: Hint) -> dict[str, Any]:
        if hint.core is Secret:
            return self._defined("secret", lambda: _SECRET if self._references else _SECRET_REFERENCE)
        if hint.core in (Seconds, Bytes):
            return self._quantity(hint)
        body = {"enum": list(hint.args)} if hint.origin is Literal else _SCALARS[hint.core]
        limits = _limits(hint.metas)
        free = hint.core in (str, FilePath) and "pattern" not in limits
        return {**body, **limits} if free else self._or_reference({**body, **limits})

    def _quantity(self, hint: Hint) -> dict[str, Any]:
        pattern, number, words = _QUANTITIES[hint.core]
        text = {"type": "string", "pattern": f"^{pattern}$"}
        body = self._or_reference(_any_of(text, {"type": number, **_limits(hint.metas)}))
        name = next((n for n, h in _NAMED_QUANTITIES.items() if (h.core, h.metas) == (hint.core, hint.metas)), None)
        return body if name is None else self._defined(name, lambda: {"description": words, **body})

    def _or_reference(self, body: dict[str, Any]) -> dict[str, Any]:
        return _any_of(body, {"$ref": "#/$defs/reference"}) if self._references else body

    def _defined(self, name: str, body: Any) -> dict[str, Any]:
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = body()
        return {"$ref": f"#/$defs/{name}"}


def _any_of(*options: dict[str, Any]) -> dict[str, Any]:
    """Alternatives, without those inside alternatives."""
    flat: list[dict[str, Any]] = []
    for option in options:
        inner = option["anyOf"] if option.keys() == {"anyOf"} else [option]
        flat += [o for o in inner if o not in flat]
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def _limits(metas: tuple[Meta, ...]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for meta in metas:
        words = {
            "minimum": meta.ge,
            "exclusiveMinimum": meta.gt,
            "maximum": meta.le,
            "minLength": meta.min_length,
            "pattern": meta.pattern,
        }
        limits |= {word: bound for word, bound in words.items() if bound is not None}
    return limits
