"""``latency``: lowest observed p95 first.

A target without a recent p95 comes before all others as long as nothing is under way there, so that one request at a
time measures it, and after them while one is. Otherwise a target that was slow once would never be tried again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..policy import Policy
from .base import Candidate, Order


def latency(candidates: Sequence[Candidate], policy: Policy, *, clusters_down: bool) -> Order:
    return [(c, "latency_lowest") for c in sorted(candidates, key=_fastest)]


def _fastest(candidate: Candidate) -> tuple[float, int, str]:
    view = candidate.view
    p95_ms = view.p95_latency_ms
    if p95_ms is None:
        p95_ms = float("inf") if view.pending else 0.0
    return (p95_ms, view.target.priority, view.target.name)
