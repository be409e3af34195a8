"""``nearest``: whose region is nearest to the caller's on the globe; among equals, and without a known region of the
caller, the cheapest. A target whose region is on no map comes last."""

from __future__ import annotations

from collections.abc import Sequence

from ..regions import distance_km
from .base import Candidate, Order, Situation, cheapest_request


def nearest(candidates: Sequence[Candidate], situation: Situation) -> Order:
    region = situation.facts.client_region
    if region is None:
        return [(c, "cost_cheapest") for c in sorted(candidates, key=cheapest_request)]

    def closest(candidate: Candidate) -> tuple[float, tuple[float, int, str]]:
        km = distance_km(region, candidate.view.target.region)
        return float("inf") if km is None else km, cheapest_request(candidate)

    return [(c, "nearest") for c in sorted(candidates, key=closest)]
