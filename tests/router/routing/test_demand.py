"""What decisions say about pools: who answers, who was missed, and what that would have been worth."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec.structs import replace

from llm_router.config.schema import Action, Condition, Rule
from llm_router.errors import NoTarget
from llm_router.model import Demand, PoolView, Snapshot, View
from llm_router.routing.engine import decide
from llm_router.routing.policy import Policy
from llm_router.routing.rules import compile_rules
from tests.router.routing.views import NOW, cluster, facts, provider

POLICY = Policy(max_latency_ms=5000)
FREE = PoolView(nodes=1, wanted=1, slots=4, prefill_tokens_per_second=100)
ASLEEP = PoolView(nodes=0, wanted=0, slots=None, prefill_tokens_per_second=100)
_ASKED: dict[str, Any] = {"input_tokens": 400, "expected_output_tokens": 600}
FULL = replace(FREE, in_flight=4)


def demand(*views: View, policy: Policy = POLICY, pools: dict[str, PoolView] | None = None, **asked: Any) -> Demand:
    named = {view.target.owner: ASLEEP for view in views if view.target.kind == "cluster"}
    snapshot = Snapshot(views, NOW, named | (pools or {}))
    try:
        found = decide(facts(**_ASKED | asked), snapshot, policy).demand
    except NoTarget as refused:
        found = refused.demand
    assert found is not None
    return found


def test_who_answers_is_chosen_and_its_worth_is_what_the_cheapest_api_asks() -> None:
    found = demand(cluster("c"), provider("a", 0.02), provider("b", 0.01), pools={"c": FREE})
    assert (found.chosen, found.spilled, found.able, found.called) == ("c", False, (), None)
    assert found.value_usd == pytest.approx(0.01)
    assert (found.input_tokens, found.output_tokens) == (400, 600)


def test_the_fewest_nodes_that_have_room_are_needed() -> None:
    pool = PoolView(nodes=3, wanted=3, slots=12, in_flight=5)
    assert demand(cluster("c"), provider("a"), pools={"c": pool}).nodes_needed == 2


def test_what_no_pool_has_room_for_is_spilled_and_asleep_or_full_pools_were_able() -> None:
    found = demand(
        cluster("full"),
        cluster("zero", state="zero"),
        cluster("soon", state="starting"),
        cluster("dear", 0.02, state="zero"),
        cluster("dead", state="down"),
        cluster("slow", state="zero"),
        provider("a"),
        pools={"full": FULL, "zero": ASLEEP, "slow": replace(ASLEEP, prefill_tokens_per_second=84)},
    )
    assert found.spilled
    assert found.chosen is None
    assert found.able == ("full", "zero", "soon")
    assert found.called is None


def test_a_pool_that_may_not_answer_is_not_able() -> None:
    views = cluster("eu", state="zero", compliance=frozenset({"gdpr"})), cluster("us", state="zero")
    api = provider("a", compliance=frozenset({"gdpr"}))
    assert demand(*views, api, compliance=frozenset({"gdpr"})).able == ("eu",)


def test_several_models_of_a_pool_are_one_pool() -> None:
    views = [cluster(f"c/{model}", owner="c", state="zero") for model in "ab"]
    assert demand(*views, provider("a")).able == ("c",)


def test_where_no_api_may_answer_the_worth_is_infinite() -> None:
    found = demand(cluster("c", state="zero"))
    assert found.value_usd == math.inf
    assert (found.spilled, found.able) == (True, ("c",))
    never = replace(POLICY, enable_external_fallback=False)
    assert demand(cluster("c"), provider("a"), policy=never, pools={"c": FULL}).value_usd == math.inf


def test_an_api_that_recovers_in_seconds_still_sets_the_worth_and_one_that_is_down_does_not() -> None:
    zero = cluster("c", state="zero")
    cooling = provider("a", 0.01, retry_at=NOW + 1, retry_reason="cooling")
    assert demand(zero, cooling).value_usd == pytest.approx(0.01)
    assert demand(zero, provider("a", 0.01, health="unhealthy")).value_usd == math.inf


def test_an_api_of_unknown_price_is_worth_what_a_cluster_may_cost() -> None:
    policy = replace(POLICY, cluster_usd_per_1k_threshold=0.02)
    assert demand(cluster("c", state="zero"), provider("a", None), policy=policy).value_usd == pytest.approx(0.02)


def test_a_dear_pool_is_better_than_nobody() -> None:
    assert demand(cluster("dear", 0.02, state="zero")).able == ("dear",)


def test_other_strategies_call_the_pool_that_would_have_been_first_and_spill_nothing() -> None:
    policy = replace(POLICY, strategy="cluster_first")
    found = demand(cluster("c", state="zero"), provider("a"), policy=policy)
    assert (found.called, found.spilled, found.chosen) == ("c", False, None)
    assert demand(cluster("c"), cluster("d", 0.5, state="zero"), policy=policy).called is None
    assert demand(cluster("c", state="zero"), policy=policy).called == "c"


def test_a_rule_calls_the_pool_that_it_names() -> None:
    rule = Rule(
        name="mine",
        conditions=(Condition(type="model", models=("gpt-4",)),),
        actions=(Action(type="route_to_cluster", target="c"),),
    )
    policy = replace(POLICY, rules=compile_rules([rule]))
    assert demand(cluster("c", state="zero"), provider("a"), policy=policy, model="gpt-4").called == "c"
    assert demand(cluster("c", state="zero"), provider("a"), policy=policy).called is None


def test_a_pool_that_does_not_run_is_rejected_not_chosen_and_no_failure() -> None:
    snapshot = Snapshot((cluster("c", state="zero"), provider("a")), NOW)
    decision = decide(facts(), snapshot, POLICY)
    assert [(choice.target.name, choice.reason) for choice in decision.choices] == [("a", "hybrid_external")]
    assert [rejection.reason for rejection in decision.rejected] == ["state: the pool is zero"]


def test_without_a_pool_there_is_no_demand() -> None:
    assert decide(facts(), Snapshot((provider("a"),), NOW), POLICY).demand is None
