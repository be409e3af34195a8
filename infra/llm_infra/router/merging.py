"""Fragments of the cloud stacks and the operator's own part → the file that the router loads.

The same contract as ``llm-router merge``: clusters ordered by stack and name behind the operator's own, and no name
twice. The whole is judged by the router's JSON Schema; what a schema cannot say, ``llm-router check`` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from ..errors import Problem, SettingsError

Config = dict[str, Any]


def merged(base: Mapping[str, Any], fragments: Iterable[Mapping[str, Any]], schema: Mapping[str, Any]) -> Config:
    """Raises ``SettingsError`` with every name that is taken twice, or all that the schema refuses."""
    ordered = sorted(map(_settled, fragments), key=lambda fragment: str(fragment["stack"]))
    clusters = [*(base.get("clusters") or ())]
    for fragment in ordered:
        clusters += sorted(fragment["clusters"], key=lambda cluster: str(cluster["name"]))
    problems = [*_taken_twice(base, ordered)]
    if problems:
        raise SettingsError(problems)
    config = {**base, "clusters": clusters}
    problems = [
        Problem(error.json_path.removeprefix("$."), error.message)
        for error in Draft202012Validator(schema).iter_errors(config)
    ]
    if problems:
        raise SettingsError(problems)
    return config


def text(config: Mapping[str, Any], stacks: Iterable[str]) -> str:
    """YAML, the same for the same data, so that a preview shows what routing would change and nothing else."""
    head = f"# Generated from the stacks {', '.join(sorted(stacks))}: changes made here are lost.\n"
    return head + yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=120)


def _settled(value: Any) -> Any:
    """The same for the same data: another stack's outputs come in any order, and with every number as a float."""
    if isinstance(value, Mapping):
        return {key: _settled(value[key]) for key in sorted(value, key=lambda key: (key != "name", key))}
    if isinstance(value, list | tuple):
        return [_settled(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _taken_twice(base: Mapping[str, Any], fragments: Iterable[Mapping[str, Any]]) -> Iterable[Problem]:
    owners: dict[str, str] = {}
    stacks: set[str] = set()
    for section in ("clusters", "externalProviders"):
        owners |= {str(entry.get("name")): f"the base file's {section}" for entry in base.get(section) or ()}
    for fragment in fragments:
        stack = str(fragment["stack"])
        if stack in stacks:
            yield Problem("stacks", f"two of them are called {stack}: name each cloud's stack once")
        stacks.add(stack)
        for cluster in fragment["clusters"]:
            name, mine = str(cluster["name"]), f"the stack {stack}"
            if owners.setdefault(name, mine) != mine:
                yield Problem("stacks", f"the name {name} is claimed by {owners[name]} and by {mine}: rename one")
