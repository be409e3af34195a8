"""What all dialects share: their structs' base, places in their files, and the tree that becomes native data.

A conversion builds a tree of dicts and lists whose leaves are ``Told``: a value, and the path in the dialect's file
that says it. Unfolding the tree gives the native data and, for each of its paths, the path that a person has to look
at: what the native checks find later is told there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar, dataclass_transform

import msgspec
from msgspec import Struct

from ..findings import Finding, Path, show

S = TypeVar("S", bound=Struct)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of a dialect's sections: snake_case, as their keys are spelled."""


class Told(NamedTuple):
    """A value, or a tree of them, and where the dialect's file says it."""

    value: Any
    path: Path


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the dialect's file. ``data`` is what is written there."""

    data: Any
    path: Path = ()

    def __call__(self, *steps: str | int) -> Told | None:
        """What is written below; ``None`` where nothing is, so that the key is left out of a tree."""
        value = self.within(*steps).data
        return None if value is None else Told(value, (*self.path, *steps))

    def within(self, *steps: str | int) -> Place:
        data = self.data
        for step in steps:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                data = None
        return Place(data, (*self.path, *steps))

    def says(self, value: Any, *steps: str | int) -> Told:
        """``value``, which follows from what is written below."""
        return Told(value, (*self.path, *steps))


@dataclass(slots=True)
class Notes:
    """What a conversion has to say, by paths of the dialect's file. A warning does not keep the file from loading."""

    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def refuse(self, path: Path, message: str) -> None:
        self.problems.append(Finding(path, message))

    def warn(self, path: Path, message: str) -> None:
        self.warnings.append(Finding(path, message))


Gaps = Mapping[str, Any]
"""Keys that a dialect knows and this router has nothing for: key → why, and what to do, or the gaps below that key;
``*`` stands for each item of a list or mapping. Written as ``off`` they say nothing, and are accepted."""


@dataclass(frozen=True, slots=True)
class Dialect(Generic[S]):
    """``keys`` are the top-level keys by which a file is recognised, ``beside`` the sections of the native dialect
    that may stand in it. ``prepare`` rewrites plain data first, such as another spelling of references."""

    name: str
    whose: str
    keys: tuple[str, ...]
    struct: type[S]
    gaps: Gaps
    convert: Callable[[S, Place, Notes], dict[str, Any]]
    beside: tuple[str, ...] = ("server", "admin", "access", "state")
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda data: data


def without_gaps(data: Any, gaps: Gaps, notes: Notes, path: Path = ()) -> Any:
    """``data`` without the keys that ``gaps`` names; a refusal for each that says something."""
    if isinstance(data, list):
        below = gaps.get("*")
        return data if below is None else [without_gaps(v, below, notes, (*path, i)) for i, v in enumerate(data)]
    if not isinstance(data, Mapping):
        return data
    kept: dict[str, Any] = {}
    for key, value in data.items():
        gap = gaps.get(key, gaps.get("*"))
        if gap is None:
            kept[key] = value
        elif not isinstance(gap, str):
            kept[key] = without_gaps(value, gap, notes, (*path, key))
        elif not is_off(value):
            notes.refuse((*path, key), gap)
    return kept


def is_off(value: Any) -> bool:
    """Whether a key says nothing: empty, ``false``, or a section with ``enabled: false``."""
    if isinstance(value, Mapping):
        return not value or value.get("enabled") is False
    return value is None or value is False or value in ("", [])


def unfold(tree: Any, origins: dict[Path, Path], path: Path = ()) -> Any:
    """Plain data; ``origins`` receives, for paths in it, those of the dialect's file.

    ``None`` leaves a key out, and so does a mapping of which nothing is left.
    """
    if isinstance(tree, Told):
        origins[path] = tree.path
        return unfold(tree.value, origins, path)
    if isinstance(tree, Mapping):
        items = ((k, v, unfold(v, origins, (*path, k))) for k, v in tree.items() if v is not None)
        return {k: data for k, v, data in items if data != {} or isinstance(v, Told)}
    if isinstance(tree, list | tuple):
        return [unfold(v, origins, (*path, i)) for i, v in enumerate(v for v in tree if v is not None)]
    return tree


def locate(finding: Finding, origins: Mapping[Path, Path], written: Mapping[Path, int]) -> Finding:
    """A finding in the native data as one in the dialect's file, whose paths are those of ``written``.

    Where the file says nothing about the very value, the finding stands at what is around it and names the native key.
    """
    for length in range(len(finding.path), -1, -1):
        origin = origins.get(finding.path[:length])
        if origin is None:
            continue
        rest = finding.path[length:]
        if (*origin, *rest) in written:
            return Finding((*origin, *rest), finding.message)
        return Finding(origin, f"{show(rest)}: {finding.message}" if rest else finding.message)
    return Finding((), f"{show(finding.path)}: {finding.message}" if finding.path else finding.message)
