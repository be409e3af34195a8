"""What the header of a GGUF file says of the model in it. Needs the package gguf, of the extra ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from ..errors import RouterError

_F16_BYTES = 2
_KEYS_AND_VALUES = 2


class UnreadableHeader(RouterError):
    """The file is no GGUF, or does not say what the catalog needs."""


class Header(Struct, frozen=True, kw_only=True):
    family: str
    name: str | None
    licence: str | None
    quantisation: str
    context_length: int
    kv_bytes_per_token: int
    has_chat_template: bool


def read_header(file: Path) -> Header:
    """Raises ``UnreadableHeader``."""
    fields = _fields(file)
    family = _needed(fields, "general.architecture", file)

    def of_family(key: str) -> int:
        return int(_needed(fields, f"{family}.{key}", file))

    heads = of_family("attention.head_count")
    layers = of_family("block_count") // int(fields.get(f"{family}.full_attention_interval", 1))
    key_length = int(fields.get(f"{family}.attention.key_length", of_family("embedding_length") // heads))
    value_length = int(fields.get(f"{family}.attention.value_length", key_length))
    per_layer = int(fields.get(f"{family}.attention.head_count_kv", heads)) * (key_length + value_length)
    return Header(
        family=str(family),
        name=fields.get("general.name"),
        licence=fields.get("general.license"),
        quantisation=_quantisation(fields),
        context_length=of_family("context_length"),
        kv_bytes_per_token=per_layer * layers * _F16_BYTES,
        has_chat_template="tokenizer.chat_template" in fields,
    )


def _fields(file: Path) -> dict[str, Any]:
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError as missing:
        raise UnreadableHeader(
            "reading GGUF files needs the extra demo: pip install multicloud-llm-router[demo]"
        ) from missing
    try:
        reader = GGUFReader(file)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise UnreadableHeader(f"{file} cannot be read as GGUF: {error}") from error
    return {name: field.contents() for name, field in reader.fields.items()}


def _needed(fields: dict[str, Any], key: str, file: Path) -> Any:
    try:
        return fields[key]
    except KeyError:
        raise UnreadableHeader(f"{file} does not say its {key}") from None


def _quantisation(fields: dict[str, Any]) -> str:
    from gguf import LlamaFileType

    try:
        return LlamaFileType(fields.get("general.file_type", -1)).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except ValueError:
        return "unknown"
