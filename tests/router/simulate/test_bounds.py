"""Bounds are below every run that keeps the limit, brute force over whole plans included, and not far below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.config.schema import Config
from llm_router.routing.engine import policy_of
from llm_router.simulate.bound import late_allowed, lower_bound
from llm_router.simulate.comparison import STRATEGIES, best_of, keeps_the_limit
from llm_router.simulate.figures import Figures, figures_of
from llm_router.simulate.hindsight import NodePlan
from llm_router.simulate.node_bound import bound_by_nodes
from llm_router.simulate.options import options_of
from llm_router.simulate.policies import Planned
from llm_router.simulate.program_bound import bound_by_program
from llm_router.simulate.trace import Request, Trace, trace_of
from llm_router.simulate.world import World
from tests.router.simulate.fleets import cluster, config, fleet, simulator

ELASTIC = config([cluster(costPerHour=0.36)])
MIXED = config(
    [
        cluster("cpu", costPerHour=0.18, scaling={"minNodes": 1}, capabilities=["simple-tasks"]),
        cluster("gpu", costPerHour=0.36),
    ]
)
SEVERAL = config([cluster(costPerHour=0.36, scaling={"minNodes": 0, "maxNodes": 3, "coldStart": "30s"})])
INSIDE_ONLY = config([cluster(costPerHour=0.36, scaling={"minNodes": 1})], enableExternalFallback=False)

requests = st.builds(
    Request,
    st.floats(0, 400),
    st.integers(1, 600),
    st.integers(1, 40),
    st.just(""),
    st.booleans(),
)


def by_nodes(of: Config, trace: Trace, reached_usd: float = 1.0) -> float:
    late = late_allowed(len(trace.requests))
    options = options_of(trace, fleet(of), policy_of(of, {}))
    return bound_by_nodes(trace, fleet(of), options, 5.0, late=late, reached_usd=reached_usd, time_limit_s=0.2)


def by_program(of: Config, trace: Trace) -> float:
    late = late_allowed(len(trace.requests))
    options = options_of(trace, fleet(of), policy_of(of, {}))
    return bound_by_program(trace, fleet(of), options, 5.0, late=late, time_limit_s=20).usd


def runs(of: Config, trace: Trace) -> Iterator[tuple[str, Figures]]:
    simulated = simulator(of, trace)
    for strategy in STRATEGIES:
        yield strategy, simulated.strategy(strategy)
    yield from simulated.fixed_policies().items()
    yield from (("planned", figures) for figures in simulated.with_hindsight())


def every_plan(of: Config, trace: Trace) -> Iterator[Figures]:
    """Every choice of requests for one node, with every spell from a moment at which it may be of use to another."""
    numbers, arrivals = range(len(trace.requests)), [request.at_s for request in trace.requests]
    starts = sorted({max(0.0, at - back) for at in arrivals for back in (0.0, 30.0)})
    ends = sorted({at + on for at in arrivals for on in (1.0, 20.0)})
    options = options_of(trace, fleet(of), policy_of(of, {}))
    for taken in product((False, True), repeat=len(trace.requests)):
        takes = frozenset(number for number in numbers if taken[number])
        for start, end in product(starts, ends) if takes else [(0.0, 0.0)]:
            if takes and end <= start:
                continue
            plan = NodePlan(pool="gpu", spells=((start, end),) if takes else (), takes=takes)
            world = World(fleet(of), trace, Planned(options, [plan], 5.0), 10)
            yield figures_of(world, world.run(), 5.0)


@settings(max_examples=25)
@given(st.lists(requests, min_size=1, max_size=40), st.sampled_from([ELASTIC, MIXED, SEVERAL, INSIDE_ONLY]))
def test_no_run_that_keeps_the_limit_is_below_the_bound_by_nodes(asked: Sequence[Request], of: Config) -> None:
    trace = trace_of(asked)
    best = best_of(runs(of, trace))
    if best.usd is not None:
        assert by_nodes(of, trace, best.usd) <= best.usd + 1e-9


@settings(max_examples=10)
@given(st.lists(requests, min_size=1, max_size=30), st.sampled_from([ELASTIC, MIXED, SEVERAL, INSIDE_ONLY]))
def test_no_run_that_keeps_the_limit_is_below_the_bound_by_program(asked: Sequence[Request], of: Config) -> None:
    trace = trace_of(asked)
    best = best_of(runs(of, trace))
    if best.usd is not None:
        assert by_program(of, trace) <= best.usd + 1e-9


@settings(max_examples=8)
@given(st.lists(requests, min_size=1, max_size=4))
def test_no_plan_at_all_is_below_the_bounds_on_tiny_traces(asked: Sequence[Request]) -> None:
    trace = trace_of(asked)
    best_usd = min(figures.usd for figures in every_plan(ELASTIC, trace) if keeps_the_limit(figures))
    assert by_nodes(ELASTIC, trace, best_usd) <= best_usd + 1e-9
    assert by_program(ELASTIC, trace) <= best_usd + 1e-9


def test_on_a_busy_trace_they_are_close_to_the_best_run() -> None:
    trace = trace_of(Request(5.0 * number, 100, 11) for number in range(99))
    best = best_of(runs(ELASTIC, trace))
    assert best.usd is not None
    assert by_nodes(ELASTIC, trace, best.usd) > 0.9 * best.usd
    assert by_program(ELASTIC, trace) > 0.9 * best.usd


def test_no_node_is_ready_before_its_cold_start() -> None:
    """In 25 s no node of 30 s can help, whatever it would save."""
    trace = trace_of(Request(0.5 * number, 50, 200) for number in range(50))
    outside_usd = 50 * (0.005 + 0.2)
    assert by_nodes(ELASTIC, trace, outside_usd) == pytest.approx(outside_usd)
    assert by_program(ELASTIC, trace) == pytest.approx(outside_usd, rel=1e-4)


def test_a_prompt_that_cannot_be_read_in_time_goes_outside() -> None:
    trace = trace_of([Request(0.0, 1, 1), *(Request(100.0 + 10 * number, 501, 1) for number in range(50))])
    outside_usd = 0.0011 + 50 * 0.0511
    assert by_nodes(ELASTIC, trace, outside_usd) == pytest.approx(outside_usd)


def test_prompts_that_come_at_once_are_not_all_read_in_time() -> None:
    """Of ten prompts of 3 s each one fits into 5 s."""
    trace = trace_of([Request(0.0, 1, 1), *(Request(200.0, 300, 1) for _ in range(10))])
    every = 0.0011 + 10 * 0.031
    assert by_nodes(ELASTIC, trace, every) == pytest.approx(every - 0.031 + 0.0001 * (30 + 60 - 60), abs=0.004)
    assert by_program(ELASTIC, trace) == pytest.approx(every - 0.031 + 0.0001 * 30, abs=0.004)


def test_where_nobody_can_answer_in_time_there_is_no_such_run() -> None:
    trace = trace_of(Request(10.0 * number, 800, 1) for number in range(20))
    options = options_of(trace, fleet(INSIDE_ONLY), policy_of(INSIDE_ONLY, {}))
    bound = lower_bound(trace, fleet(INSIDE_ONLY), options, 5.0, reached_usd=None, time_limit_s=5)
    assert (bound.usd, bound.status) == (None, "infeasible")


def test_of_the_two_the_higher_one_counts() -> None:
    trace = trace_of(Request(2.0 * number, 100, 11) for number in range(200))
    options = options_of(trace, fleet(ELASTIC), policy_of(ELASTIC, {}))
    bound = lower_bound(trace, fleet(ELASTIC), options, 5.0, reached_usd=0.2, time_limit_s=5)
    assert bound.usd == pytest.approx(max(by_nodes(ELASTIC, trace, 0.2), by_program(ELASTIC, trace)), rel=0.01)
    assert bound.status == "optimal"
    assert "HiGHS" in bound.method


@pytest.mark.parametrize(("count", "late"), [(1, 0), (99, 0), (100, 1), (199, 1), (200, 2), (8819, 88)])
def test_one_of_a_hundred_may_be_late(count: int, late: int) -> None:
    assert late_allowed(count) == late
