"""``model``: whoever ``modelRoutes`` names for the model, by its own entry or ``default``, then the cheapest others."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Candidate, Order, Situation, cheapest_request


def model(candidates: Sequence[Candidate], situation: Situation) -> Order:
    others = sorted(candidates, key=cheapest_request)
    return [
        *((c, "model_route") for c in candidates if c.view.target.name == situation.route),
        *((c, "cost_cheapest") for c in others if c.view.target.name != situation.route),
    ]
