"""A configuration as it may be shown: every key with what is in force, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from .hints import keys_of
from .scalars import Bytes, Seconds, Secret, show_bytes, show_seconds
from .schema import Config

_TELLTALE = re.compile(r"auth|key|token|secret|password|cookie|credential|session", re.IGNORECASE)
_SHOW_LAST = 4
_LONG_ENOUGH = 20


def masked(config: Config) -> dict[str, Any]:
    """Plain data in the file's own spelling, defaults included, keys without a value left out.

    A secret becomes ``***``, with its last four characters when it is long enough to spare them. Values of headers
    whose names speak of credentials are masked too.
    """
    return {key.spelling: plain(getattr(config, key.attribute)) for key in keys_of(Config)}


def mask(secret: str) -> str:
    return f"***{secret[-_SHOW_LAST:]}" if len(secret) >= _LONG_ENOUGH else "***"


def plain(value: object, name: str = "") -> Any:
    """One value as it stands in a file, secrets masked; ``name`` is its key."""
    if isinstance(value, Struct):
        pairs = ((key.spelling, getattr(value, key.attribute)) for key in keys_of(type(value)))
        return {spelling: plain(item, spelling) for spelling, item in pairs if item is not None}
    if isinstance(value, Mapping):
        in_headers = name == "headers"
        return {k: mask(v) if in_headers and _TELLTALE.search(k) else plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> Any:
    if isinstance(value, Secret):
        return mask(value)
    if isinstance(value, Seconds):
        return show_seconds(value)
    if isinstance(value, Bytes):
        return show_bytes(value)
    return str(value) if isinstance(value, str) else value
