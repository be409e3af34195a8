"""What the caller is told when no attempt answered: upstream failures in the router's own terms."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import (
    ClientError,
    NoTarget,
    NotSent,
    RouterError,
    RouterFull,
    TargetFull,
    TargetLimited,
    TargetUnsuited,
    UpstreamRefused,
    UpstreamSilent,
)
from .exchange import Tried

OVERLOADED = frozenset({503, 529})


def verdict(trail: Sequence[Tried]) -> RouterError:
    """The error for a trail of failures; the last that was really sent speaks, the shortest wait of all
    goes with it."""
    speaking = next((t for t in reversed(trail) if not isinstance(t.failure, NotSent)), trail[-1])
    failure = speaking.failure
    waits = [
        tried.failure.retry_after_s
        for tried in trail
        if isinstance(tried.failure, UpstreamRefused) and tried.failure.retry_after_s is not None
    ]
    retry_after_s = min(waits, default=None)
    if isinstance(failure, UpstreamRefused):
        return _refused(failure, speaking.choice.target.owner, retry_after_s)
    if isinstance(failure, TargetUnsuited):
        return failure.error
    if isinstance(failure, TargetLimited):
        return _soonest([tried.failure.error for tried in trail if isinstance(tried.failure, TargetLimited)])
    tried = ", ".join(f"{tried.choice.target.name} ({tried.outcome})" for tried in trail)
    if isinstance(failure, UpstreamSilent):
        return NoTarget(504, "upstream_timeout", f"No target answered in time. Tried: {tried}.")
    if isinstance(failure, TargetFull):
        return NoTarget(503, "overloaded", f"Every target is full. Tried: {tried}.", retry_after_s=1.0)
    if isinstance(failure, RouterFull):
        return NoTarget(503, "overloaded", "The router is out of file descriptors.", retry_after_s=1.0)
    return NoTarget(502, "upstream_unavailable", f"No target answered. Tried: {tried}.", retry_after_s=retry_after_s)


def _soonest(limits: Sequence[NoTarget]) -> NoTarget:
    """A limit that will have room again before a budget that has none, and of those the first."""
    return min(limits, key=lambda error: (error.status == 402, error.retry_after_s or math.inf))


def _refused(failure: UpstreamRefused, owner: str, retry_after_s: float | None) -> RouterError:
    status = failure.status
    if status in (401, 403):
        message = f"{owner} refuses the router's credentials: the operator must mend them."
        return NoTarget(502, "upstream_auth_failed", message)
    if failure.quota or status == 402:
        return NoTarget(429, "insufficient_quota", f"The account at {owner} has no quota or credit left.")
    if status == 404:
        return NoTarget(502, "upstream_model_not_found", f"{owner} does not know the model it is configured with.")
    if status == 429:
        return NoTarget(429, "rate_limit_exceeded", failure.message, retry_after_s=retry_after_s)
    if status in OVERLOADED:
        return NoTarget(503, "upstream_overloaded", f"{owner} is overloaded.", retry_after_s=retry_after_s)
    if status >= 500 or status == 408:
        return NoTarget(502, "upstream_error", f"{owner} failed with status {status}.", retry_after_s=retry_after_s)
    if status < 400:
        return NoTarget(502, "upstream_error", f"{owner} answered with status {status}, which is no answer.")
    return ClientError(status, failure.code, failure.message, param=failure.param)
