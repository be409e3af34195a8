"""``hybrid``: a cluster that can do it cheaply and at once, else the cheapest API, else any allowed cluster."""

from __future__ import annotations

from collections.abc import Sequence

from ..policy import Policy
from ..room import has_room
from .base import Candidate, Order, Situation, cheapest_capacity, cheapest_request

BY_RENT = "hybrid"
"""The strategy that wakes pools by what they save. It leaves out targets that do not run: it never waits for one."""


def hybrid(candidates: Sequence[Candidate], situation: Situation) -> Order:
    policy = situation.policy
    limit_s = policy.first_token_limit_s(situation.facts)
    fit: list[Candidate] = []
    unfit: list[Candidate] = []
    providers: list[Candidate] = []
    for candidate in candidates:
        if candidate.view.target.kind == "provider":
            providers.append(candidate)
        elif candidate.view.state == "up":
            fits = is_cheap(candidate, policy) and has_room(candidate.pool, candidate.input_tokens, limit_s)
            (fit if fits else unfit).append(candidate)
    outside = "fallback_external" if situation.clusters_down else "hybrid_external"
    return [
        *((c, "hybrid_cluster") for c in _packed(fit)),
        *((c, outside) for c in sorted(providers, key=cheapest_request)),
        *((c, "fallback_cluster") for c in sorted(unfit, key=lambda c: _least_bad(c, policy))),
    ]


def is_cheap(candidate: Candidate, policy: Policy) -> bool:
    """Known to cost less than the threshold."""
    usd_per_1k = candidate.usd_per_1k_tokens
    return usd_per_1k is not None and usd_per_1k < policy.cluster_usd_per_1k_threshold


def _packed(clusters: Sequence[Candidate]) -> list[Candidate]:
    """Nodes that run anyway come first, cheap or not: filling them lets the elastic ones go idle."""
    cheapest_first = sorted(clusters, key=cheapest_capacity)
    elastic = [c for c in cheapest_first if not c.view.target.always_on]
    return [c for c in cheapest_first if c.view.target.always_on] + elastic if elastic else cheapest_first


def _least_bad(candidate: Candidate, policy: Policy) -> tuple[bool, float, float, int, str]:
    """Cheap before dear, then whoever has least under way for his slots."""
    pool = candidate.pool
    load = pool.in_flight / pool.slots if pool.slots else 0.0
    return (not is_cheap(candidate, policy), load, *cheapest_capacity(candidate))
