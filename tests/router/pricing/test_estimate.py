"""Predicted and actual costs of one request, inside and outside."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.model import ClusterCost, Expected, Facts, Kind, ListPrice, Rate, State, Target, Usage, View
from llm_router.pricing.estimate import (
    cluster_usd,
    decision_usd_per_1k,
    estimate,
    expected_usage,
    expected_usages,
    list_usd,
    most_usage,
    most_usd,
)

PRICE = ListPrice(
    input=Rate(0.001, ((1000, 0.005),)),
    output=Rate(0.002, ((1000, 0.010),)),
    cache_read=Rate(0.0001),
    cache_write=Rate(0.00125),
    source="test",
)
tokens = st.integers(0, 1_000_000)
usages = st.builds(
    Usage, input_tokens=tokens, cache_read_tokens=tokens, cache_write_tokens=tokens, output_tokens=tokens
)


def view(
    kind: Kind,
    *,
    price: ListPrice | None = None,
    cost: ClusterCost | None = None,
    state: State = "up",
    expected: Expected | None = None,
) -> View:
    target = Target(name="t", kind=kind, owner="t", model="m", list_price=price)
    return View(target=target, cost=cost, state=state, expected=expected or Expected())


def estimated(view: View, facts: Facts) -> tuple[float | None, float | None]:
    return estimate(view, expected_usage(view, facts))


def test_every_kind_of_token_has_its_own_rate() -> None:
    usage = Usage(input_tokens=100, cache_read_tokens=200, cache_write_tokens=300, output_tokens=400)
    assert list_usd(PRICE, usage) == pytest.approx((100 * 0.001 + 200 * 0.0001 + 300 * 0.00125 + 400 * 0.002) / 1000)


@pytest.mark.parametrize(
    ("max_tokens", "answers", "tokens_out"), [(None, 1, 256), (None, 3, 768), (50, 1, 50), (50, 2, 100)]
)
def test_the_most_that_a_request_may_cost_is_that_of_its_longest_answer(
    max_tokens: int | None, answers: int, tokens_out: int
) -> None:
    facts = Facts(model="m", input_tokens=100, max_tokens=max_tokens, answers=answers, expected_output_tokens=256)
    most = Usage(input_tokens=100, output_tokens=tokens_out)
    assert most_usd(view("provider", price=PRICE), facts) == list_usd(PRICE, most)
    cost = ClusterCost(capacity=0.004)
    assert most_usd(view("cluster", cost=cost), facts) == cluster_usd(cost, most)
    assert most_usd(view("provider"), facts) is None
    assert most_usd(view("cluster"), facts) is None


@pytest.mark.parametrize(
    ("max_tokens", "window", "tokens_out"),
    [(None, None, 1000), (None, 1200, 1000), (None, 1199, 1099), (None, 600, 500), (None, 90, 1), (50, 600, 50)],
)
def test_who_states_no_bound_is_taken_to_get_the_operator_s_or_what_the_window_leaves(
    max_tokens: int | None, window: int | None, tokens_out: int
) -> None:
    facts = Facts(model="m", input_tokens=100, max_tokens=max_tokens, longest_answer=1000)
    target = Target(name="t", kind="provider", owner="t", model="m", context_length=window)
    assert most_usage(View(target=target), facts).output_tokens == tokens_out


def test_what_is_expected_of_many_targets_is_what_is_expected_of_each() -> None:
    taught = Expected(input_each=2.0, input_more=10.0, output_tokens={(None, None): 80})
    views = [view("provider"), view("provider", expected=taught), view("cluster", expected=taught), view("cluster")]
    for facts in (Facts(model="m", input_tokens=100), Facts(model="m", input_tokens=7, max_tokens=5)):
        usages = expected_usages(views, facts)
        assert [usages[id(each.expected)] for each in views] == [expected_usage(each, facts) for each in views]


def test_cached_input_counts_towards_the_tier() -> None:
    usage = Usage(input_tokens=1, cache_read_tokens=1000)
    assert list_usd(PRICE, usage) == pytest.approx((0.005 + 1000 * 0.0001) / 1000)


def test_reasoning_is_part_of_the_output_and_not_charged_twice() -> None:
    assert list_usd(PRICE, Usage(output_tokens=50, reasoning_tokens=40)) == list_usd(PRICE, Usage(output_tokens=50))


def test_a_prompt_token_on_a_cluster_costs_a_share_of_a_generated_one() -> None:
    cost = ClusterCost(capacity=0.004, decision=0.004, input_ratio=0.25)
    assert cluster_usd(cost, Usage(input_tokens=1000, output_tokens=1000)) == pytest.approx(0.005)


def test_the_held_figure_decides_and_capacity_stands_in_for_it() -> None:
    assert decision_usd_per_1k(ClusterCost(capacity=0.004, decision=0.003)) == 0.003
    assert decision_usd_per_1k(ClusterCost(capacity=0.004)) == 0.004
    assert decision_usd_per_1k(ClusterCost(realised=0.004)) is None


def test_estimate_of_a_provider_blends_its_prices_over_the_expected_tokens() -> None:
    facts = Facts(model="auto", input_tokens=300, expected_output_tokens=100)
    usd_per_1k, usd = estimated(view("provider", price=PRICE), facts)
    assert usd == pytest.approx((300 * 0.001 + 100 * 0.002) / 1000)
    assert usd_per_1k == pytest.approx((0.3 + 0.2) / 400)


def test_estimate_of_a_cluster_is_the_figure_of_its_pool() -> None:
    facts = Facts(model="auto", input_tokens=300, expected_output_tokens=100)
    cost = ClusterCost(capacity=0.004, decision=0.004, input_ratio=0.5)
    usd_per_1k, usd = estimated(view("cluster", cost=cost), facts)
    assert usd_per_1k == 0.004
    assert usd == pytest.approx((300 * 0.5 + 100) * 0.004 / 1000)


def test_an_estimate_is_of_the_tokens_that_were_learnt_to_expect() -> None:
    facts = Facts(model="auto", input_tokens=300, expected_output_tokens=150, complexity=0.6, key="alice")
    lengths = {(None, None): 70, (None, 2): 80, ("alice", 2): 90, ("alice", 0): 1}
    learnt = view("provider", price=PRICE, expected=Expected(input_each=1.5, input_more=10.0, output_tokens=lengths))
    assert expected_usage(learnt, facts) == Usage(input_tokens=460, output_tokens=90)
    assert estimated(learnt, facts)[1] == pytest.approx((460 * 0.001 + 90 * 0.002) / 1000)


def test_the_most_complex_task_has_a_bucket_too() -> None:
    facts = Facts(model="auto", complexity=1.0)
    assert expected_usage(view("provider", expected=Expected(output_tokens={(None, 3): 80})), facts).output_tokens == 80


@pytest.mark.parametrize(("state", "starts"), [("up", False), ("starting", False), ("draining", False), ("zero", True)])
def test_a_pool_at_zero_would_have_to_start_for_the_request(state: State, starts: bool) -> None:
    facts = Facts(model="auto", input_tokens=300, expected_output_tokens=100)
    cost = ClusterCost(capacity=0.004, start_usd=0.04)
    usd_per_1k, usd = estimated(view("cluster", cost=cost, state=state), facts)
    assert usd_per_1k == 0.004
    assert usd == pytest.approx(0.004 * 400 / 1000 + (0.04 if starts else 0))


def test_a_start_whose_price_is_unknown_makes_the_cost_unknown_and_not_free() -> None:
    asleep = view("cluster", cost=ClusterCost(capacity=0.004), state="zero")
    assert estimated(asleep, Facts(model="auto")) == (0.004, None)


@pytest.mark.parametrize(
    "unknown", [view("provider"), view("cluster"), view("cluster", cost=ClusterCost(input_ratio=0.5))]
)
def test_an_unknown_price_is_unknown_and_not_free(unknown: View) -> None:
    assert estimated(unknown, Facts(model="auto", input_tokens=10)) == (None, None)


@given(usages, st.floats(1e-9, 1.0), st.floats(0.01, 1.0))
def test_what_is_used_is_paid_for(usage: Usage, usd_per_1k: float, input_ratio: float) -> None:
    inside = cluster_usd(ClusterCost(decision=usd_per_1k, input_ratio=input_ratio), usage)
    assert inside is not None
    for usd in (inside, list_usd(PRICE, usage)):
        assert math.isfinite(usd)
        assert (usd > 0) is (usage.all_tokens > 0)


@given(usages, tokens)
def test_more_tokens_never_cost_less(usage: Usage, more: int) -> None:
    longer = Usage(
        input_tokens=usage.input_tokens + more,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens + more,
    )
    cost = ClusterCost(decision=0.004, input_ratio=0.25)
    assert list_usd(PRICE, longer) >= list_usd(PRICE, usage)
    before, after = cluster_usd(cost, usage), cluster_usd(cost, longer)
    assert before is not None
    assert after is not None
    assert after >= before
