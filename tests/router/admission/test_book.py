"""All counters together, against a model that forgets nothing: claims are taken whole or not at all, and what is
settled adds up."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llm_router.admission.book import Book, Taken, Used
from llm_router.admission.limits import CHECK, Claim
from llm_router.admission.window import WINDOW_S
from llm_router.config.schema import Budget
from tests.router.admission.claims import NOON, claims, limits

USD = 1_000_000_000


class Against(RuleBasedStateMachine):
    """``admitted`` and ``running`` remember everything; the book must agree at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.book, self.now = Book(), 0.0
        self.limits = limits(8, 200, 3, budget=Budget(daily=1e-6))
        self.admitted: list[float] = []
        self.running: list[tuple[int, tuple[Taken, ...]]] = []
        self.spent = self.beyond = 0

    @rule(pause=st.floats(0, 70))
    def wait(self, pause: float) -> None:
        self.now += pause

    @rule(tokens=st.integers(1, 120), nano_usd=st.integers(1, 500))
    def ask(self, tokens: int, nano_usd: int) -> None:
        before = [self.book.used(limit, self.now) for limit in self.limits.values()]
        outcome = self.book.reserve(claims(self.limits, tokens, nano_usd), self.now)
        if outcome.refused is not None:
            assert before == [self.book.used(limit, self.now) for limit in self.limits.values()]
            assert any(tally.wait_s > 0 for tally in outcome.tallies)
            return
        self.admitted.append(self.now)
        self.running.append((nano_usd, outcome.taken))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        nano_usd, taken = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        used = Used(tokens=data.draw(st.integers(0, 150)), nano_usd=data.draw(st.integers(0, 600)))
        self.book.settle(taken, used, self.now)
        self.spent += used.nano_usd
        self.beyond += max(0, used.nano_usd - nano_usd)

    @invariant()
    def no_minute_has_too_many_requests(self) -> None:
        assert sum(1 for at in self.admitted if self.now - WINDOW_S < at) <= 8

    @invariant()
    def no_more_run_than_may(self) -> None:
        assert self.book.used(self.limits["slots"], self.now) == len(self.running) <= 3

    @invariant()
    def money_adds_up_and_is_overdrawn_by_wrong_estimates_alone(self) -> None:
        reserved = sum(nano_usd for nano_usd, _ in self.running)
        assert self.book.used(self.limits["daily"], self.now) == self.spent + reserved
        assert self.spent + reserved <= 1000 + self.beyond

    @invariant()
    def tokens_are_never_negative(self) -> None:
        assert self.book.used(self.limits["tokens"], self.now) >= 0


TestAgainst = Against.TestCase
TestAgainst.settings = settings(max_examples=60, stateful_step_count=40)


def test_one_refused_claim_takes_nothing_of_the_others() -> None:
    book, stated = Book(), limits(5, 100, 1)
    assert book.reserve(claims(stated, 10), 0.0).refused is None
    outcome = book.reserve(claims(stated, 95), 0.0)
    assert outcome.refused is not None
    assert outcome.refused.limit.unit == "tokens"
    assert [book.used(limit, 0.0) for limit in stated.values()] == [1, 10, 1]


def test_after_a_claim_the_tally_says_when_one_more_fits() -> None:
    book, stated = Book(), limits(2)
    waits = [book.reserve(claims(stated), now).tallies[0].wait_s for now in (0.5, 10.0, 20.0)]
    assert waits == [0.0, 51.0, 41.0]  # 61 s after the second in which the first was taken


def test_in_the_end_the_tokens_count_that_were_really_used() -> None:
    book, stated = Book(), limits(5, 100, 1)
    for used, counted in ((4, 4), (30, 34)):
        book.settle(book.reserve(claims(stated, 10), 0.0).taken, Used(tokens=used), 1.0)
        assert book.used(stated["tokens"], 1.0) == counted
    assert (book.used(stated["requests"], 1.0), book.used(stated["slots"], 1.0)) == (2, 0)


def test_a_tally_tells_the_reset_of_a_minutes_limits_and_of_no_other() -> None:
    book, stated = Book(), limits(5, 100, 1, budget=Budget(daily=1.0, hard=False))
    tallies = dict(zip(stated, book.reserve(claims(stated), 10.0).tallies, strict=True))
    resets = {unit: tally.reset_s for unit, tally in tallies.items()}
    assert resets == {"requests": 61.0, "tokens": 61.0, "slots": math.inf, "daily": math.inf}
    assert tallies["daily"].wait_s == 0.0


def test_a_check_takes_nothing_and_is_refused_where_nothing_is_left() -> None:
    book, stated = Book(), limits(budget=Budget(daily=1.0))
    daily = stated["daily"]
    lease = book.reserve([Claim(daily, USD)], 0.0)
    assert book.reserve([Claim(daily, CHECK)], 0.0).tallies[0].wait_s == 1.0
    book.settle(lease.taken, Used(nano_usd=USD - 1), 0.0)
    assert book.reserve([Claim(daily, CHECK)], 0.0).refused is None
    assert book.reserve([Claim(daily, 2)], 0.0).tallies[0].wait_s == math.inf
    assert book.used(daily, 0.0) == USD - 1


def test_a_soft_budget_counts_and_never_refuses() -> None:
    book, stated = Book(), limits(budget=Budget(daily=1.0, hard=False))
    for _ in range(3):
        assert book.reserve([Claim(stated["daily"], USD)], 0.0).refused is None
    assert book.used(stated["daily"], 0.0) == 3 * USD


@pytest.mark.parametrize("reserved_at_midnight", [True, False])
def test_a_request_that_runs_over_midnight_is_booked_on_the_day_that_it_began(reserved_at_midnight: bool) -> None:
    book = Book()
    today, tomorrow = (limits(budget=Budget(daily=1.0), unix_time=NOON + 86_400 * day)["daily"] for day in (0, 1))
    first = book.reserve([Claim(today, 300)], 0.0)
    if not reserved_at_midnight:
        book.settle(first.taken, Used(nano_usd=200), 0.0)
    book.reserve([Claim(tomorrow, 50)], 0.0)
    assert book.used(tomorrow, 0.0) == 50
    if reserved_at_midnight:
        book.settle(first.taken, Used(nano_usd=200), 0.0)
        assert (book.used(today, 0.0), book.used(tomorrow, 0.0)) == (200, 50)


def test_a_clock_that_jumps_to_another_day_and_back_finds_what_was_spent() -> None:
    book = Book()

    def spend(day: int, nano_usd: int) -> int:
        """What is used of that day's budget then."""
        daily = limits(budget=Budget(daily=1.0), unix_time=NOON + 86_400 * day)["daily"]
        book.settle(book.reserve([Claim(daily, nano_usd)], 0.0).taken, Used(nano_usd=nano_usd), 0.0)
        return book.used(daily, 0.0)

    assert [spend(day, 100) for day in (0, 1, 0, -1, 0)] == [100, 100, 200, 100, 300]
    assert [spend(day, 100) for day in range(1, 400)] == [200] + 398 * [100]
    assert len(book._spending) == 3, "no day is kept for ever"
