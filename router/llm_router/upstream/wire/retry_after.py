"""How long an upstream asks to be left alone, in whatever form it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 60.0
"""Longer waits are cut to this: by then a health check or another request knows better."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_PART_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_UNIX_S, _UNIX_MS = 1e9, 1e12
"""From here on a number is a moment and no wait."""
_LIMITS = (
    *((f"x-ratelimit-remaining-{unit}", f"x-ratelimit-reset-{unit}") for unit in ("requests", "tokens")),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    *(
        (f"anthropic-ratelimit-{unit}-remaining", f"anthropic-ratelimit-{unit}-reset")
        for unit in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
)


def wait_s(status: int, headers: Mapping[str, str], now_unix: float) -> float | None:
    """What an answer with this status asks for: ``Retry-After``, or after a 429 without one the reset of its limits.

    Other answers tell of limits, too, that have nothing to do with their failing.
    """
    asked_s = retry_after_s(headers, now_unix)
    return limits_reset_s(headers, now_unix) if asked_s is None and status == 429 else asked_s


def retry_after_s(headers: Mapping[str, str], now_unix: float) -> float | None:
    """Seconds from ``retry-after-ms``, or from ``retry-after`` as seconds or as an HTTP date (RFC 9110, 10.2.3).

    What lies in the past is 0, what is longer than ``MAX_RETRY_AFTER_S`` is cut to it, what cannot be read is ``None``.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return clamped_s(milliseconds / 1000)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is None and text is not None:
        seconds = _until(text, now_unix)
    return None if seconds is None else clamped_s(seconds)


def limits_reset_s(headers: Mapping[str, str], now_unix: float) -> float | None:
    """Seconds until the limits that have nothing left are reset, all of them; where each has something left, until the
    first one is.

    Read are ``x-ratelimit-reset…`` as ``6m0s``, ``20ms``, seconds or a Unix time in seconds or milliseconds, and
    ``anthropic-ratelimit-…-reset`` as an ISO 8601 time; they are bounded like ``retry_after_s``.
    """
    waits: list[tuple[bool, float]] = []
    for remaining, reset in _LIMITS:
        seconds = _reset_s(headers.get(reset), now_unix)
        if seconds is not None:
            waits.append((_number(headers.get(remaining)) == 0, clamped_s(seconds)))
    used_up = [seconds for is_used_up, seconds in waits if is_used_up]
    return max(used_up) if used_up else min((seconds for _, seconds in waits), default=None)


def duration_s(text: object) -> float | None:
    """A protobuf duration in JSON, such as ``17s`` or ``0.5s``."""
    if not isinstance(text, str) or not text.endswith("s"):
        return None
    seconds = _number(text[:-1])
    return None if seconds is None else clamped_s(seconds)


def clamped_s(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text := text.strip()) else None


def _reset_s(text: str | None, now_unix: float) -> float | None:
    number = _number(text)
    if number is not None:
        return number if number < _UNIX_S else (number if number < _UNIX_MS else number / 1000) - now_unix
    if text is None:
        return None
    parts = _PARTS.findall(text)
    if parts and "".join(amount + unit for amount, unit in parts) == text.strip():
        return sum(float(amount) * _PART_S[unit] for amount, unit in parts)
    try:
        return datetime.fromisoformat(text.strip()).timestamp() - now_unix
    except (ValueError, OverflowError):
        return None


def _until(text: str, now_unix: float) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() - now_unix
    except (ValueError, OverflowError):
        return None
