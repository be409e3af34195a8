"""``cost``: whoever answers this request for the least money, unknown costs last."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation, cheapest_request


def cost(candidates: Sequence[Candidate], situation: Situation) -> Order:
    return [(c, "cost_cheapest") for c in sorted(candidates, key=cheapest_request)]
