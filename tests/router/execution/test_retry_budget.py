"""Follow-ups are a bounded share of the load, whatever fails."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

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
