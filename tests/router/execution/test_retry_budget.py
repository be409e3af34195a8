"""Follow-ups are a bounded share of the load, whatever fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llm_router.execution.retry_budget import LEAST, SHARE, RetryBudget


@given(st.integers(0, 400))
def test_amplification_is_bounded_by_the_share_and_the_least(requests: int) -> None:
    budget = RetryBudget()
    with ExitStack() as stack:
        asking = [stack.enter_context(budget.request()) for _ in range(requests)]
        allowed = sum(may_follow_up() for may_follow_up in asking)
    assert allowed <= LEAST + SHARE * requests + 1
    assert allowed >= min(requests, LEAST)


def test_a_request_holds_one_place_however_often_it_follows_up_and_gives_it_back() -> None:
    budget = RetryBudget()
    for _ in range(10):
        with budget.request() as may_follow_up:
            assert all(may_follow_up() for _ in range(5))


def test_a_single_request_after_another_is_never_refused() -> None:
    budget = RetryBudget()
    with budget.request() as first, budget.request() as second, budget.request() as third:
        assert first()
        assert second()
        assert third()


class Asking(NamedTuple):
    context: AbstractContextManager[Callable[[], bool]]
    may_follow_up: Callable[[], bool]


class Requests(RuleBasedStateMachine):
    """Requests come, follow up and end in any order.

    One may follow up if it does already, or if those that do are fewer than 3 and a fifth of all; who has ended holds
    nothing any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.budget = RetryBudget()
        self.running: list[Asking] = []
        self.following_up: list[Asking] = []

    @rule(count=st.integers(1, 8))
    def come(self, count: int) -> None:
        for _ in range(count):
            context = self.budget.request()
            self.running.append(Asking(context, context.__enter__()))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def follow_up(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.running))
        room = len(self.following_up) < LEAST + SHARE * len(self.running)
        holds = one in self.following_up
        assert one.may_follow_up() is (holds or room)
        if room and not holds:
            self.following_up.append(one)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), fails=st.booleans())
    def end(self, data: st.DataObject, fails: bool) -> None:
        one = data.draw(st.sampled_from(self.running))
        failure = (ValueError, ValueError(), None) if fails else (None, None, None)
        try:
            one.context.__exit__(*failure)
        except ValueError:
            assert fails
        self.running.remove(one)
        if one in self.following_up:
            self.following_up.remove(one)

    @precondition(lambda self: not self.running)
    @invariant()
    def when_nobody_runs_three_of_three_may(self) -> None:
        with ExitStack() as stack:
            asking = [stack.enter_context(self.budget.request()) for _ in range(LEAST)]
            assert all(may_follow_up() for may_follow_up in asking)


TestRequests: Any = Requests.TestCase
