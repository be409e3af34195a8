"""What is wrong with a request's fields, in a form that every protocol can put into its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

Kind = Literal["unknown", "missing", "choice", "type", "low", "high", "short", "long"]
Path = tuple[str | int, ...]
T = TypeVar("T")

_WHERE = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_FIELD = re.compile(r"^Object (?P<verb>missing required|contains unknown) field `(?P<name>.*)`")
_BOUND = re.compile(r"^Expected `(?P<expected>.+)` (?P<length>of length )?(?P<sign><=|>=) (?P<bound>.+)$")
_TYPE = re.compile(r"^Expected `(?P<expected>.+)`, got")


class Complaint(Struct, frozen=True, kw_only=True):
    """One thing wrong with one field. ``path`` leads to the field itself, also to a missing or unknown one;
    ``expected`` is a type, or the bound where the field is too low, high, short or long; ``value`` is what it has."""

    kind: Kind
    path: Path
    expected: str = ""
    value: Any = None


class Unfit(ValueError):
    """The fields do not have the shape asked for."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint)
        self.complaint = complaint


def fit(fields: Mapping[str, Any], shape: type[T]) -> T:
    """``fields`` as a ``shape``. Raises ``Unfit`` for the first thing that is wrong."""
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise Unfit(_understood(str(error), fields)) from None


def _understood(message: str, fields: Mapping[str, Any]) -> Complaint:
    where = _WHERE.search(message)
    path = tuple(int(number) if number else name for number, name in _STEP.findall(where["path"])) if where else ()
    said = message[: where.start()] if where else message
    if found := _FIELD.match(said):
        kind: Kind = "missing" if found["verb"].startswith("missing") else "unknown"
        return Complaint(kind=kind, path=(*path, found["name"]))
    value = _at(path, fields)
    if found := _BOUND.match(said):
        low = found["sign"] == ">="
        kind = ("short" if low else "long") if found["length"] else ("low" if low else "high")
        return Complaint(kind=kind, path=path, expected=found["bound"].removesuffix(".0"), value=value)
    if found := _TYPE.match(said):
        return Complaint(kind="type", path=path, expected=found["expected"], value=value)
    return Complaint(kind="choice", path=path, value=value)


def _at(path: Path, fields: Any) -> Any:
    for step in path:
        fields = fields[step]
    return fields
