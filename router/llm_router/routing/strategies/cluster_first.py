"""``cluster_first``: every allowed cluster before any API, whatever it costs; cheapest first on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from ..policy import Policy
from .base import Candidate, Order, cheapest_capacity, cheapest_request, split


def cluster_first(candidates: Sequence[Candidate], policy: Policy, *, clusters_down: bool) -> Order:
    clusters, providers = split(candidates)
    return [
        *((c, "cluster_first") for c in sorted(clusters, key=cheapest_capacity)),
        *((c, "fallback_external") for c in sorted(providers, key=cheapest_request)),
    ]
