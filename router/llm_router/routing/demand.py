"""What a decision says about the pools: who answers, who could have, and what that would have been worth."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from ..model import Demand, Facts, Usage
from ..pricing.estimate import expected_usage
from .policy import Policy
from .room import nodes_needed
from .strategies.base import Candidate, Order
from .strategies.hybrid import BY_RENT, is_cheap


def demand_of(
    candidates: Mapping[str, Candidate],
    order: Order,
    facts: Facts,
    policy: Policy,
    *,
    strategy: str,
    asleep: Collection[str],
    outside: Iterable[Candidate],
) -> Demand | None:
    """``candidates`` are all who may answer, by name, those that are ``asleep`` included; ``order`` is what rule and
    strategy make of them, before those who sleep are taken out; ``outside`` are the APIs that may answer. ``None``
    where no pool is concerned."""
    clusters = [candidate for candidate in candidates.values() if candidate.view.target.kind == "cluster"]
    if not clusters:
        return None
    first = order[0][0].view.target if order else None
    awake = (entry for entry in order if entry[0].view.target.name not in asleep)
    answering, reason = next(awake, (None, ""))
    by_rent = strategy == BY_RENT
    spilled = by_rent and (answering is None or reason in _SPILLED)
    limit_s = policy.first_token_limit_s(facts)
    chosen = None
    if answering is not None and answering.view.target.kind == "cluster" and not spilled:
        chosen = answering
    able: tuple[str, ...] = ()
    if spilled:
        able = _owners(c for c in clusters if is_cheap(c, policy) and _reads_in_time(c, limit_s))
        if not able and answering is None:
            able = _owners(clusters)  # better a dear one than nobody
    tokens = expected_usage((chosen or clusters[0]).view, facts)
    return Demand(
        value_usd=_value_usd(outside, tokens, policy),
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
        limit_s=limit_s,
        chosen=None if chosen is None else chosen.view.target.owner,
        nodes_needed=1 if chosen is None else nodes_needed(chosen.pool, tokens.input_tokens, limit_s),
        spilled=spilled,
        able=able,
        called=first.owner if first is not None and first.name in asleep else None,
    )


_SPILLED = frozenset({"hybrid_external", "fallback_external", "fallback_cluster"})


def _value_usd(outside: Iterable[Candidate], tokens: Usage, policy: Policy) -> float:
    """What the cheapest API asks; where none says, what the operator finds cheap enough for his clusters."""
    asked = [candidate.estimated_usd for candidate in outside]
    if not asked:
        return math.inf
    known = [usd for usd in asked if usd is not None]
    if known:
        return min(known)
    return policy.cluster_usd_per_1k_threshold * tokens.all_tokens / 1000


def _owners(candidates: Iterable[Candidate]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(candidate.view.target.owner for candidate in candidates))


def _reads_in_time(candidate: Candidate, limit_s: float) -> bool:
    """On a node that has nothing else to do."""
    speed = candidate.pool.prefill_tokens_per_second
    return not speed or candidate.input_tokens / speed <= limit_s
