"""Plans with full knowledge: what they promise, and that a run keeps it."""

from __future__ import annotations

import pytest

from llm_router.config.schema import Config
from llm_router.routing.engine import policy_of
from llm_router.simulate.comparison import keeps_the_limit
from llm_router.simulate.hindsight import NodePlan, plan_nodes
from llm_router.simulate.options import options_of
from llm_router.simulate.trace import Request, Trace, trace_of
from tests.router.simulate.fleets import cluster, config, fleet, simulator

CHEAP = config([cluster(costPerHour=0.36)])


def plans(of: Config, trace: Trace) -> list[NodePlan]:
    built = fleet(of)
    options = options_of(trace, built, policy_of(of, {}))
    return plan_nodes(trace, list(built.pools.values()), options, 5.0, slots_count=False)


def test_a_node_is_started_in_time_for_what_pays_and_goes_between() -> None:
    busy = [start + 5.0 * number for start in (100.0, 2000.0) for number in range(20)]
    [plan] = plans(CHEAP, trace_of([Request(0.0, 1, 1), *(Request(at, 100, 11) for at in busy)]))
    assert len(plan.takes) == 40
    (first, first_end), (second, second_end) = plan.spells
    assert (first, second) == pytest.approx((70.0, 1970.0))
    assert first_end < 300 < 2000 < second_end
    spells_s = 2 * 30 + 2 * 97 + 60
    assert plan.saved_usd == pytest.approx(40 * 0.021 - 0.0001 * spells_s, abs=0.001)


def test_it_stays_where_coming_back_would_cost_more() -> None:
    [plan] = plans(CHEAP, trace_of([*(Request(100.0 + 80 * number, 100, 11) for number in range(20))]))
    assert len(plan.spells) == 1


def test_nothing_is_started_for_what_does_not_pay() -> None:
    [plan] = plans(config([cluster(costPerHour=3600.0)]), trace_of(Request(float(at), 100, 11) for at in range(100)))
    assert plan == NodePlan(pool="gpu")


def test_of_prompts_that_do_not_all_fit_those_worth_most_are_taken() -> None:
    trace = trace_of([Request(0.0, 1, 1), *(Request(100.0, 250, output) for output in (2, 40, 3))])
    [plan] = plans(CHEAP, trace)
    assert plan.takes == {2}


def test_nodes_that_run_anyway_take_what_they_can_without_spells() -> None:
    of = config([cluster(scaling={"minNodes": 1})])
    [plan] = plans(of, trace_of(Request(float(at), 100, 11) for at in range(0, 100, 5)))
    assert plan.spells == ()
    assert len(plan.takes) == 20


def test_two_nodes_share_what_one_cannot_read() -> None:
    of = config([cluster(costPerHour=0.36, scaling={"minNodes": 0, "maxNodes": 2, "coldStart": "30s"})])
    trace = trace_of([Request(0.0, 1, 1), *(Request(100.0 + 5 * number, 400, 40) for number in range(40))])
    one, other = plans(of, trace)
    assert not one.takes & other.takes
    assert len(one.takes | other.takes) >= 39


def test_a_run_by_the_plan_keeps_the_limit_and_is_no_dearer_than_everything_outside() -> None:
    trace = trace_of(Request(5.0 * number, 100, 11) for number in range(400))
    figures = list(simulator(CHEAP, trace).with_hindsight())
    assert all(keeps_the_limit(each) for each in figures)
    assert min(each.usd for each in figures) < 0.2 * 400 * 0.021
