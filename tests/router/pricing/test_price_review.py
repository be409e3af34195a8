"""Prices that nobody should rely on are named, with what to do."""

from __future__ import annotations

from datetime import date

import pytest

from llm_router.model import ListPrice, Rate
from llm_router.pricing.price_review import Difference, Priced, differences, review

TODAY = date(2026, 11, 21)


def price(usd_in: float, usd_out: float, source: str = "data", as_of: str = "") -> ListPrice:
    paid = Rate(usd_in)
    return ListPrice(input=paid, output=Rate(usd_out), cache_read=paid, cache_write=paid, source=source, as_of=as_of)


def own(usd_in: float, usd_out: float, as_of: str = "2026-11-01") -> ListPrice:
    return price(usd_in, usd_out, "config", as_of)


def kinds(one: ListPrice | None, data: ListPrice | None, changes_on: date | None = None, **limits: float) -> list[str]:
    priced = Priced(target="t", owner="t", model="m", price=one, data=data, changes_on=changes_on)
    max_age = int(limits.pop("max_age_days", 90))
    return [remark.kind for remark in review([priced], TODAY, max_age_days=max_age, **limits)]


def test_prices_of_the_data_are_fine() -> None:
    assert kinds(price(0.1, 0.2), price(0.1, 0.2)) == []


def test_an_unknown_price_is_named() -> None:
    assert kinds(None, None) == ["unknown"]


@pytest.mark.parametrize(
    ("usd_in", "usd_out", "found"),
    [(0.1, 0.2, []), (0.12, 0.24, []), (0.13, 0.2, ["far"]), (0.1, 0.1, ["far"]), (100.0, 200.0, ["far", "far"]),
     (0.0, 0.0, ["far", "far"])],
)  # fmt: skip
def test_an_override_far_from_the_data_is_named_rate_by_rate(usd_in: float, usd_out: float, found: list[str]) -> None:
    assert kinds(own(usd_in, usd_out), price(0.1, 0.2)) == found


def test_an_override_of_what_the_data_does_not_know_cannot_be_far_from_it() -> None:
    assert kinds(own(5.0, 9.0), None) == []


@pytest.mark.parametrize(
    ("as_of", "found"),
    [("2026-11-21", []), ("2026-08-23", []), ("2026-08-22", ["old"]), ("", ["old"]), ("2026-11-22", ["old"])],
)
def test_an_override_is_good_for_so_many_days(as_of: str, found: list[str]) -> None:
    assert kinds(own(0.1, 0.2, as_of), price(0.1, 0.2)) == found


def test_the_limits_are_the_callers() -> None:
    assert kinds(own(0.13, 0.2), price(0.1, 0.2), far=0.5) == []
    assert kinds(own(0.1, 0.2), price(0.1, 0.2), max_age_days=5) == ["old"]


@pytest.mark.parametrize(("day", "found"), [(date(2027, 1, 1), ["changes"]), (date(2027, 2, 1), []), (None, [])])
def test_a_change_is_announced_when_it_is_near(day: date | None, found: list[str]) -> None:
    assert kinds(price(0.1, 0.2), price(0.1, 0.2), day) == found
    assert kinds(own(0.1, 0.2), price(0.1, 0.2), day) == [], "an override does not change"


def test_differences_are_named_rate_by_rate() -> None:
    found = list(differences("t", "m", price(0.1, 0.2), price(0.1, 0.3)))
    assert found == [Difference(target="t", model="m", rate="output", before=Rate(0.2), after=Rate(0.3))]
    assert not list(differences("t", "m", price(0.1, 0.2), own(0.1, 0.2)))
    assert [d.rate for d in differences("t", "m", None, price(0.1, 0.2))] == [
        "input", "output", "cache_read", "cache_write", "cache_write_1h"
    ]  # fmt: skip
