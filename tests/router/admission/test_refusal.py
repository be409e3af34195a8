"""What whoever comes to a limit is told."""

from __future__ import annotations

import math

import pytest

from llm_router.admission.limits import Claim, Limits, Tally
from llm_router.admission.refusal import duration, rate_headers, reached
from llm_router.config.schema import Budget, RateLimit
from tests.router.admission.claims import NOON, claims, limits

STATED = limits(60, 1000, 4, budget=Budget(daily=5.0))


@pytest.mark.parametrize(
    ("unit", "tally", "said", "retry_after_s"),
    [
        ("requests", Tally(60, 11.2), "its limit of 60 requests a minute (requestsPerMinute); try again in 12 s", 11.2),
        ("tokens", Tally(995, 40.0), "its limit of 1000 tokens a minute (tokensPerMinute); try again in 40 s", 40.0),
        ("slots", Tally(4, 1.0), "its limit of 4 requests at a time (concurrentRequests); try again in 1 s", 1.0),
    ],
)
def test_a_rate_is_429_and_says_when(unit: str, tally: Tally, said: str, retry_after_s: float) -> None:
    told = reached(Claim(STATED[unit], 1), tally, NOON)
    assert (told.status, told.code, told.retry_after_s) == (429, "rate_limit_exceeded", retry_after_s)
    assert told.message == f"This API key is at {said}."


def test_a_request_that_is_larger_than_the_limit_need_not_come_again() -> None:
    told = reached(Claim(STATED["tokens"], 1200), Tally(0, math.inf), NOON)
    assert (told.status, told.retry_after_s) == (429, None)
    assert "1000 tokens a minute" in told.message
    assert "wants 1200" in told.message


@pytest.mark.parametrize(("used", "what"), [(5_000_000_000, "is used up"), (4_999_999_999, "has no room for")])
def test_a_budget_is_402_and_says_which_and_until_when(used: int, what: str) -> None:
    told = reached(Claim(STATED["daily"], 10), Tally(used, math.inf), NOON)
    assert (told.status, told.code, told.retry_after_s) == (402, "budget_exceeded", 43_200.0)
    assert what in told.message
    assert "This API key's budget, daily 5 USD" in told.message
    assert "2026-11-22T00:00:00Z" in told.message


def test_money_that_is_only_reserved_may_come_free_soon() -> None:
    told = reached(Claim(STATED["daily"], 10), Tally(5_000_000_000, 1.0), NOON)
    assert (told.status, told.code, told.retry_after_s) == (429, "rate_limit_exceeded", 1.0)


def test_a_target_is_called_by_its_name() -> None:
    limit = Limits("provider", "openai", RateLimit(requests_per_minute=500), None).rates[0]
    assert reached(Claim(limit, 1), Tally(500, 3.0), NOON).message.startswith("The provider openai is at its limit of")


def test_the_headers_are_those_that_openais_clients_know() -> None:
    tallies = [Tally(20, 0, 59.5), Tally(1100, 0, 61.0), Tally(1), Tally(1_000_000_000)]
    assert rate_headers(claims(STATED), tallies) == (
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "40"),
        ("x-ratelimit-reset-requests", "59.5s"),
        ("x-ratelimit-limit-tokens", "1000"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "1m1s"),
    )


def test_a_budget_is_told_from_its_soft_share_on() -> None:
    stated = limits(budget=Budget(daily=1.0, monthly=10.0, soft_percent=80))
    tallies = [Tally(800_000_000), Tally(7_999_999_999)]
    assert rate_headers(claims(stated), tallies) == (("x-llm-router-budget", "daily 80%"),)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.12, "120ms"), (0.9999, "1s"), (1.5, "1.5s"), (60, "1m0s"), (61.25, "1m1.25s"), (360, "6m0s")],
)
def test_durations_are_written_as_in_go(seconds: float, text: str) -> None:
    assert duration(seconds) == text
