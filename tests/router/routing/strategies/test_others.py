"""The short strategies, and what holds for all of them."""

from __future__ import annotations

from itertools import groupby
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.schema import Strategy
from llm_router.routing.policy import Policy
from llm_router.routing.strategies import STRATEGIES, Candidate, Situation
from llm_router.routing.turns import Turns
from tests.router.routing.views import cluster, facts, provider

known_or_not = st.none() | st.sampled_from([0.001, 0.002, 0.02])

BY_POSITION = frozenset({"failover", "round_robin", "weighted"})
"""The strategies that go by the order of the configuration."""


def candidate(kind: str, name: str, usd: float | None = 0.001, **changes: Any) -> Candidate:
    make = cluster if kind == "cluster" else provider
    return Candidate(view=make(name, **changes), usd_per_1k_tokens=usd, estimated_usd=usd)


def order(strategy: str, *candidates: Candidate, **situation: Any) -> list[tuple[str, str]]:
    asked = situation.pop("asked", facts())
    ordered = STRATEGIES[strategy](candidates, Situation(policy=Policy(), facts=asked, **situation))
    return [(entry.view.target.name, reason) for entry, reason in ordered]


def names(strategy: str, *candidates: Candidate, **situation: Any) -> list[str]:
    return [name for name, _ in order(strategy, *candidates, **situation)]


MIXED = (
    candidate("cluster", "dear", 0.2),
    candidate("cluster", "dark", None),
    candidate("cluster", "cheap", 0.02),
    candidate("provider", "openai", 0.05),
    candidate("provider", "gemini", 0.01),
)


def test_the_registry_is_the_configurations() -> None:
    assert list(STRATEGIES) == list(get_args(Strategy))


def test_cost_takes_the_cheapest_of_all_and_unknown_last() -> None:
    assert names("cost", *MIXED) == ["gemini", "cheap", "openai", "dear", "dark"]
    assert {reason for _, reason in order("cost", *MIXED)} == {"cost_cheapest"}


def test_cluster_first_takes_every_cluster_before_any_api() -> None:
    assert order("cluster_first", *MIXED) == [
        ("cheap", "cluster_first"),
        ("dear", "cluster_first"),
        ("dark", "cluster_first"),
        ("gemini", "fallback_external"),
        ("openai", "fallback_external"),
    ]


def test_external_first_takes_every_api_before_any_cluster() -> None:
    assert order("external_first", *MIXED) == [
        ("gemini", "external_first"),
        ("openai", "external_first"),
        ("cheap", "fallback_cluster"),
        ("dear", "fallback_cluster"),
        ("dark", "fallback_cluster"),
    ]


# ---------------------------------------------------------------- latency


def test_a_stream_goes_where_the_first_token_came_soonest_and_a_whole_answer_where_the_end_did() -> None:
    eager = candidate("cluster", "eager", p95_latency_ms=300, p95_total_ms=9000)
    quick = candidate("provider", "quick", p95_latency_ms=900, p95_total_ms=2000)
    assert order("latency", quick, eager, asked=facts(stream=True)) == [
        ("eager", "latency_lowest"),
        ("quick", "latency_lowest"),
    ]
    assert names("latency", eager, quick, asked=facts()) == ["quick", "eager"]


def test_latency_measures_an_unknown_target_with_one_request_at_a_time() -> None:
    known = candidate("cluster", "known", p95_latency_ms=300)
    busy, untried = candidate("cluster", "busy", pending=1), candidate("cluster", "untried")
    assert names("latency", known, busy, untried) == ["untried", "known", "busy"]


# ---------------------------------------------------------------- by what the configuration says


def test_priority_takes_the_lowest_number_whatever_it_costs_and_equals_by_name() -> None:
    found = order(
        "priority",
        candidate("cluster", "b", 0.001, priority=2),
        candidate("provider", "z", 9.0, priority=1),
        candidate("cluster", "a", None, priority=2),
    )
    assert found == [("z", "priority"), ("a", "priority"), ("b", "priority")]


def test_failover_keeps_the_order_of_the_configuration() -> None:
    assert order("failover", *MIXED) == [(c.view.target.name, "failover") for c in MIXED]


def test_model_takes_the_route_first_then_the_cheapest() -> None:
    assert order("model", *MIXED, route="dear") == [
        ("dear", "model_route"),
        ("gemini", "cost_cheapest"),
        ("cheap", "cost_cheapest"),
        ("openai", "cost_cheapest"),
        ("dark", "cost_cheapest"),
    ]
    assert names("model", *MIXED, route=None)[0] == "gemini"
    assert names("model", *MIXED, route="not-allowed-now")[0] == "gemini"


# ---------------------------------------------------------------- nearest


WORLD = (
    candidate("cluster", "oregon", 0.001, region="us-west-2"),
    candidate("cluster", "ireland", 0.003, region="eu-west-1"),
    candidate("provider", "dublin", 0.002, region="northeurope"),
    candidate("cluster", "tokyo", 0.001, region="asia-northeast1"),
    candidate("cluster", "cellar", 0.0001, region=""),
)


