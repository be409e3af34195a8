"""What one request costs: at list price outside, at the pool's figure inside. Unknown prices give ``None``, never 0."""

from __future__ import annotations

import math

from ..model import ClusterCost, Facts, ListPrice, Usage, View

NANO_USD_PER_USD = 1_000_000_000


def list_usd(price: ListPrice, usage: Usage) -> float:
    """USD for ``usage`` at this list price: tiers by the whole input, cached input at its own rates."""
    paid = usage.all_input_tokens
    return (
        usage.input_tokens * price.input.at(paid)
        + usage.cache_read_tokens * price.cache_read.at(paid)
        + usage.cache_write_tokens * price.cache_write.at(paid)
        + usage.output_tokens * price.output.at(paid)
    ) / 1000


def cluster_usd(cost: ClusterCost, usage: Usage) -> float | None:
    """USD for ``usage`` on the decision basis. A prompt token counts as ``input_ratio`` generated ones."""
    usd_per_1k = decision_usd_per_1k(cost)
    if usd_per_1k is None:
        return None
    return (usage.output_tokens + usage.all_input_tokens * cost.input_ratio) * usd_per_1k / 1000


def decision_usd_per_1k(cost: ClusterCost) -> float | None:
    """The figure that decisions compare: the held one, or the capacity figure while none is held."""
    return cost.capacity if cost.decision is None else cost.decision


def most_usd(view: View, facts: Facts) -> float | None:
    """USD for the longest answer that this request may get there, or the expected one where it has no bound."""
    usage = Usage(input_tokens=facts.input_tokens, output_tokens=facts.most_output_tokens)
    if view.target.kind == "cluster":
        return None if view.cost is None else cluster_usd(view.cost, usage)
    return None if view.target.list_price is None else list_usd(view.target.list_price, usage)


def nano_usd(usd: float) -> int:
    """Rounded up: who reserves too little lets too much through."""
    return math.ceil(usd * NANO_USD_PER_USD)


def estimate(view: View, facts: Facts) -> tuple[float | None, float | None]:
    """``(USD per 1K tokens, USD)`` predicted for this request on that target.

    For a provider both come from its list price and the expected tokens, the first blended over them; for a cluster
    the first is the figure of its pool.
    """
    usage = Usage(input_tokens=facts.input_tokens, output_tokens=facts.expected_output_tokens)
    if view.target.kind == "cluster":
        if view.cost is None:
            return None, None
        return decision_usd_per_1k(view.cost), cluster_usd(view.cost, usage)
    if view.target.list_price is None:
        return None, None
    usd = list_usd(view.target.list_price, usage)
    return usd * 1000 / max(1, usage.all_tokens), usd
