"""Rules: when each condition matches, whom each action puts first, and that no rule brings anybody back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from llm_router.config import schema
from llm_router.config.schema import Action, Condition
from llm_router.errors import NoTarget
from llm_router.model import Decision, Facts, View
from llm_router.routing.engine import decide
from llm_router.routing.policy import Policy
from llm_router.routing.rules import compile_rules
from llm_router.routing.turns import Turns
from tests.router.routing.views import cluster, facts, provider, snapshot


def rule(name: str = "r", *actions: Action, when: tuple[Condition, ...] = (), priority: int = 0) -> schema.Rule:
    return schema.Rule(name=name, priority=priority, conditions=when, actions=actions)


def to(target: str) -> Action:
    return Action(type="route_to_cluster", target=target)


def balance(*targets: str) -> Action:
    return Action(type="load_balance", targets=targets)


def then(*targets: str) -> Action:
    return Action(type="failover", failover_targets=targets)


def when(type: Any, **fields: Any) -> Condition:
    return Condition(type=type, **fields)


def policy(*rules: schema.Rule, **fields: Any) -> Policy:
    return Policy(rules=compile_rules(rules), **fields)


def order(decision: Decision) -> list[tuple[str, str]]:
    return [(choice.target.name, choice.reason) for choice in decision.choices]


def names(asked: Facts, views: tuple[View, ...], *rules: schema.Rule) -> list[str]:
    return [name for name, _ in order(decide(asked, snapshot(*views), policy(*rules)))]


FLEET = (cluster("a", 0.001), cluster("b", 0.002), provider("p", 0.005), provider("q", 0.004))

# ---------------------------------------------------------------- conditions

TAGS = frozenset({"gdpr", "hipaa"})


@pytest.mark.parametrize(
    ("condition", "matching", "other"),
    [
        (
            when("compliance_requirement", required_compliance=("gdpr",)),
            facts(compliance=TAGS),
            facts(compliance=frozenset({"hipaa"})),
        ),
        (
            when("compliance_requirement", required_compliance=("gdpr", "hipaa")),
            facts(compliance=TAGS),
            facts(compliance=frozenset({"gdpr"})),
        ),
        (when("data_residency", required_region="eu-west-1"), facts(region="eu-west-1"), facts(region="eu")),
        (when("data_residency", required_region="eu"), facts(region="eu-west-1"), facts(region="eu-west-2")),
        (when("data_residency", required_region="eu"), facts(region="de"), facts()),
        (when("latency_requirement", max_latency_ms=500), facts(max_latency_ms=500), facts(max_latency_ms=501)),
        (when("latency_requirement", max_latency_ms=500), facts(max_latency_ms=1), facts()),
        (
            when("cost_sensitivity", max_cost_per_1k_tokens=0.01),
            facts(max_usd_per_1k_tokens=0.01),
            facts(max_usd_per_1k_tokens=0.02),
        ),
        (when("cost_sensitivity", max_cost_per_1k_tokens=0.01), facts(max_usd_per_1k_tokens=0.001), facts()),
        (when("model", models=("gpt-4", "auto")), facts("auto"), facts("gpt-5")),
        (when("capability", capability="vision"), facts(needs=frozenset({"vision", "n"})), facts()),
        (when("capability", capability="complex-tasks"), facts(complexity=0.5), facts(complexity=0.49)),
        (when("capability", capability="simple-tasks"), facts(complexity=0.49), facts(complexity=0.5)),
        (when("complexity", min_complexity=0.7), facts(complexity=0.7), facts(complexity=0.69)),
        (
            when("category", category="sql"),
            facts(categories=frozenset({"sql", "code"})),
            facts(categories=frozenset({"code"})),
        ),
        (
            when("client_region", regions=("eu", "us-east-1")),
            facts(client_region="de"),
            facts(client_region="us-west-1"),
        ),
        (when("client_region", regions=("eu",)), facts(client_region="eu-west-1"), facts()),
        (when("header", header="X-Team"), facts(headers=(("x-team", "any"),)), facts(headers=(("x-tea", "any"),))),
        (
            when("header", header="X-Team", value="search"),
            facts(headers=(("x-team", "ads"), ("x-team", "search"))),
            facts(headers=(("x-team", "Search"),)),
        ),
    ],
)
def test_a_condition_matches_when_the_request_demands_at_least_that(
    condition: Condition, matching: Facts, other: Facts
) -> None:
    (compiled,) = compile_rules([rule(when=(condition,))])
    assert compiled.matches(matching)
    assert not compiled.matches(other)


def test_all_conditions_of_a_rule_must_match_and_without_any_it_always_does() -> None:
    both = (when("model", models=("auto",)), when("complexity", min_complexity=0.5))
    (compiled,) = compile_rules([rule(when=both)])
    assert compiled.matches(facts("auto", complexity=0.6))
    assert not compiled.matches(facts("auto"))
    assert not compiled.matches(facts("gpt-4", complexity=0.6))
    assert compile_rules([rule()])[0].matches(facts())


# ---------------------------------------------------------------- which rule acts


def test_the_highest_priority_acts_and_of_equals_the_first() -> None:
    low, high = rule("low", to("a"), priority=1), rule("high", to("b"), priority=2)
    assert order(decide(facts(), snapshot(*FLEET), policy(low, high)))[0] == ("b", "rule:high")
    assert names(facts(), FLEET, rule("one", to("b")), rule("two", to("a")))[0] == "b"


def test_a_rule_that_does_not_match_leaves_the_field_to_the_next() -> None:
    special = rule("special", to("b"), when=(when("model", models=("gpt-4",)),), priority=9)
    decision = decide(facts("auto"), snapshot(*FLEET), policy(special, rule("rest", to("p"))))
    assert decision.rule == "rest"
    assert order(decision)[0] == ("p", "rule:rest")
    assert decide(facts("auto"), snapshot(*FLEET), policy(special)).rule is None


# ---------------------------------------------------------------- what it does


def test_the_named_target_is_first_and_the_others_follow_as_the_strategy_orders_them() -> None:
    decision = decide(facts(), snapshot(*FLEET), policy(rule("r", Action(type="route_to_provider", target="p"))))
    assert (decision.rule, decision.strategy) == ("r", "hybrid")
    assert order(decision) == [
        ("p", "rule:r"),
        ("a", "hybrid_cluster"),
        ("b", "hybrid_cluster"),
        ("q", "hybrid_external"),
    ]


def test_with_a_failover_action_exactly_the_named_ones_follow() -> None:
    decision = decide(facts(), snapshot(*FLEET), policy(rule("r", to("b"), then("q", "p"))))
    assert order(decision) == [("b", "rule:r"), ("q", "rule:r"), ("p", "rule:r")]
    assert [(r.target, r.reason) for r in decision.rejected] == [("a", "rule: r lets others answer")]


def test_when_none_of_the_named_ones_is_allowed_nobody_else_answers() -> None:
    views = (cluster("a", health="unhealthy"), cluster("b", health="unhealthy"), provider("p"))
    with pytest.raises(NoTarget) as caught:
        names(facts(), views, rule("r", to("a"), then("b")))
    assert (caught.value.status, caught.value.code) == (503, "no_healthy_target")
    with pytest.raises(NoTarget) as caught:
        names(facts(region="eu"), (cluster("a", region="us"), provider("p", region="eu")), rule("r", then("a")))
    assert (caught.value.status, caught.value.code) == (503, "no_compliant_target")


def test_without_a_failover_action_an_absent_target_is_simply_missing() -> None:
    assert names(facts(), (cluster("a", state="down"), cluster("b"), provider("p")), rule("r", to("a"))) == ["b", "p"]


def test_several_routes_go_in_their_order_and_an_owner_means_all_its_targets() -> None:
    views = (*FLEET, cluster("m/x", owner="m"), cluster("m/y", owner="m"))
    assert names(facts(), views, rule("r", to("m"), to("b")))[:3] == ["m/x", "m/y", "b"]
    assert names(facts(), views, rule("r", to("m/y")))[:1] == ["m/y"]


def test_load_balance_spreads_over_the_named_targets_by_weight_and_takes_turns_of_its_own() -> None:
    views = snapshot(cluster("a", weight=3), cluster("b", weight=1), provider("p", weight=50))
    turns, spread = Turns(), policy(rule("r", balance("a", "b")), strategy="round_robin")
    chosen = [order(decide(facts(), views, spread, turns.take)) for _ in range(8)]
    assert [first[0][0] for first in chosen].count("a") == 6
    assert {first[0][1] for first in chosen} == {"rule:r"}
    assert all(entries[2] == ("p", "round_robin") for entries in chosen)


def test_load_balance_over_who_is_left() -> None:
    views = snapshot(cluster("a", weight=9, health="unhealthy"), cluster("b"), cluster("c"))
    turns, spread = Turns(), policy(rule("r", balance("a", "b", "c")))
    assert [order(decide(facts(), views, spread, turns.take))[0][0] for _ in range(4)] == ["b", "c", "b", "c"]


def test_a_rule_never_brings_back_who_was_rejected() -> None:
    views = (cluster("us", region="us"), cluster("eu", region="eu"), provider("p", region="us"))
    for action in (to("us"), balance("us", "p"), then("us", "eu", "p")):
        assert names(facts(region="eu"), views, rule("r", action)) == ["eu"]


def test_a_strained_target_is_passed_over_even_where_a_rule_puts_it_first() -> None:
    views = (cluster("a", queue_depth=99), cluster("b"))
    assert names(facts(), views, rule("r", to("a"))) == ["b", "a"]


def test_the_last_resort_stays_last_unless_a_rule_puts_it_first() -> None:
    views = snapshot(*FLEET)
    resort = {"last_resort": frozenset({"a"})}
    assert [name for name, _ in order(decide(facts(), views, policy(**resort)))] == ["b", "q", "p", "a"]
    assert order(decide(facts(), views, policy(rule("r", to("a")), **resort)))[0] == ("a", "rule:r")
    alone = snapshot(cluster("a"))
    assert [name for name, _ in order(decide(facts(), alone, policy(**resort)))] == ["a"]


def test_a_strained_target_still_comes_before_the_last_resort() -> None:
    views = snapshot(cluster("a"), cluster("b", queue_depth=99))
    decision = decide(facts(), views, policy(last_resort=frozenset({"a"})))
    assert [name for name, _ in order(decision)] == ["b", "a"]


@pytest.mark.parametrize("usual", [False, True])
def test_a_rule_says_for_its_requests_whether_answers_are_held_back(usual: bool) -> None:
    asked = when("model", models=("gpt",))
    answers = snapshot(provider("a"))
    held = policy(structs.replace(rule("held", when=(asked,)), mid_stream="buffer"), buffered=usual)
    live = policy(structs.replace(rule("live", when=(asked,)), mid_stream="error"), buffered=usual)
    silent = policy(rule("silent", to("a"), when=(asked,)), buffered=usual)
    assert [decide(facts(model="gpt"), answers, p).buffered for p in (held, live, silent)] == [True, False, usual]
    assert [decide(facts(model="auto"), answers, p).buffered for p in (held, live, silent)] == [usual] * 3
