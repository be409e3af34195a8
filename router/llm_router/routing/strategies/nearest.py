"""``nearest``: whose region is nearest to the caller's on the globe; among equals, and without a known region of the
caller, the cheapest. A target whose region is on no map comes last."""

from __future__ import annotations

from collections.abc import Sequence

from ..regions import distance_km
from .base import Candidate, Order, Situation, cheapest_request


def nearest(candidates: Sequence[Candidate], situation: Situation) -> Order:
    cheapest = sorted(candidates, key=cheapest_request)
    here = situation.facts.client_region
    if here is None:
        return [(c, "cost_cheapest") for c in cheapest]
    km = {region: distance_km(here, region) for region in {c.view.target.region for c in candidates}}
    away = {region: float("inf") if distance is None else distance for region, distance in km.items()}
    return [(c, "nearest") for c in sorted(cheapest, key=lambda c: away[c.view.target.region])]
