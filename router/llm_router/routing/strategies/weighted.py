"""``weighted``: the clusters and providers that may answer take turns, each as often as its weight says.

Of any N requests in a row that the same ones may answer, N a multiple of the sum of their weights, each gets exactly
its share first. A weight of 0 is asked only after the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation, in_turn


def weighted(candidates: Sequence[Candidate], situation: Situation) -> Order:
    weights = {c.view.target.owner: c.view.target.weight for c in candidates}
    return [(c, "weighted") for c in in_turn(candidates, weights, situation.turn, purpose="weighted")]
