"""What a person writes, ``7d`` or ``2026-11-01`` and ``target,day``, as a query."""

from __future__ import annotations

from ..config.findings import meant, quote
from ..config.moments import moment
from .savings import DIMENSIONS, Query


def query_of(*, since: str | None, until: str | None, by: str | None, now: float) -> Query:
    """``now`` is a Unix time. Raises ``ValueError`` that says which of them is wrong, and what is right."""
    return Query(
        since=None if since is None else moment("since", since, now),
        until=None if until is None else moment("until", until, now),
        by=("target",) if by is None else dimensions(by),
    )


def dimensions(text: str) -> tuple[str, ...]:
    """``target,day`` as what a report is grouped by, in this order; nothing, for the whole alone, where it is empty."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in DIMENSIONS:
            raise ValueError(f"by: nothing is grouped by {quote(name)}{meant(name, DIMENSIONS)}")
    return names
