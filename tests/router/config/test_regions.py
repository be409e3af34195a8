"""Which region lies where, by law."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.regions import CLOUDS, FAMILIES, PLACES, near_names, within

names = st.sampled_from(sorted(PLACES))


def test_every_region_is_on_the_map_and_under_one_law() -> None:
    countries = {name for name in PLACES if re.fullmatch("[a-z]{2}", name)} - {"eu", "na"}
    for region in frozenset().union(*CLOUDS.values()):
        place = PLACES[region]
        assert len(place.jurisdictions) == 1
        assert place.jurisdictions <= countries
        assert -60 < place.north < 70
        assert -180 <= place.east <= 180


def test_no_region_is_of_two_clouds() -> None:
    assert sum(len(regions) for regions in CLOUDS.values()) == len(frozenset().union(*CLOUDS.values()))


def test_families_hold_countries_that_are_known() -> None:
    assert all(country in PLACES for family in FAMILIES.values() for country in family)
    assert len(FAMILIES["eu"]) == 27
    assert FAMILIES["eu"] < FAMILIES["eea"] < FAMILIES["europe"]


@pytest.mark.parametrize(
    "region", ["eu-west-2", "eu-central-2", "europe-west2", "europe-west6", "uksouth", "norwayeast"]
)
def test_a_name_in_europe_is_not_the_european_union(region: str) -> None:
    assert not within(region, "eu")
    assert within(region, "europe")


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ("eu", "europe", True),
        ("europe", "eu", False),
        ("us", "na", True),
        ("ie", "eu-west-1", False),  # a country is not in a region
        ("eu-west-1", "northeurope", False),  # both in Ireland, and two regions
        ("uk", "gb", True),
        ("", "eu", False),
        ("mars", "mars", True),
    ],
)
def test_within(inner: str, outer: str, expected: bool) -> None:
    assert within(inner, outer) is expected


@given(names, names, names)
def test_within_is_an_order(a: str, b: str, c: str) -> None:
    assert within(a, a)
    if within(a, b) and within(b, c):
        assert within(a, c)


def test_a_misspelt_name_is_told_the_likely_one_another_what_there_is() -> None:
    assert near_names("eu-wset-1") == 'did you mean "eu-west-1"?'
    assert near_names("rack7", frozenset({"rack-7"})) == 'did you mean "rack-7"?'
    assert near_names("???").startswith("known are eu, eea, europe")
