"""The share of failures: over half a minute, of enough outcomes, at the price of a few counters."""

from __future__ import annotations

from llm_router.execution.failure_rate import FailureRate


def rate(least: int, *outcomes: tuple[float, bool]) -> FailureRate:
    """Fed with when each outcome was, and whether it was a failure."""
    it = FailureRate(least)
    for now, failed in outcomes:
        it.add(now, failed=failed)
    return it


def test_of_too_few_outcomes_a_share_says_nothing() -> None:
    assert not rate(2, (0.0, True)).too_high()
    assert rate(2, (0.0, True), (0.0, True)).too_high()


def test_half_of_them_is_too_high_and_less_is_not() -> None:
    assert rate(2, (0.0, True), (0.0, False)).too_high()
    assert not rate(2, (0.0, True), (0.0, False), (0.0, False)).too_high()
    assert not rate(2, (0.0, False), (3.0, False), (6.0, True)).too_high()


def test_an_outcome_counts_until_its_step_is_half_a_minute_old() -> None:
    assert rate(2, (0.1, True), (29.9, True)).too_high()
    assert not rate(2, (0.1, True), (30.0, True)).too_high()
    assert rate(2, (3.0, True), (30.0, True)).too_high()
    assert not rate(3, (0.0, True), (3.0, True), (61.0, True)).too_high()


def test_however_many_outcomes_there_are_they_cost_ten_counters() -> None:
    it = rate(1, *((at / 100, False) for at in range(10_000)))
    assert len(it._steps) == 10


def test_what_is_forgotten_does_not_count() -> None:
    it = rate(2, (0.0, True), (0.0, True))
    it.forget()
    it.add(0.0, failed=True)
    assert not it.too_high()