@pytest.mark.parametrize(
    ("caller", "nearest_first"),
    [
        ("gb", ["dublin", "ireland", "oregon", "tokyo", "cellar"]),
        ("kr", ["tokyo", "oregon", "dublin", "ireland", "cellar"]),
        ("ca-west-1", ["oregon", "dublin", "ireland", "tokyo", "cellar"]),
        ("eu-west-1", ["dublin", "ireland", "oregon", "tokyo", "cellar"]),  # both are there
    ],
)
def test_nearest_goes_by_distance_and_between_equals_by_cost(caller: str, nearest_first: list[str]) -> None:
    found = order("nearest", *WORLD, asked=facts(client_region=caller))
    assert [name for name, _ in found] == nearest_first
    assert {reason for _, reason in found} == {"nearest"}


def test_where_nobody_says_where_the_caller_is_nearest_is_cheapest_and_says_so() -> None:
    found = order("nearest", *WORLD)
    assert found[0] == ("cellar", "cost_cheapest")
    assert [name for name, _ in found] == names("cost", *WORLD)


# ---------------------------------------------------------------- turns


def firsts(strategy: str, *candidates: Candidate, requests: int) -> list[str]:
    turns = Turns()
    return [names(strategy, *candidates, turn=turns.take)[0] for _ in range(requests)]


def test_round_robin_goes_round_in_the_order_of_the_configuration() -> None:
    three = [candidate("cluster", name) for name in "cab"]
    assert firsts("round_robin", *three, requests=7) == list("cabcabc")
    turns = Turns()
    assert [names("round_robin", *three, turn=turns.take) for _ in range(3)] == [list("cab"), list("abc"), list("bca")]


def test_an_owner_with_several_models_has_one_share_and_others_follow_before_its_second() -> None:
    two = [candidate("cluster", f"a/{model}", owner="a", weight=2) for model in "xy"]
    other = candidate("provider", "b", weight=2)
    assert firsts("round_robin", *two, other, requests=4) == ["a/x", "b", "a/x", "b"]
    assert firsts("weighted", *two, other, requests=4) == ["a/x", "b", "a/x", "b"]
    assert names("round_robin", *two, other) == ["a/x", "b", "a/y"]


def test_weights_are_smooth() -> None:
    fleet = [candidate("cluster", name, weight=weight) for name, weight in (("a", 5), ("b", 1), ("c", 1))]
    assert firsts("weighted", *fleet, requests=7) == list("aabacaa"), "as nginx documents it"


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6).filter(any), st.integers(0, 60), st.integers(1, 2))
def test_in_every_window_of_whole_rounds_the_shares_hold_exactly(weights: list[int], start: int, rounds: int) -> None:
    fleet = [candidate("cluster", f"c{i}", weight=weight) for i, weight in enumerate(weights)]
    window = sum(weights) * rounds
    chosen = firsts("weighted", *fleet, requests=start + window)[start:]
    assert [chosen.count(f"c{i}") for i in range(len(weights))] == [weight * rounds for weight in weights]


def test_nobody_is_chosen_in_bursts() -> None:
    fleet = [candidate("cluster", name, weight=weight) for name, weight in (("a", 60), ("b", 40))]
    chosen = firsts("weighted", *fleet, requests=1000)
    assert max(len(list(run)) for _, run in groupby(chosen)) <= 2


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    st.lists(
        st.builds(
            candidate,
            st.sampled_from(["cluster", "provider"]),
            st.text("abc", min_size=1, max_size=3),
            known_or_not,
            p95_latency_ms=known_or_not,
            p95_total_ms=known_or_not,
            pending=st.integers(0, 1),
            priority=st.integers(0, 2),
            weight=st.integers(0, 2),
            region=st.sampled_from(["", "eu", "us-east-1"]),
        ),
        max_size=8,
        unique_by=lambda entry: entry.view.target.name,
    ),
    st.randoms(use_true_random=False),
    st.builds(
        Situation,
        policy=st.just(Policy()),
        facts=st.builds(facts, stream=st.booleans(), client_region=st.sampled_from([None, "eu-west-1"])),
        clusters_down=st.booleans(),
        route=st.sampled_from([None, "a", "b"]),
    ),
)
def test_every_strategy_orders_all_and_only_its_candidates_whatever_order_they_come_in(
    strategy: str, candidates: list[Candidate], random: object, situation: Situation
) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ordered = STRATEGIES[strategy](candidates, situation)
    assert sorted(entry.view.target.name for entry, _ in ordered) == sorted(c.view.target.name for c in candidates)
    assert ordered == STRATEGIES[strategy](candidates, situation), "the same for the same turn"
    if strategy not in BY_POSITION:
        assert ordered == STRATEGIES[strategy](shuffled, situation)
