"""Moments as people write and read them."""

from __future__ import annotations

from datetime import UTC, datetime

from .findings import quote
from .scalars import parse_seconds


def iso(unix_time: float) -> str:
    """UTC, to the second."""
    return _utc(unix_time).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_exact(unix_time: float) -> str:
    """UTC, to the microsecond."""
    return _utc(unix_time).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def day_of(unix_time: float) -> str:
    """The day in UTC."""
    return _utc(unix_time).date().isoformat()


def moment(name: str, text: str, now: float) -> float:
    """A Unix time: so long ago (``7d``, ``12h``), the beginning of a day in UTC (``2026-11-01``), or a moment with its
    time zone. Raises ``ValueError`` that calls it ``name``."""
    ago_s = parse_seconds(text)
    if ago_s is not None:
        return now - ago_s
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None and len(text) == len("2026-11-01"):
            at = at.replace(tzinfo=UTC)
        if at.tzinfo is not None:
            return at.timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"{name} must be a time ago such as 7d or 12h, a day such as 2026-11-01, or a moment such as "
        f"2026-11-01T18:00:00Z, not {quote(text)}"
    )


def _utc(unix_time: float) -> datetime:
    return datetime.fromtimestamp(unix_time, UTC)
