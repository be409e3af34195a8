"""A cluster as its watch sees it: polls in, the board's view and pool out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from llm_router.config.scalars import Seconds
from llm_router.config.schema import Capacity, Cluster, Cost, Scaling
from llm_router.model import ClusterStatus, Demand, PoolView, ServedModel, Target, TokensPerSecond
from llm_router.signals.cluster_status import StatusPoll
from llm_router.signals.rents import Rents
from llm_router.signals.snapshot import Board
from llm_router.signals.watch import ASLEEP_INTERVAL_S, ClusterWatch
from llm_router.telemetry.metrics import Metrics
from llm_router.upstream.signing import Signer

UNIX_TIME = 1.8e9
SECRET = base64.b64encode(bytes(range(32))).decode()
CALLED = Demand(value_usd=1.0, input_tokens=1, output_tokens=1, called="t4")


class World:
    """A pool that answers ``status``, or at whose address nobody is."""

    def __init__(self, min_nodes: int) -> None:
        self.now = 0.0
        self.status: ClusterStatus | None = None
        self.cluster = Cluster(
            name="t4",
            endpoint="http://127.0.0.1:1",
            cost_per_hour=0.36,
            capacity=Capacity(slots=4, prefill_tokens_per_second=100, decode_tokens_per_second=10),
            scaling=Scaling(min_nodes=min_nodes, max_nodes=2, cold_start=Seconds(60), idle_timeout=Seconds(600)),
        )
        target = Target(name="t4", kind="cluster", owner="t4", model="m", always_on=min_nodes > 0)
        other = Target(name="t4/n", kind="cluster", owner="t4", model="n", always_on=min_nodes > 0, context_length=3000)
        self.board = Board([target, other], self.clock)
        self.metrics = Metrics(CollectorRegistry())
        self.rents = Rents([self.cluster], self.board, self.metrics, self.clock, by_rent=True)
        self.rents.post()
        source = StatusPoll(
            endpoint=self.cluster.endpoint,
            signer=Signer("t4.1", SECRET, "127.0.0.1:1", "t4"),
            client=httpx.AsyncClient(transport=httpx.MockTransport(self.answer)),
            unix_time=lambda: UNIX_TIME + self.now,
        )
        self.watch = ClusterWatch(
            self.cluster,
            source,
            self.board,
            self.rents,
            self.metrics,
            cost=Cost(),
            interval_s=30.0,
            clock=self.clock,
            unix_time=lambda: UNIX_TIME + self.now,
        )

    def clock(self) -> float:
        return self.now

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.status is None:
            raise httpx.ConnectError("refused", request=request)
        told = msgspec.structs.replace(self.status, measured_at=UNIX_TIME + self.now)
        return httpx.Response(200, content=msgspec.json.encode(told))

    def poll(self, at: float, status: ClusterStatus | None) -> str:
        self.now, self.status = at, status
        asyncio.run(self.watch.poll())
        return self.board.view("t4").state

    @property
    def pool(self) -> PoolView:
        pool = self.board.pool("t4")
        assert pool is not None
        return pool

    @property
    def healthy(self) -> tuple[str, float | None]:
        labels = {"cluster": "t4", "provider": "", "region": ""}
        gauge = self.metrics.registry.get_sample_value("llm_router_cluster_health", labels)
        return self.watch.report.status, gauge

    def cost(self, model: str, basis: str) -> float | None:
        labels = {"cluster": "t4", "provider": "", "model": model, "basis": basis}
        return self.metrics.registry.get_sample_value("llm_router_cluster_cost_per_1k_tokens", labels)


@contextmanager
def watching(min_nodes: int) -> Iterator[World]:
    world = World(min_nodes)
    yield world
    asyncio.run(world.watch.aclose())


def up(nodes: int = 1, **fields: Any) -> ClusterStatus:
    return ClusterStatus(target="t4", state="up", nodes=nodes, slots_total=8 * nodes, **fields)


def test_the_window_is_what_the_servers_say_where_that_is_less_and_is_kept_while_they_are_away() -> None:
    """One of the targets has a stated window of 3000 tokens."""

    def windows() -> list[int | None]:
        return [world.board.view(name).window for name in ("t4", "t4/n")]

    with watching(min_nodes=1) as world:
        assert windows() == [None, None]
        world.poll(0, up(models=(ServedModel("m", 4096), ServedModel("else", 1))))
        assert windows() == [4096, None]
        world.poll(30, None)
        world.poll(60, up())
        assert windows() == [4096, None]
        world.poll(90, up(models=(ServedModel("m", 0), ServedModel("n", 512))))
        assert windows() == [4096, 512]
        world.poll(120, up(models=(ServedModel("m", 2048), ServedModel("n", 8192))))
        assert windows() == [2048, None]


def test_the_cost_of_each_model_of_the_pool_is_shown_in_each_basis_that_is_known() -> None:
    with watching(min_nodes=1) as world:
        speeds = TokensPerSecond(capacity=100.0, realised=10.0)
        assert world.poll(0.0, up(node_usd_per_hour=0.36, tokens_per_second=speeds)) == "up"
        at_capacity = 0.36 * 1000 / (100 * 3600) * 1.10
        for model in ("m", "n"):
            shown = [world.cost(model, basis) for basis in ("capacity", "realised", "marginal")]
            assert shown == [pytest.approx(at_capacity), pytest.approx(10 * at_capacity), 0.0]
        idle = TokensPerSecond(capacity=100.0, realised=0.0)
        world.poll(30.0, up(node_usd_per_hour=0.36, tokens_per_second=idle))
        assert world.cost("n", "capacity") == pytest.approx(at_capacity)
        assert world.cost("n", "realised") is None


def test_a_pool_goes_from_zero_over_starting_to_up_and_back() -> None:
    with watching(min_nodes=0) as world:
        assert world.poll(0.0, None) == "zero"
        assert (world.pool.nodes, world.pool.wanted, world.healthy) == (0, 0, ("healthy", 1.0))
        world.rents.observe(CALLED)
        assert world.poll(2.0, None) == "starting"
        assert world.healthy == ("healthy", 1.0)
        speeds = TokensPerSecond(prefill=500.0)
        assert world.poll(60.0, up(tokens_per_second=speeds)) == "up"
        assert (world.pool.nodes, world.pool.slots, world.pool.prefill_tokens_per_second) == (1, 8, 500.0)
        world.now = 660.0
        world.rents.tick()
        assert world.pool.wanted == 0
        assert world.poll(661.0, up()) == "up"  # it still runs, and gets nothing
        assert world.poll(700.0, None) == "zero"
        assert world.healthy == ("healthy", 1.0)


def test_one_that_never_comes_up_is_down_and_says_so() -> None:
    with watching(min_nodes=0) as world:
        world.rents.observe(CALLED)
        assert world.poll(90.0, None) == "starting"
        assert world.poll(91.0, None) == "down"
        assert world.healthy == ("unhealthy", 0.0)
        assert world.watch.report.error is not None


def test_it_is_asked_often_while_it_is_not_up() -> None:
    with watching(min_nodes=0) as world:
        world.poll(0.0, None)
        assert world.watch.interval_s() == ASLEEP_INTERVAL_S
        world.poll(1.0, up())
        assert world.watch.interval_s() == pytest.approx(20.0)


def test_a_pool_that_always_runs_is_unhealthy_when_nobody_is_there() -> None:
    with watching(min_nodes=1) as world:
        world.poll(0.0, up(nodes=2))
        assert (world.pool.nodes, world.pool.wanted) == (2, 2)
        world.poll(30.0, None)
        assert world.healthy == ("unhealthy", 0.0)
        assert world.pool.nodes == 0


@pytest.mark.parametrize("change", [lambda pool: pool.in_flight, lambda pool: pool.unread_tokens])
def test_a_poll_leaves_what_is_under_way_alone(change: Callable[[PoolView], int]) -> None:
    with watching(min_nodes=1) as world:
        world.board.post_pool("t4", in_flight=3, unread_tokens=3)
        world.poll(0.0, up())
        assert change(world.pool) == 3
