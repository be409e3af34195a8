"""A pool's cost is price over throughput in three bases, and nonsense never makes it cheap."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_router.config.scalars import Seconds
from llm_router.config.schema import Capacity, Cluster, Cost, Scaling
from llm_router.model import ClusterStatus, PoolCost, State, TokensPerSecond
from llm_router.pricing.cluster_cost import cluster_cost, start_usd, usd_per_1k_tokens

NOW = 1_700_000_000.0
NONSENSE = (math.nan, math.inf, -math.inf, 0.0, -1.0)

sane = st.floats(min_value=1e-3, max_value=1e6)
anything = st.none() | st.floats() | st.sampled_from(NONSENSE)


def make_cluster(**changes: Any) -> Cluster:
    capacity = Capacity(slots=4, prefill_tokens_per_second=100, decode_tokens_per_second=8)
    fields: dict[str, Any] = {"name": "aws", "endpoint": "https://aws", "cost_per_hour": 0.0928, "capacity": capacity}
    return Cluster(**fields | changes)


def make_status(**changes: Any) -> ClusterStatus:
    speeds = TokensPerSecond(capacity=40.0, realised=10.0, prefill=200.0)
    fields: dict[str, Any] = {
        "target": "aws",
        "state": "up",
        "nodes": 1,
        "node_usd_per_hour": 0.378,
        "price_source": "aws-spot",
        "price_age_s": 60.0,
        "slots_total": 4,
        "tokens_per_second": speeds,
        "measured_at": NOW - 10,
    }
    return ClusterStatus(**fields | changes)


def test_the_published_example() -> None:
    usd = usd_per_1k_tokens(node_usd_per_hour=0.378, nodes=1, tokens_per_second=20, overhead_factor=1.10)
    assert usd == pytest.approx(0.005775)


def test_a_start_costs_the_nodes_rent_of_its_cold_start_and_idle_tail() -> None:
    scaling = Scaling(cold_start=Seconds(90), idle_timeout=Seconds(600))
    cluster = make_cluster(cost_per_hour=0.36, scaling=scaling)
    assert cluster_cost(cluster, Cost(), None, NOW).start_usd == pytest.approx(0.0001 * 690 * 1.10)
    live = cluster_cost(cluster, Cost(), make_status(node_usd_per_hour=0.72), NOW)
    assert live.start_usd == pytest.approx(0.0002 * 690 * 1.10)


@given(anything, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_start_is_never_negative_and_unknown_where_its_price_is(
    price: float | None, cold_start_s: float, idle_s: float
) -> None:
    usd = start_usd(node_usd_per_hour=price, cold_start_s=cold_start_s, idle_timeout_s=idle_s, overhead_factor=1.1)
    if price is None or not math.isfinite(price) or price <= 0:
        assert usd is None
    else:
        assert usd is None or (math.isfinite(usd) and usd >= 0)


@given(sane, st.integers(1, 100), sane, st.floats(1.0, 2.0), st.floats(1.01, 100.0))
def test_cost_rises_with_the_price_and_falls_with_throughput(
    price: float, nodes: int, speed: float, overhead: float, factor: float
) -> None:
    usd = usd_per_1k_tokens(node_usd_per_hour=price, nodes=nodes, tokens_per_second=speed, overhead_factor=overhead)
    dearer = usd_per_1k_tokens(
        node_usd_per_hour=price * factor, nodes=nodes, tokens_per_second=speed, overhead_factor=overhead
    )
    faster = usd_per_1k_tokens(
        node_usd_per_hour=price, nodes=nodes, tokens_per_second=speed * factor, overhead_factor=overhead
    )
    assert 0 < usd < math.inf
    assert dearer == pytest.approx(usd * factor)
    assert faster == pytest.approx(usd / factor)


@pytest.mark.parametrize("field", ["node_usd_per_hour", "nodes", "tokens_per_second", "overhead_factor"])
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_refused_by_name(field: str, value: float) -> None:
    inputs: dict[str, Any] = {
        "node_usd_per_hour": 1.0,
        "nodes": 1,
        "tokens_per_second": 1.0,
        "overhead_factor": 1.1,
    }
    with pytest.raises(ValueError, match=field):
        usd_per_1k_tokens(**inputs | {field: value})


@pytest.mark.parametrize(("price", "speed"), [(1e300, 1e-300), (1e-300, 1e300)])
def test_an_outcome_beyond_all_measure_is_refused(price: float, speed: float) -> None:
    with pytest.raises(ValueError, match="beyond all measure"):
        usd_per_1k_tokens(node_usd_per_hour=price, nodes=1, tokens_per_second=speed, overhead_factor=1.0)


def test_three_bases_side_by_side_from_the_live_status() -> None:
    cost = cluster_cost(make_cluster(), Cost(), make_status(), NOW)
    assert cost.capacity == pytest.approx(0.378 * 1000 / (40 * 3600) * 1.10)
    assert cost.realised == pytest.approx(0.378 * 1000 / (10 * 3600) * 1.10)
    assert cost.marginal == 0.0
    assert cost.decision == cost.capacity
    assert cost.input_ratio == pytest.approx(40 / 200)
    assert (cost.measured, cost.stale, cost.price_source) == (True, False, "aws-spot")
    assert cost.price_age_s == pytest.approx(70.0), "the price has aged since it was measured"


def test_every_node_of_the_pool_is_paid_for() -> None:
    one = cluster_cost(make_cluster(), Cost(), make_status(), NOW)
    three = cluster_cost(make_cluster(), Cost(), make_status(nodes=3), NOW)
    assert one.capacity is not None
    assert three.capacity == pytest.approx(3 * one.capacity)


def test_reading_is_weighed_per_node_and_never_dearer_than_writing() -> None:
    two = make_status(nodes=2, tokens_per_second=TokensPerSecond(capacity=40.0, prefill=200.0))
    assert cluster_cost(make_cluster(), Cost(), two, NOW).input_ratio == pytest.approx(40 / 200)
    mixed = make_status(nodes=2, tokens_per_second=TokensPerSecond(capacity=40.0))
    assert cluster_cost(make_cluster(), Cost(), mixed, NOW).input_ratio == pytest.approx(40 / 2 / 100)
    slow = make_status(tokens_per_second=TokensPerSecond(capacity=40.0, prefill=10.0))
    assert cluster_cost(make_cluster(), Cost(), slow, NOW).input_ratio == 1.0


def test_a_price_has_not_aged_where_the_pools_clock_is_ahead_and_may_come_from_somewhere_unsaid() -> None:
    cost = cluster_cost(make_cluster(), Cost(), make_status(measured_at=NOW + 5, price_source=""), NOW)
    assert (cost.price_age_s, cost.price_source) == (60.0, "unknown")


def test_until_measured_the_configuration_speaks_and_says_so() -> None:
    cost = cluster_cost(make_cluster(), Cost(), None, NOW)
    assert cost.capacity == pytest.approx(0.0928 * 1000 / (4 * 8 * 3600) * 1.10)
    assert (cost.realised, cost.marginal) == (None, None)
    assert (cost.measured, cost.price_source, cost.stale) == (False, "config", False)
    assert cost.input_ratio == pytest.approx(32 / 100)


def test_a_live_price_over_configured_speed_counts_as_not_measured() -> None:
    cost = cluster_cost(make_cluster(), Cost(), make_status(tokens_per_second=TokensPerSecond()), NOW)
    assert cost.capacity == pytest.approx(0.378 * 1000 / (32 * 3600) * 1.10)
    assert (cost.measured, cost.price_source) == (False, "aws-spot")


def test_what_nobody_knows_stays_unknown() -> None:
    bare = Cluster(name="bare", endpoint="https://bare")
    cost = cluster_cost(bare, Cost(), None, NOW)
    assert (cost.capacity, cost.decision, cost.input_ratio, cost.price_source) == (None, None, 1.0, "")
    assert cluster_cost(make_cluster(cost_per_hour=None), Cost(), None, NOW).capacity is None


def test_without_a_number_of_slots_the_slowest_reading_counts() -> None:
    single = Capacity(decode_tokens_per_second_single=12)
    one_slot = Capacity(decode_tokens_per_second=12)
    costs = [cluster_cost(make_cluster(capacity=capacity), Cost(), None, NOW) for capacity in (single, one_slot)]
    assert costs[0].capacity == costs[1].capacity == pytest.approx(0.0928 * 1000 / (12 * 3600) * 1.10)


@pytest.mark.parametrize(
    ("measured_at", "stale"),
    [(NOW - 90, False), (NOW - 91, True), (0.0, True), (NOW + 5, False), (NOW + 3600, True), (math.nan, True)],
)
def test_a_stale_status_is_passed_over_as_a_whole(measured_at: float, stale: bool) -> None:
    cost = cluster_cost(make_cluster(), Cost(), make_status(measured_at=measured_at), NOW)
    assert cost.stale is stale
    assert cost.price_source == ("config" if stale else "aws-spot")
    assert cost.measured is not stale


def test_the_caller_says_when_a_status_is_stale() -> None:
    assert cluster_cost(make_cluster(), Cost(), make_status(), NOW, stale_after_s=5).stale


@pytest.mark.parametrize("speed", NONSENSE)
def test_idle_or_broken_speed_falls_back_and_realised_is_unknown(speed: float) -> None:
    status = make_status(tokens_per_second=TokensPerSecond(capacity=speed, realised=speed, prefill=speed))
    cost = cluster_cost(make_cluster(), Cost(), status, NOW)
    assert cost.capacity == pytest.approx(0.378 * 1000 / (32 * 3600) * 1.10)
    assert cost.realised is None
    assert cost.input_ratio == pytest.approx(32 / 100)


def test_a_pool_at_zero_nodes_is_not_free() -> None:
    cost = cluster_cost(make_cluster(), Cost(), make_status(state="zero", nodes=0, slots_total=0), NOW)
    assert cost.capacity is not None
    assert cost.capacity > 0
    assert (cost.realised, cost.marginal, cost.measured) == (None, None, False)


@pytest.mark.parametrize(
    ("state", "busy", "reported", "marginal"),
    [
        ("up", 3, None, 0.0),
        ("up", 4, None, None),
        ("starting", 0, None, None),
        ("up", 4, 0.02, 0.02),
        ("up", 4, 0.0, 0.0),
        ("up", 0, math.nan, 0.0),
        ("up", 4, -1.0, None),
    ],
)
def test_marginal_is_nothing_for_a_free_slot_only(
    state: State, busy: int, reported: float | None, marginal: float | None
) -> None:
    status = make_status(state=state, slots_busy=busy, usd_per_1k_tokens=PoolCost(marginal=reported))
    assert cluster_cost(make_cluster(), Cost(), status, NOW).marginal == marginal


def test_the_figure_of_decisions_is_that_of_capacity_busy_or_idle() -> None:
    busy = cluster_cost(make_cluster(), Cost(), make_status(), NOW)
    idle = cluster_cost(make_cluster(), Cost(), make_status(tokens_per_second=TokensPerSecond(capacity=40.0)), NOW)
    assert busy.decision == busy.capacity != busy.realised
    assert idle.decision == idle.capacity


@given(
    st.builds(TokensPerSecond, capacity=anything, realised=anything, prefill=anything),
    anything,
    st.integers(-2, 5),
    st.builds(PoolCost, marginal=anything),
    anything,
    st.builds(Capacity, slots=st.none() | st.integers(-1, 64), decode_tokens_per_second=anything),
)
def test_no_input_makes_a_cost_nan_negative_or_free(
    speeds: TokensPerSecond,
    price: float | None,
    nodes: int,
    reported: PoolCost,
    cost_per_hour: float | None,
    capacity: Capacity,
) -> None:
    cluster = msgspec.structs.replace(make_cluster(), cost_per_hour=cost_per_hour, capacity=capacity)
    status = make_status(tokens_per_second=speeds, node_usd_per_hour=price, nodes=nodes, usd_per_1k_tokens=reported)
    cost = cluster_cost(cluster, Cost(), status, NOW)
    for usd in (cost.capacity, cost.realised, cost.decision):
        assert usd is None or 0 < usd < math.inf
    assert cost.marginal is None or 0 <= cost.marginal < math.inf
    assert 0 < cost.input_ratio <= 1


@given(sane, sane, st.floats(1.01, 10.0))
def test_a_pool_that_gets_dearer_or_slower_never_looks_cheaper(price: float, speed: float, factor: float) -> None:
    def capacity_cost(price: float, speed: float) -> float:
        status = make_status(node_usd_per_hour=price, tokens_per_second=TokensPerSecond(capacity=speed))
        usd = cluster_cost(make_cluster(), Cost(), status, NOW).capacity
        assume(usd is not None)
        assert usd is not None
        return usd

    assert capacity_cost(price * factor, speed) > capacity_cost(price, speed)
    assert capacity_cost(price, speed * factor) < capacity_cost(price, speed)


@given(st.none() | st.builds(make_status), sane)
def test_a_fixed_cost_decides_whatever_is_reported_and_a_prompt_token_costs_as_much(
    status: ClusterStatus | None, usd: float
) -> None:
    cost = cluster_cost(make_cluster(cost_per_1k_tokens=usd), Cost(), status, NOW)
    assert (cost.capacity, cost.decision, cost.input_ratio, cost.price_source) == (usd, usd, 1.0, "config")


def test_beside_a_fixed_cost_the_other_bases_are_still_published() -> None:
    fixed = cluster_cost(make_cluster(cost_per_1k_tokens=0.5), Cost(), make_status(), NOW)
    live = cluster_cost(make_cluster(), Cost(), make_status(), NOW)
    assert (fixed.realised, fixed.marginal) == (live.realised, live.marginal)
    assert (fixed.by_token, live.by_token) == (True, False)


@pytest.mark.parametrize("usd", NONSENSE)
def test_a_fixed_cost_that_is_nonsense_is_none(usd: float) -> None:
    assert cluster_cost(make_cluster(cost_per_1k_tokens=usd), Cost(), None, NOW) == cluster_cost(
        make_cluster(), Cost(), None, NOW
    )


@given(
    st.none() | st.sampled_from(NONSENSE),
    st.sampled_from(["up", "starting", "zero", "draining", "down"]),
    st.integers(0, 3),
    sane,
    st.none() | sane,
)
def test_an_idle_pool_keeps_a_cost_to_decide_by(
    realised: float | None, state: State, nodes: int, price: float, capacity: float | None
) -> None:
    """It would stay idle for ever, if being idle made it too dear or unknown."""
    speeds = TokensPerSecond(capacity=capacity, realised=realised)
    idle = make_status(state=state, nodes=nodes, node_usd_per_hour=price, tokens_per_second=speeds, slots_busy=4)
    cost = cluster_cost(make_cluster(), Cost(), idle, NOW)
    assert cost.realised is None
    assert cost.decision is not None
    assert math.isfinite(cost.decision)


@given(sane, sane, sane, st.floats(1.01, 10.0))
def test_every_basis_rises_with_the_price_and_falls_with_its_own_throughput(
    price: float, capacity: float, realised: float, factor: float
) -> None:
    def costs(price: float, capacity: float, realised: float) -> tuple[float, float]:
        speeds = TokensPerSecond(capacity=capacity, realised=realised)
        cost = cluster_cost(make_cluster(), Cost(), make_status(node_usd_per_hour=price, tokens_per_second=speeds), NOW)
        assert cost.capacity is not None
        assert cost.realised is not None
        return cost.capacity, cost.realised

    at_capacity, by_the_bill = costs(price, capacity, realised)
    assert costs(price * factor, capacity, realised) == pytest.approx((at_capacity * factor, by_the_bill * factor))
    assert costs(price, capacity * factor, realised) == pytest.approx((at_capacity / factor, by_the_bill))
    assert costs(price, capacity, realised * factor) == pytest.approx((at_capacity, by_the_bill / factor))


@given(st.floats(), st.floats(0.0, 1e9))
def test_a_status_of_any_other_time_than_now_is_marked_stale_and_leaves_the_configured_cost(
    measured_at: float, stale_after_s: float
) -> None:
    cost = cluster_cost(make_cluster(), Cost(), make_status(measured_at=measured_at), NOW, stale_after_s=stale_after_s)
    fresh = abs(measured_at - NOW) <= stale_after_s
    assert cost.stale is not fresh
    if cost.stale:
        assert msgspec.structs.replace(cost, stale=False) == cluster_cost(make_cluster(), Cost(), None, NOW)
