"""Fragments of the cloud stacks → one configuration file: read, merge, render.

The demo's local clusters and the cloud stacks take this way alike. Secrets stay the references that they are, and
every value stays as the stack wrote it; ``load`` checks the rendered whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, Problem
from .decode import decode
from .schema import Fragment
from .secrets import KeepReferences
from .yaml_nodes import Document, read, read_file
from .yaml_writer import dump

SCHEMA_FILE = "router.schema.json"


@dataclass(frozen=True, slots=True)
class StackFragment:
    """What one stack emitted, well formed. ``clusters`` are plain data in the file's spelling."""

    stack: str
    clusters: tuple[Mapping[str, Any], ...]
    file: str = ""


def read_fragment(path: str) -> StackFragment:
    """Raises ``ConfigError`` with all problems, a literal secret among them."""
    return _checked(read_file(path))


def fragment(data: Mapping[str, Any], file: str = "") -> StackFragment:
    """A fragment that is not in a file yet: goes through the very text that would be written."""
    return _checked(read(dump(data), file))


def merge(base: Mapping[str, Any], fragments: Iterable[StackFragment]) -> dict[str, Any]:
    """``base`` with the fragments' clusters after its own, ordered by stack and name.

    ``base`` is a router configuration as plain data. Raises ``ConfigError`` where two claim one name.
    """
    ordered = sorted(fragments, key=lambda f: (f.stack, f.file))
    problems = [*_repeated_stacks(ordered), *_repeated_names(base, ordered)]
    if problems:
        raise ConfigError(problems)
    clusters = [*(base.get("clusters") or ())]
    for part in ordered:
        clusters += sorted((dict(c) for c in part.clusters), key=lambda c: str(c["name"]))
    return {**base, "clusters": clusters}


def render(config: Mapping[str, Any], *, stacks: Iterable[str] = (), schema: str = SCHEMA_FILE) -> str:
    """The configuration as YAML, the same text for the same data. ``schema`` is where editors find the JSON Schema."""
    origin = f" from the stacks {', '.join(sorted(stacks))}" if stacks else ""
    return f"# yaml-language-server: $schema={schema}\n# Generated{origin}: changes made here are lost.\n{dump(config)}"


def _checked(document: Document) -> StackFragment:
    decoded = decode(document.data, Fragment, KeepReferences())
    if decoded.value is None or decoded.problems:
        raise ConfigError([document.problem(*finding) for finding in decoded.problems])
    return StackFragment(decoded.value.stack, tuple(document.data["clusters"]), document.file)


def _repeated_stacks(fragments: Iterable[StackFragment]) -> Iterable[Problem]:
    files: dict[str, str] = {}
    for part in fragments:
        if part.stack in files:
            where = f" ({files[part.stack]})" if files[part.stack] else ""
            yield Problem("stack", f"a fragment of the stack {part.stack} is there already{where}", 0, part.file)
        files.setdefault(part.stack, part.file)


def _repeated_names(base: Mapping[str, Any], fragments: Iterable[StackFragment]) -> Iterable[Problem]:
    owners: dict[str, str] = {}
    for section in ("clusters", "externalProviders"):
        # Whatever else may be wrong with the base is told when the whole is loaded.
        entries = (e for e in base.get(section) or () if isinstance(e, Mapping))
        owners |= {str(e.get("name")): f"the base file's {section}" for e in entries}
    for part in fragments:
        for i, cluster in enumerate(part.clusters):
            name = str(cluster["name"])
            mine = f"the stack {part.stack}"
            if name in owners:
                message = f"the name {name} is claimed by {owners[name]} and by {mine}: rename one of the two"
                yield Problem(f"clusters[{i}].name", message, 0, part.file)
            owners.setdefault(name, mine)
