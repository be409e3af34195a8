"""``external_first``: every allowed API before any cluster; cheapest first on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from ..policy import Policy
from .base import Candidate, Order, cheapest_capacity, cheapest_request, split


def external_first(candidates: Sequence[Candidate], policy: Policy, *, clusters_down: bool) -> Order:
    clusters, providers = split(candidates)
    return [
        *((c, "external_first") for c in sorted(providers, key=cheapest_request)),
        *((c, "fallback_cluster") for c in sorted(clusters, key=cheapest_capacity)),
    ]
