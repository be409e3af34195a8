"""Plain data → the configuration structs, with every problem of the document found in one run.

Generic over ``msgspec`` structs: the types, the ``Meta`` constraints beside them and the spelling of the keys are all
it knows, so the router's, the gate's and the exporter's files and the fragments are read alike.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from msgspec import Meta, Struct

from .findings import Finding, Path, kind_of, meant, quote
from .hints import Hint, keys_of, read
from .scalars import Bytes, FilePath, Seconds, Secret, parse_bytes, parse_seconds
from .secrets import BadReference, Origin, ResolvedSecret, Resolver
from .yaml_nodes import scalar

T = TypeVar("T", bound=Struct)


class SecretUse(NamedTuple):
    """Where a secret stands and where it came from."""

    path: Path
    value: Secret
    origin: Origin


class FileUse(NamedTuple):
    path: Path
    file: FilePath


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """``value`` is ``None`` when ``problems`` left none to be made; there may be problems beside a value.

    ``awaited`` are the references whose variable or file is missing; what they stand for is empty in ``value``.
    """

    value: T | None
    problems: tuple[Finding, ...]
    awaited: tuple[Finding, ...]
    secrets: tuple[SecretUse, ...]
    files: tuple[FileUse, ...]


def decode(data: Mapping[str, Any], struct: type[T], resolver: Resolver) -> Decoded[T]:
    """Never raises for bad data: all that is wrong with it is in the result."""
    decoder = _Decoder(resolver)
    value = decoder.struct(data, Hint(struct), ())
    return Decoded(
        None if value is _BAD else value,
        tuple(decoder.problems),
        tuple(decoder.awaited),
        tuple(decoder.secrets),
        tuple(decoder.files),
    )


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: Any) -> int | None:
    """10.0 is as whole as 10."""
    number = _number(value)
    return int(value) if number is not None and number.is_integer() else None


def _seconds(value: Any) -> Seconds | None:
    number = parse_seconds(value) if isinstance(value, str) else _number(value)
    return None if number is None else Seconds(number)


def _bytes(value: Any) -> Bytes | None:
    size = parse_bytes(value) if isinstance(value, str) else _whole(value)
    return None if size is None else Bytes(size)


_SCALARS: Mapping[Any, tuple[Callable[[Any], Any], str]] = {
    bool: (_truth, "true or false"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
    Seconds: (_seconds, "a duration such as 30s, 5m or 1h"),
    Bytes: (_bytes, "a size such as 512KiB or 4MiB"),
}


class _Bad:
    """Stands where no value could be made. The problem is already noted."""


_BAD = _Bad()


class _Decoder:
    def __init__(self, resolver: Resolver) -> None:
        self.problems: list[Finding] = []
        self.awaited: list[Finding] = []
        self.secrets: list[SecretUse] = []
        self.files: list[FileUse] = []
        self._resolver = resolver
        self._by_type: Mapping[Any, Callable[[Any, Hint, Path], Any]] = {
            str: self._string,
            **dict.fromkeys(_SCALARS, self._scalar),
            Secret: self._secret,
            FilePath: self._file,
            tuple: self._list,
            dict: self._mapping,
            Literal: self._choice,
        }

    # ------------------------------------------------------------ dispatch

    def value(self, data: Any, annotation: Any, path: Path) -> Any:
        hint = read(annotation)
        if hint.is_union:
            return self._union(data, hint, path)
        if hint.is_struct:
            return self.struct(data, hint, path)
        value = self._by_type[hint.origin or hint.core](data, hint, path)
        if value is _BAD or value == "":
            awaited = value is _BAD or any(a.path == path for a in self.awaited)
            return value if awaited else self._empty(hint, path)
        for meta in hint.metas:
            message = _broken(meta, value)
            if message is not None:
                return self._bad(path, f"{message}, not {_shown(data)}")
        return value

    def _empty(self, hint: Hint, path: Path) -> Any:
        if hint.core in (Secret, FilePath) or any(m.min_length or m.pattern for m in hint.metas):
            return self._bad(path, "empty: give it a value, or remove the key")
        return ""

    def _union(self, data: Any, hint: Hint, path: Path) -> Any:
        if data is None and hint.optional:
            return None
        members = hint.members
        if isinstance(data, Mapping):
            members = tuple(m for m in members if read(m).is_struct) or members
        else:
            members = tuple(m for m in members if not read(m).is_struct) or members
        return self.value(data, members[0], path)

    def struct(self, data: Any, hint: Hint, path: Path) -> Any:
        if not isinstance(data, Mapping):
            first = ", ".join(k.spelling for k in keys_of(hint.core)[:3])
            return self._wrong(path, f"a mapping with keys such as {first}", data)
        keys = {k.spelling: k for k in keys_of(hint.core)}
        values: dict[str, Any] = {}
        for spelling, item in data.items():
            if spelling not in keys:
                self._bad((*path, spelling), f"unknown key{meant(spelling, keys)}")
                continue
            key = keys[spelling]
            values[key.attribute] = self.value(item, key.annotation, (*path, spelling))
        for key in keys.values():
            if key.required and key.spelling not in data:
                doc = read(key.annotation).doc
                values[key.attribute] = self._bad((*path, key.spelling), f"missing. {doc or 'It must be given.'}")
        return _BAD if _BAD in values.values() else hint.core(**values)

    # ------------------------------------------------------------ containers

    def _list(self, data: Any, hint: Hint, path: Path) -> Any:
        if not isinstance(data, list | tuple):
            return self._wrong(path, "a list", data)
        items = [self.value(item, hint.args[0], (*path, i)) for i, item in enumerate(data)]
        return _BAD if _BAD in items else tuple(items)

    def _mapping(self, data: Any, hint: Hint, path: Path) -> Any:
        if not isinstance(data, Mapping):
            return self._wrong(path, "a mapping", data)
        key_type, item_type = hint.args
        values = {self.value(k, key_type, (*path, k)): self.value(v, item_type, (*path, k)) for k, v in data.items()}
        return _BAD if _BAD in values or _BAD in values.values() else values

    # ------------------------------------------------------------ scalars

    def _string(self, data: Any, hint: Hint, path: Path) -> Any:
        if isinstance(data, str):
            return self._followed(data, path, self._resolver.text)
        if isinstance(data, bool | int | float):
            return self._bad(path, f'must be text, not {kind_of(data)}: put it in "quotes"')
        return self._wrong(path, "text", data)

    def _scalar(self, data: Any, hint: Hint, path: Path) -> Any:
        convert, expected = _SCALARS[hint.core]
        value = self._plain(data, path)
        if value is _BAD:
            return value
        converted = convert(value)
        return self._wrong(path, expected, data) if converted is None else converted

    def _choice(self, data: Any, hint: Hint, path: Path) -> Any:
        value = self._plain(data, path)
        if value is _BAD or value in hint.args:
            return value
        near = difflib.get_close_matches(value, hint.args, n=1) if isinstance(value, str) else None
        hinted = f"; did you mean {near[0]}?" if near else ""
        return self._wrong(path, f"one of {', '.join(hint.args)}", data, hinted)

    def _secret(self, data: Any, hint: Hint, path: Path) -> Any:
        if not isinstance(data, str):
            # The value may be a secret without quotes: it is not shown.
            return self._bad(path, 'must be text: write ${NAME}, file:/path or secret:NAME, or put it in "quotes"')
        resolved = self._followed(data, path, self._resolver.secret)
        if not isinstance(resolved, ResolvedSecret):
            return resolved if resolved is _BAD else Secret()
        self.secrets.append(SecretUse(path, resolved.value, resolved.origin))
        return resolved.value

    def _file(self, data: Any, hint: Hint, path: Path) -> Any:
        if not isinstance(data, str) or not data:
            return self._wrong(path, "a file's path", data)
        file = self._followed(data, path, self._resolver.path)
        if isinstance(file, FilePath):
            self.files.append(FileUse(path, file))
        return FilePath() if file == "" else file

    # ------------------------------------------------------------ parts

    def _plain(self, data: Any, path: Path) -> Any:
        """A number's or word's data; where it was written with references, what these amount to."""
        if not isinstance(data, str) or "${" not in data:
            return data
        text = self._followed(data, path, self._resolver.text)
        return _BAD if text in (_BAD, "") else scalar(text)

    def _followed(self, text: str, path: Path, follow: Callable[[str], Any]) -> Any:
        try:
            return follow(text)
        except BadReference as error:
            if not error.awaits_value:
                return self._bad(path, str(error))
            self.awaited.append(Finding(path, str(error)))
            return ""

    def _wrong(self, path: Path, expected: str, data: Any, more: str = "") -> _Bad:
        if data is None:
            return self._bad(path, f"empty: give it {expected}, or remove the key")
        return self._bad(path, f"must be {expected}, not {kind_of(data)}{more}")

    def _bad(self, path: Path, message: str) -> _Bad:
        self.problems.append(Finding(path, message))
        return _BAD


def _broken(meta: Meta, value: Any) -> str | None:
    """What a value must be and is not, in words."""
    low, high = meta.ge, meta.le
    if low is not None and high is not None and not low <= value <= high:
        return f"must be between {low} and {high}"
    if low is not None and value < low:
        return f"must be at least {low}"
    if meta.gt is not None and value <= meta.gt:
        return f"must be more than {meta.gt}"
    if meta.min_length is not None and len(value) < meta.min_length:
        return f"must hold at least {meta.min_length}"
    if meta.pattern is not None and not re.fullmatch(meta.pattern, value):
        return f"must be {meta.description}"
    return None


def _shown(data: Any) -> str:
    """As written in the file: a reference stays one, its value is not shown."""
    if isinstance(data, str):
        return quote(data)
    return "an empty list" if data == [] else str(data)
