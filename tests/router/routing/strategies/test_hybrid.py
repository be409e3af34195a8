"""Hybrid: cheap clusters in time, else the cheapest API, else the other clusters."""

from __future__ import annotations

from llm_router.model import View
from llm_router.routing.policy import Policy
from llm_router.routing.strategies import STRATEGIES, Candidate, Situation
from tests.router.routing.views import cluster, facts, provider

POLICY = Policy(cluster_usd_per_1k_threshold=0.01, max_latency_ms=5000)


def candidate(view: View, usd: float | None, first_token_ms: float | None = None) -> Candidate:
    return Candidate(view=view, usd_per_1k_tokens=usd, estimated_usd=usd, first_token_ms=first_token_ms)


def order(*candidates: Candidate, clusters_down: bool = False) -> list[tuple[str, str]]:
    situation = Situation(policy=POLICY, facts=facts(), clusters_down=clusters_down)
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
        candidate(cluster("slow"), 0.001, first_token_ms=5001),
        candidate(cluster("fast"), 0.002, first_token_ms=5000),
        candidate(cluster("unmeasured"), 0.003, first_token_ms=None),
        candidate(provider("p"), 0.1),
    )
    assert found == [
        ("fast", "hybrid_cluster"),
        ("unmeasured", "hybrid_cluster"),
        ("p", "hybrid_external"),
        ("slow", "fallback_cluster"),
    ]


def test_an_api_that_stands_in_for_clusters_that_are_down_says_so() -> None:
    assert order(candidate(provider("p"), 0.1), clusters_down=True) == [("p", "fallback_external")]


def test_ties_go_by_priority_then_name() -> None:
    views = [cluster("b"), cluster("a"), cluster("z", priority=0)]
    assert [name for name, _ in order(*(candidate(view, 0.001) for view in views))] == ["z", "a", "b"]
