"""Reads the types of the configuration structs for those who walk them: the decoder and the JSON Schema."""

from __future__ import annotations

from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct, structs


class Hint(NamedTuple):
    """A type without its annotations, and these. ``doc`` is the description beside the type, or empty."""

    core: Any
    metas: tuple[Meta, ...] = ()
    doc: str = ""

    @property
    def origin(self) -> Any:
        return get_origin(self.core)

    @property
    def args(self) -> tuple[Any, ...]:
        return get_args(self.core)

    @property
    def is_union(self) -> bool:
        return self.origin in (Union, UnionType)

    @property
    def optional(self) -> bool:
        return self.is_union and NoneType in self.args

    @property
    def members(self) -> tuple[Any, ...]:
        """A union's members without ``None``."""
        return tuple(a for a in self.args if a is not NoneType)

    @property
    def is_struct(self) -> bool:
        return isinstance(self.core, type) and issubclass(self.core, Struct)


def read(annotation: Any) -> Hint:
    if get_origin(annotation) is not Annotated:
        return Hint(annotation)
    core, *extras = get_args(annotation)
    metas = tuple(e for e in extras if isinstance(e, Meta))
    return Hint(core, metas, next((e for e in reversed(extras) if isinstance(e, str)), ""))


class Key(NamedTuple):
    """One key of a mapping: its spelling in the file, the attribute's name, its type, whether it must be there."""

    spelling: str
    attribute: str
    annotation: Any
    required: bool
    default: Any


@lru_cache(maxsize=256)
def keys_of(struct: type[Struct]) -> tuple[Key, ...]:
    return tuple(
        Key(
            f.encode_name,
            f.name,
            f.type,
            f.required,
            f.default if f.default_factory is NODEFAULT else f.default_factory(),
        )
        for f in structs.fields(struct)
    )
