"""Inputs that nobody would send, made from ones that somebody would: bytes changed, parts of JSON replaced. One seed
gives the same ones each time."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

_BITS = (
    *(b"\x00", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b'"', b"\\", b"{", b"}", b"[", b"]", b"%", b"\xff"),
    *(b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xef\xbb\xbf", b"data: ", b"\n\n", b"null", b"-1", b"1e999"),
    *(b"99999999999999999999", b"${HOME}", b"&a *a", b"<<: ", b"!!python/object:os.system ", b"\\ud800", b"'" * 40),
)
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**63, -(2**63) - 1, 10**40, "", " ", "auto", "\u0000"),
    *("\ud800", "é" * 200, "${HOME}", "{{7*7}}", "../..", [], {}, [[]], [None], {"": ""}, ["x"] * 50, "x" * 5000),
)


class Failure(NamedTuple):
    """An input that made something fail in a way that nobody thought of."""

    what: str
    given: str


def spoilt(data: bytes, chance: random.Random) -> bytes:
    """One to four changes of ``data``: bytes changed, put in, taken out, repeated, moved; or nothing of it is left."""
    if chance.random() < 0.03:
        return chance.randbytes(chance.randrange(200))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at, until = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        until = min(until, at + 30)
        piece = data[at:until]
        change = chance.randrange(5)
        new = (
            bytes([chance.randrange(256)]),
            chance.choice(_BITS),
            b"",
            piece * chance.randint(2, 20),
            piece[::-1],
        )[change]
        data = data[:at] + new + (data[at:] if change == 1 else data[until:])
    return data


def bent(value: Any, chance: random.Random) -> Any:
    """A JSON value with one of its parts replaced, left out or put in, somewhere in its depth."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice([*value])
        how = chance.random()
        if how < 0.15:
            return {name: part for name, part in value.items() if name != key}
        if how < 0.3:
            return {**value, str(chance.choice(_ODD))[:40]: chance.choice(_ODD)}
        return {**value, key: bent(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        if chance.random() < 0.2:
            return value * chance.randint(0, 40)
        return [*value[:at], bent(value[at], chance), *value[at + 1 :]]
    return chance.choice(_ODD)


def body(seed: Mapping[str, Any], chance: random.Random) -> bytes:
    """As JSON that is right in itself, or not even that."""
    value: Any = seed
    for _ in range(chance.choice((1, 1, 2, 3))):
        value = bent(value, chance)
    data = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return spoilt(data, chance) if chance.random() < 0.2 else data
