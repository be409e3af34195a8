"""A pool's status: its servers summed up, its costs in three bases, and what happens when some of it is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.exporter.census import Address, Census
from llm_router.exporter.pool import Pool, Terms
from llm_router.exporter.prices.base import Priced
from llm_router.exporter.prices.explicit import ExplicitPrice
from llm_router.exporter.scrape import LlamaServer
from llm_router.model import ClusterStatus, PoolCost, ServedModel, TokensPerSecond
from tests.router.edge import until

TERMS = Terms(pool="aws-us-west-2")
PRICE = ExplicitPrice(0.378, None, lambda: 0.0)


@dataclass
class Llamas:
    """Any number of llama-servers behind one transport, by host name; each is what its ``Scripted`` says."""

    servers: dict[str, Scripted] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return self.servers[request.url.host].answer(request)


@dataclass
class Scripted:
    health: int = 200
    slots: int = 4
    model: str = "tiny"
    context: int = 1024
    processing: int = 0
    deferred: int = 0
    tokens: int = 0
    token_seconds: float = 0
    decodes: int = 0
    metrics_status: int = 200
    props_asked: int = 0

    def serve(self, streams: int, tokens: int, seconds: float) -> None:
        self.tokens += streams * tokens
        self.token_seconds += streams * seconds
        self.decodes += tokens

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health":
            return httpx.Response(self.health)
        if request.url.path == "/props":
            self.props_asked += 1
            settings = {"n_ctx": self.context}
            return httpx.Response(200, json={"total_slots": self.slots, "default_generation_settings": settings})
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"object": "list", "data": [{"id": self.model}]})
        text = "\n".join(
            f"llamacpp:{name} {value}"
            for name, value in {
                "prompt_tokens_total": self.tokens * 2,
                "prompt_seconds_total": self.token_seconds / 10,
                "tokens_predicted_total": self.tokens,
                "tokens_predicted_seconds_total": self.token_seconds,
                "n_decode_total": self.decodes,
                "requests_processing": self.processing,
                "requests_deferred": self.deferred,
            }.items()
        )
        return httpx.Response(self.metrics_status, text=text + "\n")


class Bench:
    """A pool on the bench: time passes when it is told to."""

    def __init__(self, *servers: Scripted, terms: Terms = TERMS, price: Priced | None = PRICE) -> None:
        self.now = 1_794_000_000.0
        self.llamas = Llamas({f"llama-{number}": server for number, server in enumerate(servers)})
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self.llamas))
        self.here = [Address(f"http://{host}") for host in self.llamas.servers]
        self.nodes: int | None = None
        self.census = Census(self, self)
        self.pool = Pool(
            terms,
            self.census,
            connect=lambda address: LlamaServer(address, client=self.client, clock=self.clock),
            prices=price,
            clock=self.clock,
            unix_time=self.clock,
        )
        self.loop = asyncio.new_event_loop()

    def clock(self) -> float:
        return self.now

    async def addresses(self) -> Sequence[Address]:
        return self.here

    async def count(self) -> int:
        return self.nodes  # type: ignore[return-value]  # None: nobody counts them

    def collect(self, later_s: float = 10) -> ClusterStatus:
        self.now += later_s
        self.loop.run_until_complete(self.census.take())
        self.loop.run_until_complete(self.pool.collect())
        status = self.pool.status()
        assert status is not None
        return status

    def close(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.close()


@pytest.fixture
def benches() -> list[Bench]:
    return []


@pytest.fixture(autouse=True)
def _closed(benches: list[Bench]) -> object:
    yield
    for bench in benches:
        bench.close()


def bench(benches: list[Bench], *servers: Scripted, **how: object) -> Bench:
    benches.append(Bench(*servers, **how))  # type: ignore[arg-type]
    return benches[-1]


def test_there_is_no_status_before_the_first_collection(benches: list[Bench]) -> None:
    assert bench(benches, Scripted()).pool.status() is None


def test_an_idle_pool_that_was_never_measured_has_a_price_and_no_costs(benches: list[Bench]) -> None:
    status = bench(benches, Scripted()).collect()
    assert (status.target, status.state, status.nodes, status.slots_total) == ("aws-us-west-2", "up", 1, 4)
    assert status.models == (ServedModel("tiny", 1024),)
    assert (status.node_usd_per_hour, status.price_source, status.price_age_s) == (0.378, "config", None)
    assert status.tokens_per_second == TokensPerSecond()
    assert status.usd_per_1k_tokens == PoolCost(capacity=None, realised=None, marginal=0.0)
    assert status.measured_at == 1_794_000_010


def test_the_costs_are_those_of_the_formula_in_three_bases(benches: list[Bench]) -> None:
    """0.378 USD/h at 20 tokens/s with 1.10 is 0.005775 USD per 1K."""
    server = Scripted()
    pool = bench(benches, server)
    pool.collect()
    server.serve(1, 200, 10)
    status = pool.collect()
    assert status.tokens_per_second.capacity == pytest.approx(20)
    assert status.tokens_per_second.prefill == pytest.approx(400)
    assert status.usd_per_1k_tokens.capacity == pytest.approx(0.005775)
    assert status.usd_per_1k_tokens.realised == pytest.approx(0.005775)
    assert status.usd_per_1k_tokens.marginal == 0.0
    status = pool.collect(30)
    assert status.usd_per_1k_tokens.capacity == pytest.approx(0.005775)
    assert status.usd_per_1k_tokens.realised == pytest.approx(4 * 0.005775)


def test_an_idle_window_has_no_realised_cost_and_keeps_the_other(benches: list[Bench]) -> None:
    server = Scripted()
    pool = bench(benches, server, terms=Terms(pool="p", window_s=20))
    pool.collect()
    server.serve(1, 200, 10)
    pool.collect()
    for _ in range(4):
        status = pool.collect()
    assert status.tokens_per_second.realised == 0
    assert status.usd_per_1k_tokens.realised is None
    assert status.usd_per_1k_tokens.capacity == pytest.approx(0.005775)


def test_with_all_slots_busy_one_more_request_costs_its_share_of_a_node(benches: list[Bench]) -> None:
    server = Scripted()
    pool = bench(benches, server)
    pool.collect()
    server.serve(1, 200, 10)
    pool.collect()
    server.processing, server.deferred = 4, 3
    status = pool.collect()
    assert (status.slots_busy, status.queue_depth) == (4, 3)
    assert status.usd_per_1k_tokens.marginal == status.usd_per_1k_tokens.capacity


def test_the_window_is_the_smallest_that_a_server_has(benches: list[Bench]) -> None:
    pool = bench(benches, Scripted(context=2048), Scripted(context=1024), Scripted(context=4096))
    assert pool.collect().models == (ServedModel("tiny", 1024),)


def test_servers_add_up_and_one_that_is_not_measured_counts_like_the_others(benches: list[Bench]) -> None:
    first, second = Scripted(processing=1), Scripted(deferred=2, model="other")
    pool = bench(benches, first, second, terms=Terms(pool="p", nodes=2))
    pool.collect()
    first.processing = 0
    pool.collect()
    first.serve(1, 200, 10)
    status = pool.collect()
    assert (status.slots_total, status.queue_depth, status.nodes) == (8, 2, 2)
    assert [model.name for model in status.models] == ["tiny", "other"]
    assert status.tokens_per_second.capacity == pytest.approx(40)
    assert status.tokens_per_second.realised == pytest.approx(10)
    assert status.usd_per_1k_tokens.capacity == pytest.approx(0.005775)
    second.serve(1, 400, 10)
    assert pool.collect().tokens_per_second.capacity == pytest.approx(60)


@pytest.mark.parametrize(
    ("healths", "state"),
    [
        ((200, 500), "up"),
        ((503, 200), "up"),
        ((503, 500), "starting"),
        ((500, 500), "down"),
    ],
)
def test_a_pool_is_as_well_as_its_best_server(benches: list[Bench], healths: tuple[int, int], state: str) -> None:
    status = bench(benches, *(Scripted(health=health) for health in healths)).collect()
    assert status.state == state
    assert status.slots_total == 4 * healths.count(200)


def test_a_server_that_goes_down_keeps_what_is_known_of_its_speed_and_offers_no_slots(benches: list[Bench]) -> None:
    server = Scripted()
    pool = bench(benches, server)
    pool.collect()
    server.serve(1, 200, 10)
    pool.collect()
    server.health = 500
    status = pool.collect()
    assert (status.state, status.slots_total, status.models) == ("down", 0, ())
    assert status.tokens_per_second.capacity == pytest.approx(20)
    assert status.usd_per_1k_tokens.marginal == status.usd_per_1k_tokens.capacity


def test_what_a_server_is_gets_asked_again_only_when_it_has_come_back(benches: list[Bench]) -> None:
    server = Scripted()
    pool = bench(benches, server)
    for _ in range(3):
        pool.collect()
    assert server.props_asked == 1
    server.health = 503
    pool.collect()
    server.health, server.slots = 200, 8
    assert pool.collect().slots_total == 8
    assert server.props_asked == 2


def test_a_server_without_metrics_is_up_with_its_slots_and_without_a_speed(
    benches: list[Bench], caplog: pytest.LogCaptureFixture
) -> None:
    pool = bench(benches, Scripted(metrics_status=501))
    for _ in range(3):
        status = pool.collect()
    assert (status.state, status.slots_total) == ("up", 4)
    assert status.tokens_per_second.capacity is None
    assert [record.message for record in caplog.records] == [
        "http://llama-0/metrics answers 501: start llama-server with --metrics"
    ]


def test_without_a_price_speeds_are_told_and_costs_are_not(benches: list[Bench]) -> None:
    server = Scripted()
    pool = bench(benches, server, price=None)
    pool.collect()
    server.serve(1, 200, 10)
    status = pool.collect()
    assert status.tokens_per_second.capacity == pytest.approx(20)
    assert (status.node_usd_per_hour, status.price_source) == (None, None)
    assert status.usd_per_1k_tokens == PoolCost()


def test_collecting_goes_on_after_a_bug(benches: list[Bench], caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Scripted):
        asked = 0

        def answer(self, request: httpx.Request) -> httpx.Response:
            self.asked += 1
            if self.asked == 1:
                raise ZeroDivisionError
            return super().answer(request)

    pool = bench(benches, Broken())

    async def measured() -> bool:
        pool.now += 1
        return pool.pool.status() is not None

    async def until_it_works() -> None:
        await pool.census.take()
        task = asyncio.create_task(pool.pool.collect_forever(0.001))
        await asyncio.wait_for(until(measured, every_s=0.001), 60)
        task.cancel()

    pool.loop.run_until_complete(until_it_works())
    assert "collecting aws-us-west-2 failed" in caplog.text


# ---------------------------------------------------------------- servers that come and go


def served(pool: Bench) -> float:
    return pool.pool.served.tokens


def test_before_it_is_known_who_belongs_to_the_pool_there_is_no_status(benches: list[Bench]) -> None:
    pool = bench(benches, Scripted())
    pool.loop.run_until_complete(pool.pool.collect())
    assert pool.pool.status() is None


def test_a_new_server_joins_and_one_that_has_gone_takes_no_tokens_with_it(benches: list[Bench]) -> None:
    first, second = Scripted(), Scripted(tokens=5000, token_seconds=500, decodes=5000)
    pool = bench(benches, first, second)
    everybody, pool.here = pool.here, pool.here[:1]
    pool.collect()
    first.serve(1, 200, 10)
    status = pool.collect()
    assert (status.slots_total, served(pool)) == (4, 200)
    pool.here = everybody
    assert pool.collect().slots_total == 8
    assert served(pool) == 200, "what it had served before it was known was served nobody knows when"
    second.serve(1, 100, 10)
    pool.here = everybody[1:]
    status = pool.collect()
    assert (status.slots_total, served(pool)) == (4, 300)
    assert status.tokens_per_second.realised == pytest.approx(300 / 30)


def test_a_server_that_comes_back_is_not_counted_anew(benches: list[Bench]) -> None:
    server = Scripted(tokens=5000, token_seconds=500, decodes=5000)
    pool = bench(benches, server)
    everybody = pool.here
    pool.collect()
    pool.here = []
    pool.collect()
    server.serve(1, 100, 10)
    pool.here = everybody
    pool.collect()
    assert served(pool) == 100


def test_a_server_that_restarts_while_it_is_away_counts_from_zero(benches: list[Bench]) -> None:
    server = Scripted(tokens=5000, token_seconds=500, decodes=5000)
    pool = bench(benches, server)
    pool.collect()
    server.health = 503
    pool.collect()
    server.health, server.tokens, server.token_seconds, server.decodes = 200, 30, 3, 30
    pool.collect()
    assert served(pool) == 30


def test_when_all_have_gone_what_was_realised_fades_and_capacity_stays(benches: list[Bench]) -> None:
    server = Scripted()
    pool = bench(benches, server, terms=Terms(pool="p", window_s=60))
    pool.collect()
    server.serve(1, 200, 10)
    pool.collect()
    pool.here, pool.nodes = [], 0
    speeds = [pool.collect().tokens_per_second for _ in range(8)]
    realised = [speed.realised for speed in speeds]
    assert all(speed.capacity == pytest.approx(20) for speed in speeds)
    assert realised == sorted(realised, key=lambda speed: -(speed or 0))
    assert realised[-1] == 0


@pytest.mark.parametrize(("nodes", "state"), [(None, "zero"), (0, "zero"), (2, "starting")])
def test_without_servers_a_pool_is_at_zero_or_about_to_have_some(
    benches: list[Bench], nodes: int | None, state: str
) -> None:
    pool = bench(benches, Scripted())
    pool.here, pool.nodes = [], nodes
    status = pool.collect()
    assert (status.state, status.slots_total, status.nodes) == (state, 0, 1 if nodes is None else nodes)
    assert status.usd_per_1k_tokens == PoolCost(), "at zero nothing is free"


def test_every_counted_node_is_paid_for(benches: list[Bench]) -> None:
    server = Scripted()
    pool = bench(benches, server)
    pool.nodes = 3
    pool.collect()
    server.serve(1, 200, 10)
    status = pool.collect()
    assert status.nodes == 3
    assert status.usd_per_1k_tokens.capacity == pytest.approx(3 * 0.005775)


def test_a_selector_that_finds_no_node_is_not_believed_while_servers_answer(
    benches: list[Bench], caplog: pytest.LogCaptureFixture
) -> None:
    pool = bench(benches, Scripted(), terms=Terms(pool="p", nodes=2))
    pool.nodes = 0
    assert pool.collect().nodes == 2
    assert "is kubernetes.nodeSelector that of its nodes?" in caplog.text


def test_figures_of_servers_that_cannot_be_read_any_more_are_not_dated_as_new(benches: list[Bench]) -> None:
    first, second = Scripted(), Scripted()
    pool = bench(benches, first, second)
    pool.collect()
    first.metrics_status = 500
    assert pool.collect().measured_at == pool.now, "the other one is read"
    second.metrics_status = 500
    assert pool.collect().measured_at == pool.now - 10
    first.health = second.health = 503
    assert pool.collect().measured_at == pool.now, "that they are starting is new"


def test_only_those_that_are_away_are_asked_more_often(benches: list[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_router.exporter.pool.RETURN_INTERVAL_S", 0.001)

    class Counting(Scripted):
        asked = 0

        def answer(self, request: httpx.Request) -> httpx.Response:
            self.asked += 1
            pool.now += 0.001
            return super().answer(request)

    up, away = Counting(), Counting(health=503)
    pool = bench(benches, up, away)

    async def asked_often() -> bool:
        return away.asked >= 20

    async def scenario() -> None:
        await pool.census.take()
        task = asyncio.create_task(pool.pool.collect_forever(3600))
        await asyncio.wait_for(until(asked_often, every_s=0.001), 60)
        away.health = 200
        await asyncio.wait_for(until(returned, every_s=0.001), 60)
        task.cancel()

    async def returned() -> bool:
        return list(pool.pool.states) == ["up", "up"]

    pool.loop.run_until_complete(scenario())
    assert up.asked == 4, "health, props, models and metrics, once"


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 2)),  # who belongs to the pool
            st.integers(0, 3),  # nodes
            st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["serve", "restart", "down", "up"])), max_size=4),
        ),
        max_size=8,
    )
)
def test_whatever_servers_do_no_total_falls_and_no_cost_is_negative_or_free(
    story: list[tuple[set[int], int, list[tuple[int, str]]]],
) -> None:
    servers = [Scripted() for _ in range(3)]
    pool = Bench(*servers)
    try:
        everybody, total = pool.here, 0.0
        for present, nodes, events in story:
            pool.here, pool.nodes = [everybody[number] for number in sorted(present)], nodes
            for number, event in events:
                befall(servers[number], event)
            status = pool.collect()
            assert served(pool) >= total
            total = served(pool)
            speeds, costs = status.tokens_per_second, status.usd_per_1k_tokens
            assert speeds.realised is None or speeds.realised >= 0
            assert speeds.capacity is None or speeds.capacity > 0
            assert costs.capacity is None or costs.capacity > 0
            assert costs.realised is None or costs.realised > 0
            assert costs.marginal is None or costs.marginal > 0 or status.slots_busy < status.slots_total
    finally:
        pool.close()


def befall(server: Scripted, event: str) -> None:
    if event == "serve":
        server.serve(2, 50, 5)
    elif event == "restart":
        server.tokens, server.token_seconds, server.decodes = 0, 0, 0
    else:
        server.health = 200 if event == "up" else 503
