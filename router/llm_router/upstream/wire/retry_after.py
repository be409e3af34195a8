"""How long an upstream asks to be left alone, in whatever form it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 60.0
"""Longer waits are cut to this: by then a health check or another request knows better."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


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


def _until(text: str, now_unix: float) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() - now_unix
    except (ValueError, OverflowError):
        return None
