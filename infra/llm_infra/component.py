"""What all components have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

PACKAGE = "llm-platform:index"


class Component(pulumi.ComponentResource):
    """A group of resources with typed arguments; its type is ``llm-platform:index:CLASS``.

    The type is part of every child's URN: whoever renames a class in use gives it an alias, or everything in it is
    replaced.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:{type(self).__name__}", name, None, opts)

    def own(self, **more: Any) -> pulumi.ResourceOptions:
        """Options of a child."""
        return pulumi.ResourceOptions(parent=self, **more)

    def done(self, **outputs: Any) -> None:
        """The last thing in a constructor: what others may wait for and read."""
        self.register_outputs(_wire(outputs))


def _wire(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """snake_case → camelCase, as Pulumi's other languages write it."""
    return {_camel(key): value for key, value in outputs.items()}


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
