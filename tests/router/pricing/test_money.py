"""Booked amounts are whole picodollars: booking again changes nothing, and what cannot be an amount is unknown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.pricing.money import MAX_USD, booked, in_usd, picousd


@given(st.floats(0, MAX_USD))
def test_an_amount_is_booked_to_the_picodollar_and_then_stays(usd: float) -> None:
    first = booked(usd)
    assert first is not None
    assert abs(first - usd) <= 5e-13 + usd * 2**-52
    assert booked(first) == first
    if usd < 1000:
        assert in_usd(picousd(first)) == first


@given(st.integers(0, 10**15))
def test_up_to_a_thousand_dollars_a_float_holds_every_picodollar(picodollars: int) -> None:
    assert picousd(in_usd(picodollars)) == picodollars


@pytest.mark.parametrize("usd", [None, -1e-12, math.nan, math.inf, -math.inf, MAX_USD * 1.01])
def test_what_cannot_be_an_amount_is_unknown(usd: float | None) -> None:
    assert booked(usd) is None
