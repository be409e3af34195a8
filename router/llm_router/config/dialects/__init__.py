"""Configurations that were written for other gateways: recognised by a top-level key, translated, then judged like
any other.

Adding a dialect takes a module with its structs, its gaps and its conversion, and a line in ``DIALECTS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from ..decode import decode
from ..findings import Finding, Path
from ..hints import keys_of
from ..refused import refused
from ..schema import Config
from ..secrets import Resolver
from ..yaml_nodes import Document
from .base import Dialect, Notes, Place, locate, unfold, without_gaps
from .litellm import LITELLM
from .loom import LOOM
from .semantic_router import SEMANTIC_ROUTER

DIALECTS: tuple[Dialect[Any], ...] = (SEMANTIC_ROUTER, LOOM, LITELLM)


@dataclass(frozen=True, slots=True)
class Translation:
    """``data`` is in the native dialect; ``problems`` and ``warnings`` are by paths of ``document``."""

    document: Document
    data: Mapping[str, Any]
    dialect: Dialect[Any] | None = None
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    origins: Mapping[Path, Path] = field(default_factory=dict)

    def locate(self, findings: Iterable[Finding]) -> list[Finding]:
        """Findings in ``data`` as ones in the file that a person has before him."""
        if self.dialect is None:
            return list(findings)
        return [locate(finding, self.origins, self.document.lines) for finding in findings]


def recognise(document: Document) -> Dialect[Any] | None:
    """``None`` for the native dialect."""
    return next((d for d in DIALECTS if any(key in document.data for key in d.keys)), None)


def translate(document: Document, resolver: Resolver) -> Translation:
    """A file of any dialect in the native one. Raises ``ConfigError`` where its own keys and values are wrong.

    References stay what they are, but where a value has to be computed with.
    """
    dialect = recognise(document)
    if dialect is None:
        return Translation(document, document.data)
    notes = Notes()
    written = dialect.prepare(document.data)
    beside = {key: value for key, value in written.items() if key in dialect.beside}
    own = {key: value for key, value in written.items() if key not in dialect.beside}
    own = without_gaps(_without_strangers(own, dialect, notes), dialect.gaps, notes)
    decoded = decode(own, dialect.struct, resolver)
    notes.problems += decoded.problems
    if decoded.value is None:
        raise refused(document, [*notes.problems, *decoded.awaited])
    tree = dialect.convert(decoded.value, Place(own), notes)
    origins: dict[Path, Path] = {(): (), **{(key,): (key,) for key in beside}}
    data = _with_beside(unfold(tree, origins), beside, notes)
    return Translation(document, data, dialect, tuple(notes.problems), tuple(notes.warnings), origins)


def _with_beside(told: Mapping[str, Any], beside: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """What the dialect tells, with the native sections beside it; a key that both give is refused."""
    data = {**beside, **told}
    for section in told.keys() & beside.keys():
        mine, theirs = beside[section], told[section]
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            data[section] = {**mine, **theirs}
            for key in mine.keys() & theirs.keys():
                notes.refuse((section, key), "the other gateway's keys in this file say that too: keep one of the two")
    return data


def _without_strangers(data: Mapping[str, Any], dialect: Dialect[Any], notes: Notes) -> dict[str, Any]:
    """Refuses what belongs to another dialect: a file speaks one."""
    struct: type[Struct] = dialect.struct
    own = {key.spelling for key in keys_of(struct)} | dialect.gaps.keys()
    owners = {key.spelling: "the router's own" for key in keys_of(Config)}
    owners |= {key: other.whose for other in DIALECTS for key in other.keys}
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if key in own or key not in owners:
            kept[key] = value
        else:
            message = f"belongs to {owners[key]} dialect, and this file is in {dialect.whose}"
            notes.refuse((key,), f"{message}: a file speaks one (llm-router import converts)")
    return kept
