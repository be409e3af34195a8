"""The value types of the configuration: durations, sizes, secrets, paths, and the shapes that names must have."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta


class Seconds(float):
    """A duration, written ``250ms``, ``30s``, ``5m``, ``1h``, ``7d`` or as a number of seconds."""

    __slots__ = ()


class Bytes(int):
    """A size, written ``512KiB``, ``4MiB``, ``1GiB`` or as a number of bytes."""


class Secret(str):
    """A secret, written ``${ENV}``, ``file:/path``, ``secret:NAME``, or as a literal (loopback only).

    Loading a configuration replaces the reference by the value. Shows itself masked.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


class FilePath(str):
    """A file's path; loading makes it absolute, counted from the directory of the file that names it."""

    __slots__ = ()


SECONDS_PATTERN = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|s|m|h|d)"
BYTES_PATTERN = r"([0-9]{1,15})(B|KiB|MiB|GiB)"
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def parse_seconds(text: str) -> Seconds | None:
    """``None`` for anything but a number followed by ms, s, m, h or d."""
    found = re.fullmatch(SECONDS_PATTERN, text, re.ASCII)
    return Seconds(float(found[1]) * _UNIT_S[found[2]]) if found else None


def show_seconds(value: float) -> str:
    """The shortest way to write a duration: ``90.0`` is ``90s``, ``300.0`` is ``5m``."""
    for unit in ("h", "m", "s"):
        if value >= _UNIT_S[unit] and value % _UNIT_S[unit] == 0:
            return f"{int(value / _UNIT_S[unit])}{unit}"
    return f"{value * 1000:g}ms" if 0 < value < 1 else f"{value:g}s"


def parse_bytes(text: str) -> Bytes | None:
    """``None`` for anything but a whole number followed by B, KiB, MiB or GiB."""
    found = re.fullmatch(BYTES_PATTERN, text, re.ASCII)
    return Bytes(int(found[1]) * _UNIT_BYTES[found[2]]) if found else None


def show_bytes(value: int) -> str:
    """The shortest exact way to write a size: ``4194304`` is ``4MiB``."""
    for unit in ("GiB", "MiB", "KiB"):
        if value and value % _UNIT_BYTES[unit] == 0:
            return f"{value // _UNIT_BYTES[unit]}{unit}"
    return f"{value}B"


Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Duration = Annotated[Seconds, Meta(gt=0)]
Pause = Annotated[Seconds, Meta(ge=0)]
Size = Annotated[Bytes, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="a day such as 2026-11-20")]
ApiVersion = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:-preview)?$",
        description="a date such as 2024-10-21, with or without -preview",
    ),
]
CloudName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z](?:[a-z0-9.:-]{0,61}[a-z0-9])?$",
        description="lower-case letters, digits and hyphens, starting with a letter",
    ),
]
DeploymentName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="letters, digits, dots, hyphens or underscores")
]

# The meta's description is what a refused value is told, after "must be".
Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="1 to 63 letters, digits, dots, hyphens or underscores, starting with a letter or digit",
    ),
]
ModelName = Annotated[
    str,
    Meta(
        pattern=r"^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$",
        description="1 to 128 letters, digits or . _ : / @ - without .. in it, starting with a letter or digit",
    ),
]
KeyId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description="1 to 128 letters, digits, dots, hyphens or underscores, starting with a letter or digit",
    ),
]
Tag = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$",
        description="1 to 63 lower-case letters, digits, dots, hyphens or underscores",
    ),
]
HeaderName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$", description="a header name as in RFC 9110, section 5.1")
]
HeaderValue = Annotated[
    str, Meta(pattern=r"^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$", description="printable ASCII without line breaks")
]
