"""The router's decisions in a run: same engine, same rents, simulated signals."""

from __future__ import annotations

import pytest

from llm_router.simulate.comparison import STRATEGIES
from llm_router.simulate.trace import Request, trace_of
from tests.router.simulate.fleets import cluster, config, provider, simulator

BUSY = trace_of(Request(5.0 * number, 100, 11) for number in range(1000))
"""Half of a node's time, and 0.0042 USD a second outside: four times its rent."""
SPARSE = trace_of(Request(200.0 * number, 100, 11) for number in range(50))
"""A tenth of the rent."""


def test_hybrid_wakes_a_pool_that_pays_and_keeps_it() -> None:
    figures = simulator(config(), BUSY).strategy("hybrid")
    assert figures.share["gpu"] > 0.9
    assert figures.miss_rate == 0
    assert figures.usd < 0.35 * simulator(config(), BUSY).strategy("external_first").usd


def test_hybrid_leaves_a_pool_asleep_that_does_not_pay() -> None:
    figures = simulator(config(), SPARSE).strategy("hybrid")
    assert figures.share == {"api": 1.0}
    assert figures.usd_nodes == 0


def test_hybrid_lets_a_pool_go_when_nothing_comes_any_more() -> None:
    trace = trace_of([*BUSY.requests, Request(100_000.0, 100, 11)])
    figures = simulator(config(), trace).strategy("hybrid")
    assert figures.node_hours["gpu"] * 3600 < BUSY.span_s + 30 + 2 * 60 + 10


def test_hybrid_never_passes_the_ceiling_of_the_operator() -> None:
    figures = simulator(config(clusterCostThreshold=0.01), BUSY).strategy("hybrid")
    assert figures.share == {"api": 1.0}, "the pool costs 0.1 USD per 1K tokens"


def test_hybrid_wakes_the_pool_where_nobody_else_may_answer() -> None:
    figures = simulator(config(enableExternalFallback=False), BUSY).strategy("hybrid")
    assert set(figures.share) == {"gpu"}
    assert figures.refused > 0, "while it is away, callers are told to come again"


def test_strategies_that_do_not_reckon_wake_a_pool_by_calling_it() -> None:
    figures = simulator(config(), SPARSE).strategy("cluster_first")
    assert figures.usd_nodes > 0


def test_the_latency_strategy_learns_who_is_faster() -> None:
    slow = provider("slow", latency={"timeToFirstToken": "4s", "tokensPerSecond": 10})
    figures = simulator(config([], [slow, provider("fast")]), BUSY).strategy("latency")
    assert figures.share["fast"] > 0.9


def test_a_target_that_was_late_lately_goes_behind() -> None:
    late = provider("late", latency={"timeToFirstToken": "8s", "tokensPerSecond": 100}, priority=1)
    figures = simulator(config([], [late, provider("fine", priority=2)]), BUSY).strategy("priority")
    assert 0 < figures.share["late"] < 0.1


def test_turns_are_taken_by_weight() -> None:
    of = config([], [provider("a", weight=3), provider("b", weight=1)])
    assert simulator(of, BUSY).strategy("weighted").share == {"a": 0.75, "b": 0.25}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_answers_everything_and_the_shares_are_whole(strategy: str) -> None:
    of = config([cluster("a", scaling={"minNodes": 1}), cluster("b")])
    figures = simulator(of, SPARSE).strategy(strategy)
    assert figures.refused == 0
    assert sum(figures.share.values()) == pytest.approx(1.0)
    assert figures.usd == pytest.approx(figures.usd_nodes + figures.usd_external)


def test_runs_are_repeatable() -> None:
    assert simulator(config(), BUSY).strategy("hybrid") == simulator(config(), BUSY).strategy("hybrid")
