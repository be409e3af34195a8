"""The requirements of a request: what its headers demand, on top of what its API key demands.

A header can tighten what the key says, never loosen it: tags add up, a maximum takes the smaller figure.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ..admission.keys import ApiKey
from ..errors import ClientError
from ..model import Requirements

KNOWN_TAGS = frozenset({"gdpr", "hipaa", "iso27001", "pci-dss", "soc2", "sox"})
"""Tags that may be asked for even where no target has them (then nobody may answer). Another tag that no target has is
a mistake in writing, and said to be one."""

_PREFIX = b"x-llm-"


class Asked(Struct, frozen=True):
    """What the ``X-LLM-*`` headers and the key say together."""

    requirements: Requirements
    strategy: str | None = None
    session: str | None = None


def read_requirements(
    headers: Iterable[tuple[bytes, bytes]], key: ApiKey | None, *, configured_tags: frozenset[str]
) -> Asked:
    """Raises ``ClientError`` 400 that names the header at fault."""
    given = _given(headers)
    tags = frozenset(tag.strip().lower() for tag in given.pop("compliance", "").split(",") if tag.strip())
    if unknown := tags - KNOWN_TAGS - configured_tags:
        known = ", ".join(sorted(KNOWN_TAGS | configured_tags))
        raise _bad("X-LLM-Compliance", f"unknown tag {min(unknown)!r}; known are {known}")
    requirements = Requirements(
        compliance=tags | (key.tags if key else frozenset()),
        region=given.pop("region", None) or None,
        max_latency_ms=_whole("X-LLM-Max-Latency-Ms", given.pop("max-latency-ms", None)),
        max_usd_per_1k_tokens=_positive("X-LLM-Max-Cost-Per-1K", given.pop("max-cost-per-1k", None)),
        exact_model=_flag("X-LLM-Exact-Model", given.pop("exact-model", None)),
        target=given.pop("target", None) or None,
        allowed_models=key.models if key else None,
        allowed_targets=key.targets if key else None,
    )
    asked = Asked(requirements, given.pop("strategy", None) or None, given.pop("session", None) or None)
    if given:
        raise _bad(f"X-LLM-{min(given)}", "no such header is known; a misspelt requirement must not be ignored")
    return asked


def _given(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for raw_name, raw_value in headers:
        if raw_name.startswith(_PREFIX) and not raw_name.startswith(b"x-llm-router-"):
            name = raw_name[len(_PREFIX) :].decode("latin-1")
            value = raw_value.decode("latin-1").strip()
            if name not in given:
                given[name] = value
            elif name == "compliance":
                given[name] += "," + value
            elif given[name] != value:
                raise _bad(f"X-LLM-{name}", "given twice with different values")
    return given


def _whole(header: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) == 0:
        raise _bad(header, f"expected a whole number above 0, got {text[:40]!r}")
    return int(text)


def _positive(header: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise _bad(header, f"expected USD above 0, got {text[:40]!r}")
    return value


def _flag(header: str, text: str | None) -> bool:
    if text is None or text.lower() in ("false", "0"):
        return False
    if text.lower() in ("true", "1"):
        return True
    raise _bad(header, f"expected true or false, got {text[:40]!r}")


def _bad(header: str, message: str) -> ClientError:
    return ClientError(400, "invalid_requirement", f"{header}: {message}.", param=header)
