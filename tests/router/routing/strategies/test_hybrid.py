"""Hybrid: cheap clusters in time, else the cheapest API, else the other clusters."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.model import PoolView, View
from llm_router.routing.policy import Policy
from llm_router.routing.strategies import STRATEGIES, Candidate, Situation
from tests.router.routing.views import cluster, facts, provider

POLICY = Policy(cluster_usd_per_1k_threshold=0.01, max_latency_ms=5000, max_queue_depth=10)
PROMPT_TOKENS = 950
"""To be read within 4.75 s."""


def candidate(view: View, usd: float | None, **pool: Any) -> Candidate:
    """``pool`` are fields of the pool: two nodes with two slots each that are all wanted, unless told otherwise."""
    shared = PoolView(**{"nodes": 2, "wanted": 2, "slots": 4} | pool)
    return Candidate(view=view, usd_per_1k_tokens=usd, estimated_usd=usd, input_tokens=PROMPT_TOKENS, pool=shared)


def order(*candidates: Candidate, clusters_down: bool = False) -> list[tuple[str, str]]:
    situation = Situation(policy=POLICY, facts=facts(input_tokens=PROMPT_TOKENS), clusters_down=clusters_down)
    ordered = STRATEGIES["hybrid"](candidates, situation)
    return [(entry.view.target.name, reason) for entry, reason in ordered]


def test_clusters_below_the_threshold_come_first_cheapest_first_then_apis_then_the_rest() -> None:
    found = order(
        candidate(cluster("dear"), 0.02),
        candidate(cluster("cheap"), 0.002),
        candidate(cluster("cheaper"), 0.001),
        candidate(provider("openai"), 0.0005),
        candidate(provider("gemini"), 0.0001),
    )
    assert found == [
        ("cheaper", "hybrid_cluster"),
        ("cheap", "hybrid_cluster"),
        ("gemini", "hybrid_external"),
        ("openai", "hybrid_external"),
        ("dear", "fallback_cluster"),
    ]


def test_nodes_that_run_anyway_come_before_elastic_ones_even_when_dearer() -> None:
    elastic, fixed = cluster("elastic", always_on=False), cluster("fixed")
    assert [name for name, _ in order(candidate(elastic, 0.001), candidate(fixed, 0.005))] == ["fixed", "elastic"]


def test_the_threshold_itself_is_too_dear() -> None:
    assert order(candidate(cluster("at"), 0.01)) == [("at", "fallback_cluster")]


def test_an_unknown_cost_is_not_taken_for_cheap() -> None:
    found = order(candidate(cluster("dark"), None), candidate(cluster("dear"), 5.0), candidate(provider("p"), None))
    assert found == [("p", "hybrid_external"), ("dear", "fallback_cluster"), ("dark", "fallback_cluster")]


def test_a_prompt_that_takes_too_long_to_read_goes_outside() -> None:
    found = order(
        candidate(cluster("slow"), 0.001, prefill_tokens_per_second=199),
        candidate(cluster("fast"), 0.002, prefill_tokens_per_second=200),
        candidate(cluster("unmeasured"), 0.003, prefill_tokens_per_second=None),
        candidate(provider("p"), 0.1),
    )
    assert found == [
        ("fast", "hybrid_cluster"),
        ("unmeasured", "hybrid_cluster"),
        ("p", "hybrid_external"),
        ("slow", "fallback_cluster"),
    ]


@pytest.mark.parametrize(
    "pool",
    [
        {"in_flight": 4},
        {"prefill_tokens_per_second": 400, "unread_tokens": 2000},
        {"prefill_tokens_per_second": 200, "decoding": 1},
        {"wanted": 0},
        {"wanted": 1, "in_flight": 2},
        {"wanted": 1, "prefill_tokens_per_second": 400, "unread_tokens": 1000},
    ],
    ids=["no slot", "a queue of prompts", "others generate", "released", "one node's slots", "one node's queue"],
)
def test_a_pool_without_room_is_asked_only_if_nobody_else_is_left(pool: dict[str, Any]) -> None:
    found = order(candidate(cluster("full"), 0.001, **pool), candidate(provider("p"), 0.1))
    assert found == [("p", "hybrid_external"), ("full", "fallback_cluster")]


@pytest.mark.parametrize(
    "pool",
    [
        {"in_flight": 3},
        {"prefill_tokens_per_second": 400, "unread_tokens": 1800},
        {"wanted": 1, "in_flight": 1},
        {"slots": None, "in_flight": 1000},
        {"prefill_tokens_per_second": 211, "decoding": 1},
    ],
    ids=["a slot", "a short queue of prompts on two nodes", "a slot on one node", "slots unknown", "others generate"],
)
def test_a_pool_with_room_is_asked(pool: dict[str, Any]) -> None:
    assert order(candidate(cluster("c"), 0.001, **pool), candidate(provider("p"), 0.1))[0] == ("c", "hybrid_cluster")


@pytest.mark.parametrize("state", ["zero", "starting"])
def test_nobody_waits_for_a_pool_that_does_not_run(state: str) -> None:
    assert order(candidate(cluster("c", state=state), 0.001)) == []


def test_of_pools_that_are_all_full_the_cheap_ones_come_first_least_laden_first() -> None:
    found = order(
        candidate(cluster("dear"), 0.02),
        candidate(cluster("longer"), 0.001, in_flight=9),
        candidate(cluster("long"), 0.002, in_flight=5),
    )
    assert [name for name, _ in found] == ["long", "longer", "dear"]


def test_an_api_that_stands_in_for_clusters_that_are_down_says_so() -> None:
    assert order(candidate(provider("p"), 0.1), clusters_down=True) == [("p", "fallback_external")]


def test_ties_go_by_priority_then_name() -> None:
    views = [cluster("b"), cluster("a"), cluster("z", priority=0)]
    assert [name for name, _ in order(*(candidate(view, 0.001) for view in views))] == ["z", "a", "b"]
