"""Distances are those of an atlas, within what a sphere and a city's size leave open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.regions import PLACES
from llm_router.routing.regions import EARTH_RADIUS_KM, distance_km

places = st.sampled_from(sorted(PLACES))


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ("eu-west-1", "eu-west-2", 464),  # Dublin, London
        ("us-east-1", "eu-central-1", 6550),  # Washington, Frankfurt
        ("asia-northeast1", "us-west-2", 7800),  # Tokyo, Oregon
        ("australiaeast", "ap-southeast-1", 6300),  # Sydney, Singapore
        ("ap-southeast-6", "sa-west-1", 9650),  # Auckland, Santiago: over the date line
        ("westeurope", "europe-west4", 175),  # two clouds, one country
    ],
)
def test_known_distances(one: str, other: str, km: float) -> None:
    found = distance_km(one, other)
    assert found is not None
    assert found == pytest.approx(km, rel=0.05, abs=30)


@given(places, places, places)
def test_it_is_a_metric(a: str, b: str, c: str) -> None:
    ab, bc, ac = distance_km(a, b), distance_km(b, c), distance_km(a, c)
    assert ab is not None
    assert bc is not None
    assert ac is not None
    assert 0 <= ab <= 3.15 * EARTH_RADIUS_KM
    assert ab == distance_km(b, a)
    assert ac <= ab + bc + 1e-6


def test_what_is_on_no_map_is_at_no_distance_but_from_itself() -> None:
    assert distance_km("rack-7", "eu-west-1") is None
    assert distance_km("eu-west-1", "") is None
    assert distance_km("rack-7", "rack-7") == 0.0
