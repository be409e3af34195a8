"""Nodes of a pool: from the request to start them to their end, and what is paid for it."""

from __future__ import annotations

import pytest

from llm_router.simulate.job import Job
from llm_router.simulate.pool import Pool
from llm_router.simulate.trace import Request
from tests.router.simulate.fleets import pool_spec


def started(pool: Pool, now: float) -> None:
    [ready_at] = pool.want(pool.wanted + 1, now)
    assert ready_at == now + pool.spec.cold_start_s
    pool.add_ready_node(ready_at)


def test_its_states_from_zero_to_zero() -> None:
    pool = Pool(pool_spec())
    states: list[str] = [pool.state]
    [ready_at] = pool.want(1, 10.0)
    states.append(pool.state)
    pool.add_ready_node(ready_at)
    states.append(pool.state)
    pool.want(0, 50.0)
    states.append(pool.state)
    pool.remove_released(ready_at + 60.0)
    states.append(pool.state)
    assert states == ["zero", "starting", "up", "draining", "zero"]


def test_it_never_wants_more_or_fewer_than_it_may_have() -> None:
    pool = Pool(pool_spec(min_nodes=1, max_nodes=3))
    assert (pool.state, pool.wanted) == ("up", 1)
    assert len(pool.want(9, 0.0)) == 2
    pool.want(0, 0.0)
    assert pool.wanted == 1


def test_cold_start_and_idle_tail_are_paid_for() -> None:
    pool = Pool(pool_spec())
    started(pool, 10.0)  # ready at 40, never used
    pool.want(0, 50.0)
    pool.remove_released(99.0)
    assert len(pool.nodes) == 1
    pool.remove_released(100.0)
    assert pool.nodes == []
    assert pool.node_seconds(1000.0) == pytest.approx(90.0)
    assert pool.usd(1000.0) == pytest.approx(0.09)


def test_the_bill_ends_where_it_is_asked_to() -> None:
    pool = Pool(pool_spec())
    pool.want(1, 100.0)
    assert pool.node_seconds(90.0) == 0.0
    assert pool.node_seconds(110.0) == pytest.approx(10.0)
    pool.add_ready_node(130.0)
    assert pool.node_seconds(150.0) == pytest.approx(50.0)


def test_nodes_that_always_run_are_paid_for_from_the_beginning_and_never_removed() -> None:
    pool = Pool(pool_spec(min_nodes=1, max_nodes=2))
    pool.remove_released(1e6)
    assert len(pool.nodes) == 1
    assert pool.usd(3600.0) == pool.always_on_usd(3600.0) == pytest.approx(3.6)


def test_requests_go_to_the_node_with_the_least_to_read_and_to_released_ones_only_at_need() -> None:
    pool = Pool(pool_spec(max_nodes=2, cold_start_s=0.0))
    started(pool, 0.0)
    started(pool, 0.0)
    old, young = pool.nodes
    assert pool.emptiest() is old
    old.take(Job(number=0, request=Request(0.0, 100, 10)))
    assert pool.emptiest() is young
    pool.want(1, 0.0)
    assert pool.emptiest() is old
    pool.want(0, 0.0)
    assert not pool.has_room()
    assert pool.emptiest() is young, "whoever waits already was promised an answer"


def test_a_prediction_counts_what_is_ahead_and_slower_reading_beside_decoding() -> None:
    pool = Pool(pool_spec(min_nodes=1))
    assert pool.first_token_s(100) == pytest.approx(1.0)
    pool.nodes[0].take(Job(number=0, request=Request(0.0, 50, 10)))
    assert pool.first_token_s(100) == pytest.approx(1.5)
    pool.nodes[0].advance(0.5)
    assert pool.first_token_s(95) == pytest.approx(1.0)
