"""JSON objects read strictly: what two parsers could read differently is refused.

A request passes through several parsers (ours, the gate's, the upstream's). A duplicate key is legal JSON, and each
parser may pick another of its values: the router would decide on one model and the upstream answer with another.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw

from ..errors import ClientError

_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_WHITESPACE = b" \t\r\n"


def strict_object(body: bytes) -> dict[str, Raw]:
    """The top-level fields of a JSON object, each value as the bytes it came in.

    Raises ``ClientError`` 400 for anything else: not JSON, not an object, nested too deeply, a top-level key twice.
    """
    try:
        if not body.isascii():
            body.decode()  # values that are kept as bytes have not been looked into
        fields = _decode(body)
    except msgspec.ValidationError as exc:
        raise ClientError(400, "invalid_json", "The request body must be a JSON object.") from exc
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise ClientError(400, "invalid_json", f"The request body is not valid JSON: {exc}") from exc
    if not _is_exactly(body, fields):
        _refuse_duplicates(body)
    return fields


def encode_object(fields: dict[str, Raw]) -> bytes:
    """The object again; the values' bytes are copied, not re-serialised."""
    return msgspec.json.encode(fields)


def _is_exactly(body: bytes, fields: dict[str, Raw]) -> bool:
    """Whether ``body`` is these fields in this order and nothing else: true for nearly every request, and then no key
    can have occurred twice. Costs one comparison a field instead of a second parse."""
    at = _skip(body, 0) + 1  # past the opening brace
    for position, (key, raw) in enumerate(fields.items()):
        at = _skip(body, at)
        if position:
            if body[at : at + 1] != b",":
                return False
            at = _skip(body, at + 1)
        quoted = b'"%b"' % key.encode()
        if not body.startswith(quoted, at):  # an escaped key, or another one than the first
            return False
        at = _skip(body, at + len(quoted))
        if body[at : at + 1] != b":":
            return False
        at = _skip(body, at + 1)
        value = bytes(raw)
        if not body.startswith(value, at):
            return False
        at += len(value)
    return body[_skip(body, at) :].rstrip(_WHITESPACE) == b"}"


def _skip(body: bytes, at: int) -> int:
    while body[at : at + 1] in (b" ", b"\n", b"\r", b"\t"):
        at += 1
    return at


def _refuse_duplicates(body: bytes) -> None:
    """The slow way, for escaped keys and for real duplicates. Only the outermost object is judged: its pairs come
    last, when the inner objects are already built."""
    seen: list[list[tuple[str, Any]]] = []

    def last(pairs: list[tuple[str, Any]]) -> None:
        seen[:] = [pairs]

    try:
        json.loads(body, object_pairs_hook=last, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as exc:
        raise ClientError(400, "invalid_json", f"The request body is not valid JSON: {exc}") from exc
    known: set[str] = set()
    for key, _ in seen[0]:
        if key in known:
            raise ClientError(400, "invalid_json", f"The key {key!r} occurs twice in the request body.", param=key)
        known.add(key)
