"""What a strategy is: a pure ordering of the allowed targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from ...model import View
from ..policy import Policy


class Candidate(Struct, frozen=True, kw_only=True):
    """One allowed target with what this request would cost there. ``first_token_ms`` is the predicted time of reading
    the prompt. ``None`` is unknown."""

    view: View
    usd_per_1k_tokens: float | None = None
    estimated_usd: float | None = None
    first_token_ms: float | None = None


Order = list[tuple[Candidate, str]]
"""Candidates, best first, each with the reason for its place."""


class Strategy(Protocol):
    """Orders candidates, best first, each with a reason. Pure: no I/O, no clock, no randomness of its own.

    ``clusters_down`` is true when no cluster is among the candidates, and one would be if it were up and healthy.
    """

    def __call__(self, candidates: Sequence[Candidate], policy: Policy, *, clusters_down: bool) -> Order: ...


def split(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """``(clusters, providers)``."""
    clusters = [c for c in candidates if c.view.target.kind == "cluster"]
    return clusters, [c for c in candidates if c.view.target.kind == "provider"]


def cheapest_request(candidate: Candidate) -> tuple[float, int, str]:
    """Sort key: predicted cost of this request, unknown last; ties by priority, then name."""
    return _key(candidate.estimated_usd, candidate)


def cheapest_capacity(candidate: Candidate) -> tuple[float, int, str]:
    """Sort key: USD per 1K tokens, unknown last; ties by priority, then name."""
    return _key(candidate.usd_per_1k_tokens, candidate)


def _key(usd: float | None, candidate: Candidate) -> tuple[float, int, str]:
    target = candidate.view.target
    return (float("inf") if usd is None else usd, target.priority, target.name)
