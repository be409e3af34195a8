"""What whoever comes to a limit is told: which one, whose, and when to come again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from .limits import Claim, Tally

_WHAT = {"requests": "requests a minute", "tokens": "tokens a minute", "slots": "requests at a time"}


class Reached(NamedTuple):
    """``retry_after_s`` is ``None`` where waiting does not help."""

    status: int
    code: str
    message: str
    retry_after_s: float | None


def reached(claim: Claim, tally: Tally, unix_time: float) -> Reached:
    """For a claim that was refused. 402 for money that is gone, which no client tries again by itself; else 429."""
    limit = claim.limit
    whose = "This API key" if limit.scope == "key" else f"The {limit.scope} {limit.owner}"
    if limit.unit == "nano_usd":
        return _over_budget(claim, tally, whose, unix_time)
    what = f"{limit.ceiling} {_WHAT[limit.unit]} ({limit.name})"
    if claim.amount > limit.ceiling:
        message = f"{whose} may use {what}, and this request wants {claim.amount}: ask for less, with max_tokens."
        return Reached(429, "rate_limit_exceeded", message, None)
    message = f"{whose} is at its limit of {what}; try again in {max(1, math.ceil(tally.wait_s))} s."
    return Reached(429, "rate_limit_exceeded", message, tally.wait_s)


def _over_budget(claim: Claim, tally: Tally, whose: str, unix_time: float) -> Reached:
    limit = claim.limit
    if tally.wait_s < math.inf:
        message = f"{whose}'s budget, {limit.text}, is reserved for requests under way; try again soon."
        return Reached(429, "rate_limit_exceeded", message, tally.wait_s)
    until = datetime.fromtimestamp(limit.ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    what = "has no room for this request" if tally.used < limit.ceiling else "is used up"
    message = f"{whose}'s budget, {limit.text}, {what}; the next one begins at {until}."
    return Reached(402, "budget_exceeded", message, limit.ends_at - unix_time)


def rate_headers(claims: Sequence[Claim], tallies: Sequence[Tally]) -> tuple[tuple[str, str], ...]:
    """How requests and tokens stand, in the headers that OpenAI's clients know; and what has come near its budget."""
    headers: list[tuple[str, str]] = []
    near: list[str] = []
    for claim, tally in zip(claims, tallies, strict=True):
        limit = claim.limit
        if limit.unit in ("requests", "tokens"):
            left = max(0, limit.ceiling - tally.used)
            headers.append((f"x-ratelimit-limit-{limit.unit}", str(limit.ceiling)))
            headers.append((f"x-ratelimit-remaining-{limit.unit}", str(left)))
            headers.append((f"x-ratelimit-reset-{limit.unit}", duration(tally.reset_s)))
        elif limit.soft is not None and tally.used >= limit.soft:
            near.append(f"{limit.name} {100 * tally.used // limit.ceiling}%")
    if near:
        headers.append(("x-llm-router-budget", ", ".join(near)))
    return tuple(headers)


def duration(seconds: float) -> str:
    """As OpenAI writes it, and Go: ``120ms``, ``1.5s``, ``6m0s``."""
    milliseconds = math.ceil(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds / 1000, 60)
    return (f"{minutes:.0f}m" if minutes else "") + f"{rest:g}s"
