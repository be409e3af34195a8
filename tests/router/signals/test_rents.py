"""The router's wishes: on the board for the next decision, on the gauge for whoever starts nodes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from llm_router.config.scalars import Seconds
from llm_router.config.schema import Capacity, Cluster, Scaling
from llm_router.model import ClusterStatus, Demand, Target
from llm_router.signals.rents import Rents
from llm_router.signals.snapshot import Board
from llm_router.telemetry.metrics import Metrics


def cluster(name: str = "t4", *, usd: float | None = 3.6, **scaling: Any) -> Cluster:
    settings = Scaling(**{"min_nodes": 0, "cold_start": Seconds(100), "idle_timeout": Seconds(400)} | scaling)
    return Cluster(
        name=name, endpoint="http://127.0.0.1:1", cost_per_hour=usd, capacity=Capacity(slots=4), scaling=settings
    )


NEEDED = Demand(value_usd=math.inf, input_tokens=10, output_tokens=10, spilled=True, able=("t4",))


class World:
    def __init__(self, *clusters: Cluster, by_rent: bool = True, metrics: Metrics | None = None) -> None:
        self.now = 1000.0
        targets = [Target(name=c.name, kind="cluster", owner=c.name, model="m", always_on=False) for c in clusters]
        self.board = Board(targets, lambda: self.now)
        for target in targets:
            self.board.post(target.name, state="zero")
        self.metrics = metrics or Metrics(CollectorRegistry())
        self.rents = Rents(clusters, self.board, self.metrics, lambda: self.now, by_rent=by_rent)
        self.rents.post()

    @property
    def gauge(self) -> float | None:
        return self.metrics.registry.get_sample_value("llm_router_pool_wanted", {"pool": "t4"})

    @property
    def wanted(self) -> int | None:
        pool = self.board.pool("t4")
        return None if pool is None else pool.wanted

    def runs(self, **status: Any) -> None:
        self.board.post_pool("t4", nodes=1, slots=4)
        told = ClusterStatus(target="t4", state="up", **status) if status else None
        self.rents.seen("t4", 1, told)


@pytest.fixture
def world() -> World:
    return World(cluster())


def test_a_wish_is_on_the_board_and_on_the_gauge_at_once_and_the_pool_is_starting(world: World) -> None:
    assert (world.wanted, world.gauge, world.board.view("t4").state) == (0, 0, "zero")
    assert world.rents.observe(NEEDED) == ("t4",)
    assert (world.wanted, world.gauge, world.board.view("t4").state) == (1, 1, "starting")
    assert world.rents.observe(None) == ()


def test_time_alone_takes_a_wish_back(world: World) -> None:
    world.rents.observe(NEEDED)
    world.runs()
    world.now += 399
    world.rents.tick()
    assert (world.wanted, world.gauge) == (1, 1)
    world.now += 1
    world.rents.tick()
    assert (world.wanted, world.gauge) == (0, 0)


def test_nodes_with_work_under_way_stay_wanted_until_it_is_done(world: World) -> None:
    world.rents.observe(NEEDED)
    world.runs()
    world.board.post_pool("t4", in_flight=3)
    world.now += 3000  # it lost what it may lose long ago
    world.rents.tick()
    assert (world.wanted, world.gauge) == (0, 1)
    world.board.post_pool("t4", in_flight=0)
    world.rents.tick()
    assert world.gauge == 0


def test_a_fixed_number_of_nodes_is_shown_and_not_reckoned_with() -> None:
    world = World(cluster(min_nodes=2, max_nodes=2))
    assert (world.wanted, world.gauge, world.rents.wish("t4")) == (None, 2, None)
    world.rents.seen("t4", 5, None)
    assert world.gauge == 2


def test_a_pool_that_runs_already_when_the_router_starts_is_taken_as_it_is(world: World) -> None:
    world.runs()
    wish = world.rents.wish("t4")
    assert wish is not None
    assert (world.wanted, world.gauge, wish.why) == (1, 1, "found")


@pytest.mark.parametrize(("told", "stake"), [(7.2, 1.0), (None, 0.5), (0.0, 0.5), (math.nan, 0.5), (math.inf, 0.5)])
def test_a_live_price_counts_where_it_is_one(world: World, told: float | None, stake: float) -> None:
    world.runs(node_usd_per_hour=told)
    wish = world.rents.wish("t4")
    assert wish is not None
    assert wish.stake_usd == pytest.approx(stake)


def test_the_next_generation_goes_on_with_wish_and_live_price() -> None:
    world = World(cluster())
    world.rents.observe(NEEDED)
    world.runs(node_usd_per_hour=7.2)
    following = World(cluster(), cluster("new"), metrics=world.metrics)
    following.rents.take_over(world.rents)
    wish = following.rents.wish("t4")
    assert wish is not None
    assert (following.wanted, world.gauge, wish.why) == (1, 1, "needed")
    assert wish.stake_usd == pytest.approx(1.0)


def test_a_request_of_the_generation_before_still_wakes_a_pool() -> None:
    world = World(cluster())
    following = World(cluster(), metrics=world.metrics)
    following.rents.take_over(world.rents)
    world.rents.observe(NEEDED)
    following.rents.tick()
    assert (following.wanted, world.gauge) == (1, 1)


def test_terms_that_the_new_configuration_changes_hold() -> None:
    world = World(cluster())
    world.rents.observe(NEEDED)
    following = World(cluster(min_nodes=2, max_nodes=4), metrics=world.metrics)
    following.rents.take_over(world.rents)
    assert (following.wanted, world.gauge) == (2, 2)
    fixed = World(cluster(min_nodes=1), metrics=world.metrics)
    fixed.rents.take_over(following.rents)
    assert (fixed.wanted, world.gauge) == (None, 1)
