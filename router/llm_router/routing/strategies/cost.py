"""``cost``: whoever answers this request for the least money, unknown costs last."""

from __future__ import annotations

from collections.abc import Sequence

from ..policy import Policy
from .base import Candidate, Order, cheapest_request


def cost(candidates: Sequence[Candidate], policy: Policy, *, clusters_down: bool) -> Order:
    return [(c, "cost_cheapest") for c in sorted(candidates, key=cheapest_request)]
