"""Fixed policies: what they promise, they do."""

from __future__ import annotations

import pytest

from llm_router.simulate.trace import Request, trace_of
from tests.router.simulate.fleets import cluster, config, simulator

EVERY_TEN_S = trace_of(Request(10.0 * number, 100, 11) for number in range(100))


def test_all_external_costs_the_list_price_and_the_nodes_that_run_anyway() -> None:
    figures = simulator(config([cluster(scaling={"minNodes": 1})]), EVERY_TEN_S).fixed_policies()["all_external"]
    assert figures.share == {"api": 1.0}
    assert figures.usd_external == pytest.approx(100 * (0.01 + 0.011))
    assert figures.usd_nodes == pytest.approx(0.99)
    assert figures.usd_avoidable == pytest.approx(figures.usd_external)


def test_all_cluster_sends_nothing_outside_and_starts_what_it_needs() -> None:
    figures = simulator(config(), EVERY_TEN_S).fixed_policies()["all_cluster"]
    assert (figures.usd_external, figures.share) == (0, {"gpu": 1.0})
    assert figures.usd_nodes == pytest.approx(0.99)
    assert 0.03 <= figures.miss_rate <= 0.05, "those that came in the first 30 s, and who waited behind them"


def test_all_cluster_lets_idle_nodes_go() -> None:
    trace = trace_of([Request(0.0, 100, 1), Request(1000.0, 100, 1)])
    figures = simulator(config(), trace).fixed_policies()["all_cluster"]
    assert figures.usd_nodes == pytest.approx(0.001 * (30 + 1 + 60))


def test_held_nodes_answer_what_they_can_in_time_and_the_rest_goes_outside() -> None:
    trace = trace_of([Request(100.0, 10, 1), *(Request(200.0, 200, 1) for _ in range(3))])
    figures = simulator(config(), trace).held(["gpu"])
    assert figures.share == {"gpu": 0.5, "api": 0.5}, "none before the cold start is over, the last has no slot"
    assert figures.miss_rate == 0
    assert figures.usd_nodes == pytest.approx(0.1)


def test_held_nodes_answer_everything_where_nobody_is_outside() -> None:
    trace = trace_of(Request(100.0 + second / 10, 400, 1) for second in range(5))
    figures = simulator(config([cluster(scaling={"minNodes": 1})], enableExternalFallback=False), trace).held(["gpu"])
    assert figures.share == {"gpu": 1.0}
    assert figures.miss_rate > 0
