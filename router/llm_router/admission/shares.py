"""One process's part of a limit that several keep to without asking each other."""

from __future__ import annotations

from msgspec.structs import replace

from .limits import Claim, Limit


def part_of(claim: Claim, processes: int) -> Limit:
    """An equal part; but of everything except money one request, which else would not get through anywhere where there
    are many processes."""
    limit = claim.limit
    if limit.unit == "nano_usd":
        return replace(limit, ceiling=limit.ceiling // processes)
    one = min(max(claim.amount, 1), limit.ceiling)
    return replace(limit, ceiling=max(one, limit.ceiling // processes))
