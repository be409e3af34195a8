"""The breaker as a state machine under an injected clock."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llm_router.config.scalars import Seconds
from llm_router.config.schema import CircuitBreaker
from llm_router.execution.breaker import MAX_OPEN_S, Breaker

SETTINGS = CircuitBreaker(failure_threshold=5, success_threshold=3, timeout=Seconds(30))


def breaker(chance: float = 0.5) -> Breaker:
    return Breaker(SETTINGS, lambda: chance)


def opened(at: float = 0.0, chance: float = 0.5) -> Breaker:
    it = breaker(chance)
    for _ in range(5):
        it.failed(at, at)
    return it


def test_opens_at_exactly_the_threshold() -> None:
    it = breaker()
    for _ in range(4):
        it.failed(0.0, 0.0)
        assert it.state(0.0) == "closed"
    it.failed(0.0, 0.0)
    assert it.state(0.0) == "open"
    assert it.retry_at() == (30.0, "circuit_open")


def test_a_success_starts_the_count_anew() -> None:
    it = breaker()
    for _ in range(3):
        for _ in range(4):
            it.failed(0.0, 0.0)
        it.succeeded(0.0, 0.0)
    assert it.state(0.0) == "closed"


def test_half_of_twenty_outcomes_within_the_window_open_it_too() -> None:
    it = breaker()
    for at in range(19):
        (it.failed if at % 2 else it.succeeded)(float(at), float(at))
    assert it.state(19.0) == "closed"
    it.failed(19.0, 19.0)
    assert it.state(19.0) == "open"


def test_failures_that_are_few_or_long_ago_do_not_open_it() -> None:
    it = breaker()
    for at in range(400):  # two of five fail
        (it.failed if at % 5 in (1, 3) else it.succeeded)(at / 10, at / 10)
    for at in range(400):  # every second one, but only nine in half a minute
        (it.failed if at % 2 else it.succeeded)(100 + 4.0 * at, 100 + 4.0 * at)
    assert it.state(1700.0) == "closed"


def test_half_open_closes_after_enough_successes_and_opens_longer_after_a_failure() -> None:
    it = opened()
    assert it.state(30.0) == "half_open"
    for _ in range(3):
        assert it.tripped
        it.succeeded(31.0, 30.0)
    assert it.state(31.0) == "closed"
    again = opened()
    again.failed(30.0, 30.0)
    assert again.retry_at() == (90.0, "circuit_open")


def test_two_targets_that_fell_together_are_not_probed_together() -> None:
    assert [opened(chance=chance).retry_at()[0] for chance in (0.0, 0.5, 1.0)] == pytest.approx([27.0, 30.0, 33.0])


def test_news_from_before_it_opened_changes_nothing() -> None:
    it = opened(at=10.0)
    for at in (11.0, 41.0):
        for _ in range(3):
            it.succeeded(at, 9.0)
            it.failed(at, 9.0)
    assert it.retry_at() == (40.0, "circuit_open")


def test_a_probe_out_of_turn_that_gets_through_begins_to_close_it() -> None:
    it = opened()
    it.failed(5.0, 4.0)
    assert it.retry_at() == (30.0, "circuit_open")
    it.succeeded(10.0, 9.0)
    assert it.state(10.0) == "half_open"
    for at in (11.0, 12.0):
        it.succeeded(at, at)
    assert it.state(12.0) == "closed"


def test_cooling_is_apart_from_the_breaker_and_never_shortened() -> None:
    it = breaker()
    it.cool(0.0, 20.0)
    it.cool(1.0, 2.0)
    assert it.retry_at() == (20.0, "cooling")
    assert it.state(1.0) == "closed"
    assert not it.tripped


def test_a_breaker_that_never_opened_asks_for_no_wait_and_names_no_reason() -> None:
    assert breaker().retry_at() == (0.0, "")


def test_where_both_end_together_it_is_the_breaker_that_is_named() -> None:
    it = opened()
    it.cool(0.0, 30.0)
    assert it.retry_at() == (30.0, "circuit_open")
    it.cool(0.0, 30.5)
    assert it.retry_at() == (30.5, "cooling")


def test_failures_while_it_is_open_make_it_no_longer() -> None:
    it = opened()
    for _ in range(10):
        it.failed(5.0, 4.0)
    assert it.retry_at() == (30.0, "circuit_open")


def test_an_attempt_that_began_in_the_moment_of_opening_is_news() -> None:
    well, ill = opened(at=10.0), opened(at=10.0)
    well.succeeded(12.0, 10.0)
    assert well.state(12.0) == "half_open"
    ill.failed(41.0, 10.0)
    assert ill.state(41.0) == "open"


def test_each_time_in_a_row_it_stays_open_longer_but_at_most_five_minutes() -> None:
    it = opened()
    waits = []
    for _ in range(12):
        now = it.retry_at()[0]
        it.failed(now, now)
        waits.append(it.retry_at()[0] - now)
    assert waits == [60.0, 90.0, 120.0, 150.0, 180.0, 210.0, 240.0, 270.0, 300.0, 300.0, 300.0, 300.0]


def test_once_closed_it_opens_for_the_shortest_time_and_needs_all_successes_anew() -> None:
    it = opened()
    it.failed(30.0, 30.0)
    for _ in range(3):
        it.succeeded(90.0, 90.0)
    for _ in range(5):
        it.failed(100.0, 100.0)
    assert it.retry_at() == (130.0, "circuit_open")
    for _ in range(2):
        it.succeeded(130.0, 130.0)
    assert it.state(130.0) == "half_open"


def test_failures_from_before_it_opened_are_forgotten_when_it_closes() -> None:
    it = Breaker(CircuitBreaker(failure_threshold=5, success_threshold=1, timeout=Seconds(1)), lambda: 0.5)
    for at in range(20):
        (it.failed if at % 2 else it.succeeded)(float(at), float(at))
    it.succeeded(20.0, 20.0)
    it.failed(20.0, 20.0)
    assert it.state(20.0) == "closed"


class BreakerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(SETTINGS, lambda: 1.0)
        self.now = 0.0
        self.failures_in_a_row = 0

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_failure(self) -> None:
        self.failures_in_a_row += 1
        self.breaker.failed(self.now, self.now)

    @rule()
    def a_success(self) -> None:
        self.failures_in_a_row = 0
        self.breaker.succeeded(self.now, self.now)

    @precondition(lambda self: self.breaker.tripped)
    @rule()
    def it_can_always_be_closed_again(self) -> None:
        self.now += MAX_OPEN_S
        for _ in range(SETTINGS.success_threshold):
            self.breaker.succeeded(self.now, self.now)
        self.failures_in_a_row = 0
        assert self.breaker.state(self.now) == "closed"

    @invariant()
    def never_open_for_longer_than_the_ceiling(self) -> None:
        retry_at, _ = self.breaker.retry_at()
        assert retry_at <= self.now + MAX_OPEN_S

    @invariant()
    def closed_while_failures_are_few(self) -> None:
        if self.breaker.state(self.now) == "closed":
            assert self.failures_in_a_row < SETTINGS.failure_threshold


BreakerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestBreakerMachine = BreakerMachine.TestCase
