"""``latency``: whoever was fastest lately, as measured over the window and at the percentile of ``router.latency``.

A caller who streams waits for the first token, another one for the whole answer: the one time is compared first, the
other where it is equal. A target without a recent measurement comes before all others as long as nothing is under way
there, so that one request at a time measures it, and after them while one is. Otherwise a target that was slow once
would never be tried again.
"""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation


def latency(candidates: Sequence[Candidate], situation: Situation) -> Order:
    streams = situation.facts.stream

    def fastest(candidate: Candidate) -> tuple[float, float, int, str]:
        view = candidate.view
        unknown = float("inf") if view.pending else 0.0
        first = unknown if view.p95_latency_ms is None else view.p95_latency_ms
        total = first if view.p95_total_ms is None else view.p95_total_ms
        waits = (first, total) if streams else (total, first)
        return (*waits, view.target.priority, view.target.name)

    return [(c, "latency_lowest") for c in sorted(candidates, key=fastest)]
