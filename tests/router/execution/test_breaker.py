"""The breaker as a state machine under an injected clock."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llm_router.config.scalars import Seconds
from llm_router.config.schema import CircuitBreaker
from llm_router.execution.breaker import MAX_OPEN_S, Breaker

SETTINGS = CircuitBreaker(failure_threshold=5, success_threshold=3, timeout=Seconds(30))


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    for _ in range(5):
        breaker.failed(at)
    return breaker


def test_opens_at_exactly_the_threshold() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(4):
        breaker.failed(0.0)
        assert breaker.state(0.0) == "closed"
    breaker.failed(0.0)
    assert breaker.state(0.0) == "open"
    assert breaker.retry_at() == (30.0, "circuit_open")


def test_a_success_starts_the_count_anew() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(20):
        breaker.failed(0.0)
        breaker.succeeded(0.0)
    assert breaker.state(0.0) == "closed"


def test_half_open_closes_after_enough_successes_and_opens_longer_after_a_failure() -> None:
    breaker = opened()
    assert breaker.state(30.0) == "half_open"
    for _ in range(3):
        assert breaker.tripped
        breaker.succeeded(31.0)
    assert breaker.state(31.0) == "closed"
    again = opened()
    again.failed(30.0)
    assert again.retry_at() == (90.0, "circuit_open")


def test_news_from_before_it_opened_changes_nothing() -> None:
    breaker = opened(at=10.0)
    for _ in range(3):
        breaker.succeeded(11.0)
        breaker.failed(11.0)
    assert breaker.retry_at() == (40.0, "circuit_open")


def test_cooling_is_apart_from_the_breaker_and_never_shortened() -> None:
    breaker = Breaker(SETTINGS)
    breaker.cool(0.0, 20.0)
    breaker.cool(1.0, 2.0)
    assert breaker.retry_at() == (20.0, "cooling")
    assert breaker.state(1.0) == "closed"
    assert not breaker.tripped


class BreakerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(SETTINGS)
        self.now = 0.0
        self.failures_in_a_row = 0

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_failure(self) -> None:
        self.failures_in_a_row += 1
        self.breaker.failed(self.now)

    @rule()
    def a_success(self) -> None:
        self.failures_in_a_row = 0
        self.breaker.succeeded(self.now)

    @precondition(lambda self: self.breaker.tripped)
    @rule()
    def it_can_always_be_closed_again(self) -> None:
        self.now += MAX_OPEN_S
        for _ in range(SETTINGS.success_threshold):
            self.breaker.succeeded(self.now)
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


BreakerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase
