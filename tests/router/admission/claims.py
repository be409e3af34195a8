"""Limits for tests, by their shortest names."""

from __future__ import annotations

from llm_router.admission.limits import Claim, Limit, Limits
from llm_router.config.schema import Budget, RateLimit

NOON = 1_795_262_400.0
"""2026-11-21T12:00:00Z."""


def limits(
    rpm: int | None = None,
    tpm: int | None = None,
    slots: int | None = None,
    *,
    owner: str = "alice",
    budget: Budget | None = None,
    unix_time: float = NOON,
) -> dict[str, Limit]:
    """By unit; a budget by its own name."""
    rates = RateLimit(requests_per_minute=rpm, tokens_per_minute=tpm, concurrent_requests=slots)
    one = Limits("key", owner, rates, budget)
    return {limit.unit: limit for limit in one.rates} | {limit.name: limit for limit in one.budgets(unix_time)}


def claims(stated: dict[str, Limit], tokens: int = 10, nano_usd: int = 100) -> list[Claim]:
    amounts = {"requests": 1, "slots": 1, "tokens": tokens, "nano_usd": nano_usd}
    return [Claim(limit, amounts[limit.unit]) for limit in stated.values()]
