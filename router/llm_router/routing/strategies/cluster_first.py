"""``cluster_first``: every allowed cluster before any API, whatever it costs; cheapest first on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation, cheapest_capacity, cheapest_request, split


def cluster_first(candidates: Sequence[Candidate], situation: Situation) -> Order:
    clusters, providers = split(candidates)
    return [
        *((c, "cluster_first") for c in sorted(clusters, key=cheapest_capacity)),
        *((c, "fallback_external") for c in sorted(providers, key=cheapest_request)),
    ]
