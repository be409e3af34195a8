"""How far regions are from each other."""

from __future__ import annotations

from functools import lru_cache
from math import asin, cos, radians, sin, sqrt

from ..config.regions import PLACES

EARTH_RADIUS_KM = 6371.0
"""The mean radius; the Earth taken for a sphere, which is wrong by at most 0.6 %."""


@lru_cache(maxsize=4096)
def distance_km(one: str, other: str) -> float | None:
    """Along the great circle (haversine formula); 0 within one region, ``None`` where one of them is on no map."""
    if one == other:
        return 0.0
    here, there = PLACES.get(one), PLACES.get(other)
    if here is None or there is None:
        return None
    north, south = radians(here.north), radians(there.north)
    half = sin((south - north) / 2) ** 2 + cos(north) * cos(south) * sin(radians(there.east - here.east) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half)))
