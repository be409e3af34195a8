"""``hybrid``: a cluster that can do it cheaply and in time, else the cheapest API, else any allowed cluster."""

from __future__ import annotations

from collections.abc import Sequence

from ..policy import Policy
from .base import Candidate, Order, Situation, cheapest_capacity, cheapest_request, split


def hybrid(candidates: Sequence[Candidate], situation: Situation) -> Order:
    policy = situation.policy
    clusters, providers = split(candidates)
    fit = sorted((c for c in clusters if _fits(c, policy)), key=_packed)
    unfit = sorted((c for c in clusters if not _fits(c, policy)), key=cheapest_capacity)
    outside = "fallback_external" if situation.clusters_down else "hybrid_external"
    return [
        *((c, "hybrid_cluster") for c in fit),
        *((c, outside) for c in sorted(providers, key=cheapest_request)),
        *((c, "fallback_cluster") for c in unfit),
    ]


def _fits(candidate: Candidate, policy: Policy) -> bool:
    """Known to cost less than the threshold, and not known to need too long for reading the prompt."""
    usd_per_1k, first_token_ms = candidate.usd_per_1k_tokens, candidate.first_token_ms
    if usd_per_1k is None or usd_per_1k >= policy.cluster_usd_per_1k_threshold:
        return False
    return first_token_ms is None or first_token_ms <= policy.max_latency_ms


def _packed(candidate: Candidate) -> tuple[bool, float, int, str]:
    # Nodes that run anyway come first, cheap or not: filling them lets the elastic ones go idle.
    return (not candidate.view.target.always_on, *cheapest_capacity(candidate))
