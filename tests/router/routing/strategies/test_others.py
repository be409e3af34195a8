"""The one-line strategies, and what holds for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.routing.policy import Policy
from llm_router.routing.strategies import STRATEGIES, Candidate
from tests.router.routing.views import cluster, provider

POLICY = Policy()

known_or_not = st.none() | st.sampled_from([0.001, 0.002, 0.02])


def candidate(
    kind: str, name: str, usd: float | None = 0.001, *, p95_ms: float | None = None, pending: int = 0, priority: int = 1
) -> Candidate:
    make = cluster if kind == "cluster" else provider
    view = make(name, p95_latency_ms=p95_ms, pending=pending, priority=priority)
    return Candidate(view=view, usd_per_1k_tokens=usd, estimated_usd=usd)


def order(strategy: str, *candidates: Candidate) -> list[tuple[str, str]]:
    ordered = STRATEGIES[strategy](candidates, POLICY, clusters_down=False)
    return [(entry.view.target.name, reason) for entry, reason in ordered]


MIXED = (
    candidate("cluster", "dear", 0.2),
    candidate("cluster", "dark", None),
    candidate("cluster", "cheap", 0.02),
    candidate("provider", "openai", 0.05),
    candidate("provider", "gemini", 0.01),
)


def test_cost_takes_the_cheapest_of_all_and_unknown_last() -> None:
    assert [name for name, _ in order("cost", *MIXED)] == ["gemini", "cheap", "openai", "dear", "dark"]
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


def test_latency_takes_the_lowest_p95() -> None:
    found = order("latency", candidate("cluster", "slow", p95_ms=900), candidate("provider", "fast", p95_ms=300))
    assert found == [("fast", "latency_lowest"), ("slow", "latency_lowest")]


def test_latency_measures_an_unknown_target_with_one_request_at_a_time() -> None:
    found = order(
        "latency",
        candidate("cluster", "known", p95_ms=300),
        candidate("cluster", "busy", pending=1),
        candidate("cluster", "untried"),
    )
    assert [name for name, _ in found] == ["untried", "known", "busy"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    st.lists(
        st.builds(
            candidate,
            st.sampled_from(["cluster", "provider"]),
            st.text("abc", min_size=1, max_size=3),
            known_or_not,
            p95_ms=known_or_not,
            pending=st.integers(0, 1),
            priority=st.integers(0, 2),
        ),
        max_size=8,
        unique_by=lambda entry: entry.view.target.name,
    ),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_every_strategy_orders_all_and_only_its_candidates_whatever_order_they_come_in(
    strategy: str, candidates: list[Candidate], random: object, clusters_down: bool
) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ordered = STRATEGIES[strategy](candidates, POLICY, clusters_down=clusters_down)
    assert sorted(entry.view.target.name for entry, _ in ordered) == sorted(c.view.target.name for c in candidates)
    assert ordered == STRATEGIES[strategy](shuffled, POLICY, clusters_down=clusters_down)
