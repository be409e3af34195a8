"""``external_first``: every allowed API before any cluster; cheapest first on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation, cheapest_capacity, cheapest_request, split


def external_first(candidates: Sequence[Candidate], situation: Situation) -> Order:
    clusters, providers = split(candidates)
    return [
        *((c, "external_first") for c in sorted(providers, key=cheapest_request)),
        *((c, "fallback_cluster") for c in sorted(clusters, key=cheapest_capacity)),
    ]
