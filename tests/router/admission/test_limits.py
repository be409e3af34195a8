"""Limits as the configuration states them, and the calendar of budgets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.admission.limits import Limits, budget_of
from llm_router.config.schema import Budget, RateLimit
from llm_router.pricing.estimate import nano_usd
from tests.router.admission.claims import NOON, limits


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_who_states_nothing_has_no_limits() -> None:
    assert not Limits("key", "alice", None, None)
    assert not Limits("key", "alice", RateLimit(), None)
    assert Limits("key", "alice", None, Budget(daily=1.0))
    assert Limits("key", "alice", RateLimit(concurrent_requests=1), None)


def test_each_limit_says_what_it_is_and_has_a_counter_of_its_own() -> None:
    stated = limits(5, 1000, 2, budget=Budget(daily=1.5, monthly=20.0))
    assert {name: limit.text for name, limit in stated.items()} == {
        "requests": "requestsPerMinute 5",
        "tokens": "tokensPerMinute 1000",
        "slots": "concurrentRequests 2",
        "daily": "daily 1.5 USD",
        "monthly": "monthly 20 USD",
    }
    others = limits(5, 1000, 2, owner="bob", budget=Budget(daily=1.5, monthly=20.0))
    assert len({limit.key for limit in (*stated.values(), *others.values())}) == 10


def test_the_names_of_counters_are_those_under_which_a_shared_store_keeps_them() -> None:
    """Another name after an update would forget what was spent."""
    stated = limits(5, 1000, 2, budget=Budget(daily=1.5, monthly=20.0))
    assert [limit.key for limit in stated.values()] == [
        "key:alice:requestsPerMinute",
        "key:alice:tokensPerMinute",
        "key:alice:concurrentRequests",
        "key:alice:daily:2026-11-21",
        "key:alice:monthly:2026-11",
    ]
    assert [budget_of(stated[name]) for name in ("daily", "monthly")] == ["key:alice:daily", "key:alice:monthly"]


@pytest.mark.parametrize(
    ("budget", "needed"), [(None, False), (Budget(daily=1.0), True), (Budget(daily=1.0, hard=False), False)]
)
def test_only_who_keeps_to_a_hard_budget_needs_prices(budget: Budget | None, needed: bool) -> None:
    assert Limits("key", "alice", None, budget).needs_prices is needed


def test_a_budget_is_soft_at_its_share_and_counted_in_nano_usd() -> None:
    daily = limits(budget=Budget(daily=5.0, soft_percent=75))["daily"]
    assert (daily.ceiling, daily.soft, daily.hard) == (5_000_000_000, 3_750_000_000, True)
    assert limits(budget=Budget(daily=5.0, hard=False))["daily"].hard is False


@pytest.mark.parametrize(
    ("now", "day_ends", "month_ends"),
    [
        ("2026-11-21T12:00:00+00:00", "2026-11-22T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        ("2026-12-31T23:59:59+00:00", "2027-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("2027-01-01T00:00:00+00:00", "2027-01-02T00:00:00+00:00", "2027-02-01T00:00:00+00:00"),
        ("2028-02-29T08:00:00+00:00", "2028-03-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
        ("2027-01-31T23:00:00-05:00", "2027-02-02T00:00:00+00:00", "2027-03-01T00:00:00+00:00"),
    ],
)
def test_days_and_months_end_in_utc(now: str, day_ends: str, month_ends: str) -> None:
    stated = limits(budget=Budget(daily=1.0, monthly=1.0), unix_time=unix(now))
    assert (stated["daily"].ends_at, stated["monthly"].ends_at) == (unix(day_ends), unix(month_ends))


def test_at_midnight_the_day_begins_anew_and_the_month_goes_on() -> None:
    one = Limits("key", "alice", None, Budget(daily=1.0, monthly=1.0))
    midnight = unix("2026-11-22T00:00:00+00:00")
    before, after = one.budgets(midnight - 0.001), one.budgets(midnight)
    assert one.budgets(midnight + 1) is after
    assert before[0].key != after[0].key
    assert before[1].key == after[1].key
    assert one.budgets(midnight - 60) == before  # a clock that was set back


@given(st.floats(0, 4e9))
def test_a_moment_lies_in_its_own_day_and_month(unix_time: float) -> None:
    now = datetime.fromtimestamp(unix_time, UTC)
    for limit in Limits("key", "a", None, Budget(daily=1.0, monthly=1.0)).budgets(unix_time):
        assert limit.ends_at > unix_time
        assert now.strftime("%Y-%m-%d").startswith(limit.period)


@given(st.floats(0, 1e6))
def test_money_is_never_rounded_down(usd: float) -> None:
    assert usd * 1e9 <= nano_usd(usd) <= usd * 1e9 + 1


def test_noon_is_noon() -> None:
    assert datetime.fromtimestamp(NOON, UTC).isoformat() == "2026-11-21T12:00:00+00:00"
