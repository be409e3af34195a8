"""A Pulumi package's schema, read from the installed SDK: always the version that the programs use.

The wheels carry no schema.json; the generated classes say the same: ``XArgs.__init__`` names the inputs with their
types, what has no default is required, ``_utilities.register`` in the package maps type tokens to classes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import threading
import typing
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pulumi
from pulumi import _types

MODULES = {
    "aws": "pulumi_aws",
    "gcp": "pulumi_gcp",
    "azure-native": "pulumi_azure_native",
    "kubernetes": "pulumi_kubernetes",
    "random": "pulumi_random",
}
#: SDK modules are imported on first use; under gRPC's threads a half-imported one would be seen.
LOCK = threading.RLock()


@dataclass(frozen=True, slots=True)
class Property:
    """An input. ``types``: any of them will do."""

    required: bool
    types: tuple[Any, ...]


class Package:
    """One installed SDK."""

    def __init__(self, name: str) -> None:
        spec = find_spec(MODULES[name])
        assert spec is not None
        assert spec.origin is not None
        init = Path(spec.origin)
        listed = re.search(r'resource_modules="""(.*?)"""', init.read_text(), re.S)
        assert listed is not None, f"{init} registers no resources"
        self._classes = {
            token: (entry["fqn"], cls) for entry in json.loads(listed[1]) for token, cls in entry["classes"].items()
        }
        plugin = json.loads((init.parent / "pulumi-plugin.json").read_text())
        self.version = str(plugin["version"])

    def arguments(self, token: str) -> type | None:
        """The class of a resource type's arguments; None where the type does not exist."""
        if token not in self._classes:
            return None
        module, name = self._classes[token]
        with LOCK:
            found = importlib.import_module(module)
            resource = getattr(found, name)
            defining = sys.modules[resource.__module__]
            for suffix in ("InitArgs", "Args"):
                args = getattr(defining, name + suffix, None) or getattr(found, name + suffix, None)
                if args is not None:
                    return typing.cast("type", args)
        raise LookupError(f"{token}: no class of arguments")


@lru_cache
def package(name: str) -> Package:
    return Package(name)


def properties(args: type) -> dict[str, Property]:
    """Inputs of a class of arguments by their name on the wire."""
    with LOCK:
        return _properties(args)


@lru_cache(None)
def _properties(args: type) -> dict[str, Property]:
    wire = _types.input_type_py_to_pulumi_names(args)
    # ``Input[T]`` hides the forward reference to Output.
    namespace = {**vars(typing), "Output": pulumi.Output, **vars(sys.modules[args.__module__])}
    init = args.__init__  # type: ignore[misc]
    # Two dictionaries: with one, a reference that another module spelt alike keeps that module's answer.
    hints = typing.get_type_hints(init, namespace, dict(namespace))
    return {
        wire.get(name, name): Property(parameter.default is inspect.Parameter.empty, tuple(_members(hints[name])))
        for name, parameter in inspect.signature(init).parameters.items()
        if name in hints and name != "__self__"
    }


def _members(hint: Any) -> list[Any]:
    """Concrete types of a union, without None, Awaitable and Output."""
    origin = typing.get_origin(hint)
    if hint is type(None):
        return []
    if origin is typing.Union or getattr(origin, "__name__", "") == "UnionType":
        return [member for part in typing.get_args(hint) for member in _members(part)]
    if origin is not None and getattr(origin, "__name__", "") in ("Awaitable", "Output"):
        return []
    return [hint]


def element(hint: Any) -> list[Any]:
    """Types of a list's elements or of a map's values."""
    arguments = typing.get_args(hint)
    return _members(arguments[-1]) if arguments else []
