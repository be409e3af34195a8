"""The exporter as a process runs it, with real llama.cpp servers behind it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from llm_router.api.signed import UNREADY_S
from llm_router.api.signed_config import SigningKey
from llm_router.config.scalars import Seconds, Secret
from llm_router.demo.models import Models
from llm_router.errors import ConfigError
from llm_router.exporter.app import serve
from llm_router.exporter.census import Address
from llm_router.exporter.config import ExporterConfig, GateAccess, NodePriceConfig, StatusConfig, Upstream
from llm_router.exporter.meter import Meter
from llm_router.exporter.scrape import LlamaServer, scrape_client
from llm_router.gate.app import serve as serve_gate
from llm_router.gate.config import GateConfig
from llm_router.model import ClusterStatus
from llm_router.signals.cluster_status import StatusPoll
from llm_router.upstream.signing import Signer
from tests.router.edge import run, until
from tests.router.llama import Llama, running_llama
from tests.router.ports import free_port

SECRET = base64.b64encode(bytes(range(32))).decode()
AUTHORITY = "aws.llm.example.com"
KEYS = (SigningKey(id="aws.1", secret=Secret(SECRET)),)


GAUGE = "llamacpp:predicted_tokens_seconds "
PAST_THE_START_S = UNREADY_S + 1.0


def exporter_of(llama: Llama, **changes: Any) -> ExporterConfig:
    given: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "pool": "aws",
        "upstreams": (Upstream(url=llama.url, api_key=Secret(llama.api_key)),),
        "price": NodePriceConfig(usd_per_hour=0.378),
        "interval": Seconds(2),
    }
    return ExporterConfig(**{**given, **changes})


@dataclass
class Clock:
    """The wall clock, moved ahead at will."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass
class Running:
    """``urls`` are those of its listeners, the loopback one first."""

    urls: list[str]
    clock: Clock
    client: httpx.AsyncClient

    async def status(self) -> ClusterStatus | None:
        answer = await self.client.get(f"{self.urls[0]}/cluster/status")
        return msgspec.json.decode(answer.content, type=ClusterStatus) if answer.status_code == 200 else None

    async def measured(self) -> ClusterStatus:
        """Its first status."""
        await until(self._has_status)
        status = await self.status()
        assert status is not None
        return status

    async def up(self) -> ClusterStatus:
        """The status once its servers are up and have been read."""
        await until(self._is_up)
        return await self.measured()

    async def with_capacity(self) -> ClusterStatus:
        await until(self._has_capacity)
        return await self.measured()

    async def sample(self, name: str, url: str | None = None) -> float:
        text = (await self.client.get(f"{url or self.urls[0]}/metrics")).text
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        return float(line.rpartition(" ")[2])

    async def _has_status(self) -> bool:
        return await self.status() is not None

    async def _is_up(self) -> bool:
        status = await self.status()
        return status is not None and status.slots_total > 0

    async def _has_capacity(self) -> bool:
        status = await self.status()
        return status is not None and status.tokens_per_second.capacity is not None


@contextlib.asynccontextmanager
async def running(config: ExporterConfig) -> AsyncIterator[Running]:
    stop, clock, urls = asyncio.Event(), Clock(), list[str]()
    wanted = 1 + (config.metrics is not None) + (config.status is not None)
    all_listen = asyncio.Event()

    def listening(host: str, port: int) -> None:
        urls.append(f"http://{host}:{port}")
        if len(urls) == wanted:
            all_listen.set()

    task = asyncio.create_task(serve(config, stop=stop, on_listening=listening, unix_time=clock))
    try:
        await all_listen.wait()
        clock.ahead_s = PAST_THE_START_S
        async with httpx.AsyncClient(trust_env=False) as client:
            yield Running(urls, clock, client)
    finally:
        stop.set()
        await task


@contextlib.asynccontextmanager
async def gate_in_front_of(llama: Llama) -> AsyncIterator[str]:
    """The URL of a ready gate."""
    stop, clock = asyncio.Event(), Clock()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    config = GateConfig(
        listen="127.0.0.1:0",
        upstream=llama.url,
        upstream_api_key=Secret(llama.api_key),
        target="aws",
        authority=AUTHORITY,
        keys=KEYS,
    )
    task = asyncio.create_task(
        serve_gate(
            config,
            stop=stop,
            unix_time=clock,
            on_listening=lambda host, port: listening.set_result(f"http://{host}:{port}"),
        )
    )
    try:
        url = await listening
        clock.ahead_s = PAST_THE_START_S
        yield url
    finally:
        stop.set()
        await task


async def generate(llama: Llama, tokens: int) -> None:
    # A prompt of its own each time: what llama.cpp has in its cache is not read again, and says nothing of its speed.
    prompt = f"{uuid.uuid4()} {uuid.uuid4()}"
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, "ignore_eos": True}
    headers = {"authorization": f"Bearer {llama.api_key}"}
    async with httpx.AsyncClient(trust_env=False) as client:
        reply = await client.post(f"{llama.url}/v1/chat/completions", json=body, headers=headers, timeout=60)
    assert reply.status_code == 200


def test_what_a_real_llama_server_generates_becomes_its_cost(llama: Llama) -> None:
    async def scenario() -> ClusterStatus:
        async with running(exporter_of(llama)) as exporter:
            await exporter.measured()
            await generate(llama, 100)
            return await exporter.with_capacity()

    status = run(asyncio.wait_for(scenario(), 60))
    speed = status.tokens_per_second.capacity
    assert speed is not None
    assert status.usd_per_1k_tokens.capacity == pytest.approx(0.378 * 1000 / (speed * 3600) * 1.10)
    assert status.usd_per_1k_tokens.marginal == 0.0
    assert status.tokens_per_second.prefill is not None


def test_the_measured_speed_of_a_busy_llama_server_is_that_of_the_wall_clock(llama: Llama) -> None:
    async def scenario() -> tuple[float, float]:
        async with scrape_client() as client:
            server = LlamaServer(Address(llama.url, llama.api_key), client=client, clock=time.monotonic)
            meter = Meter()
            meter.feed((await server.load()).reading, slots=4)
            started = time.monotonic()
            await asyncio.gather(*(generate(llama, 1500) for _ in range(4)))
            elapsed_s = time.monotonic() - started
            meter.feed((await server.load()).reading, slots=4)
            capacity = meter.capacity
            assert capacity is not None
            return capacity, 4 * 1500 / elapsed_s

    capacity, by_the_clock = run(scenario())
    assert capacity == pytest.approx(by_the_clock, rel=0.35)


def test_another_scraper_does_not_change_the_figures_although_it_resets_the_gauges(llama: Llama) -> None:
    """Of two exporters on one server one is alone with its readings, and one has Prometheus scrape in between."""

    async def scenario() -> tuple[list[float], float, list[float]]:
        async with scrape_client() as client:
            server = LlamaServer(Address(llama.url, llama.api_key), client=client, clock=time.monotonic)
            quiet, busy, gauges = Meter(), Meter(), list[float]()
            served = 0.0
            first = (await server.load()).reading
            quiet.feed(first, slots=4)
            busy.feed(first, slots=4)
            for _ in range(3):
                await generate(llama, 60)
                for _ in range(4):
                    text = (await server.get("/metrics")).text
                    gauges += [float(line.split()[1]) for line in text.splitlines() if line.startswith(GAUGE)]
                    served += busy.feed((await server.load()).reading, slots=4).tokens
            quiet.feed((await server.load()).reading, slots=4)
            assert quiet.capacity is not None
            assert busy.capacity is not None
            return [quiet.capacity, busy.capacity], served, gauges

    (quiet, busy), served, gauges = run(scenario())
    assert served == 180
    assert 0.0 in gauges, "the gauge that each scrape resets would have said that nothing is generated"
    assert quiet / 3 < busy < quiet * 3  # each takes other parts of a time in which the machine is busy


def test_a_pool_of_two_real_servers_adds_up_and_survives_the_restart_of_one(
    tiny_models: Models, tmp_path_factory: pytest.TempPathFactory
) -> None:
    logs = tmp_path_factory.mktemp("two-llamas")

    async def scenario(first: Llama, restarted: contextlib.ExitStack, port: int) -> None:
        second = restarted.enter_context(running_llama(tiny_models.small, logs / "second.log", port=port))
        upstreams = tuple(Upstream(url=each.url, api_key=Secret(each.api_key)) for each in (first, second))
        async with running(exporter_of(first, upstreams=upstreams, nodes=2)) as exporter:
            status = await exporter.up()
            assert (status.slots_total, status.nodes) == (8, 2)
            await asyncio.gather(generate(first, 50), generate(second, 70))

            async def served(tokens: float) -> None:
                async def counted() -> bool:
                    return await exporter.sample('llm_cluster_tokens_total{pool="aws",type="output"}') == tokens

                await until(counted)

            await served(120)
            restarted.close()
            second = restarted.enter_context(running_llama(tiny_models.small, logs / "again.log", port=port))
            await generate(second, 30)
            await served(150)
            status = await exporter.measured()
            assert status.slots_total == 8
            assert (status.usd_per_1k_tokens.realised or 0) > 0

    with running_llama(tiny_models.small, logs / "first.log") as first, contextlib.ExitStack() as restarted:
        run(asyncio.wait_for(scenario(first, restarted, free_port()), 60))


# ---------------------------------------------------------------- who is told


def poll_of(url: str, clock: Clock, client: httpx.AsyncClient, secret: str = SECRET) -> StatusPoll:
    """The router's own poll, signed for the exporter."""
    signer = Signer("aws.1", secret, AUTHORITY, "aws")
    return StatusPoll(endpoint=url, signer=signer, client=client, unix_time=clock)


def test_the_router_gets_the_signed_status_and_nobody_else_does(llama: Llama) -> None:
    settings = StatusConfig(listen="127.0.0.1:0", authority=AUTHORITY, keys=KEYS)

    async def scenario() -> None:
        async with running(exporter_of(llama, status=settings)) as exporter:
            await exporter.measured()
            open_url, signed_url = exporter.urls
            poll = poll_of(signed_url, exporter.clock, exporter.client)
            await poll.fetch()
            assert poll.status is not None
            assert (poll.status.target, poll.status.slots_total, poll.status.node_usd_per_hour) == ("aws", 4, 0.378)
            refused = poll_of(
                signed_url, exporter.clock, exporter.client, base64.b64encode(bytes(range(1, 33))).decode()
            )
            await refused.fetch()
            assert refused.status is None
            for path in ("/cluster/status", "/metrics"):
                assert (await exporter.client.get(signed_url + path)).status_code == 401
            assert (await exporter.client.get(f"{signed_url}/readyz")).status_code == 200
            asked = 'llm_cluster_status_requests_total{pool="aws",result='
            assert await exporter.sample(f'{asked}"signature"', open_url) == 1
            assert await exporter.sample(f'{asked}"unsigned"', open_url) == 2

    run(asyncio.wait_for(scenario(), 60))


def test_others_may_reach_the_metrics_and_nothing_but_the_metrics(llama: Llama) -> None:
    async def scenario() -> None:
        async with running(exporter_of(llama, metrics="0.0.0.0:0")) as exporter:
            await exporter.measured()
            port = exporter.urls[1].rpartition(":")[2]
            url = f"http://127.0.0.1:{port}"
            assert "llm_cluster_nodes" in (await exporter.client.get(f"{url}/metrics")).text
            assert (await exporter.client.get(f"{url}/cluster/status")).status_code == 404

    run(asyncio.wait_for(scenario(), 60))


def test_with_a_token_others_show_it_and_who_is_on_this_machine_does_not(llama: Llama) -> None:
    async def scenario() -> None:
        token = Secret("the-token-of-prometheus")
        async with running(exporter_of(llama, metrics="0.0.0.0:0", metrics_token=token)) as exporter:
            await exporter.measured()
            url = f"http://127.0.0.1:{exporter.urls[1].rpartition(':')[2]}/metrics"
            assert (await exporter.client.get(url)).status_code == 401
            answer = await exporter.client.get(url, headers={"authorization": f"Bearer {token}"})
            assert "llm_cluster_nodes" in answer.text
            assert (await exporter.client.get(f"{exporter.urls[0]}/metrics")).status_code == 200

    run(asyncio.wait_for(scenario(), 60))


def test_through_a_gate_it_measures_a_llama_server_that_only_the_gate_can_reach(llama: Llama) -> None:
    access = GateAccess(id="aws.1", secret=Secret(SECRET), authority=AUTHORITY)

    async def scenario() -> None:
        async with gate_in_front_of(llama) as url:
            config = exporter_of(llama, upstreams=(Upstream(url=url, gate=access),))
            async with running(config) as exporter:
                await exporter.up()
                await generate(llama, 40)
                status = await exporter.with_capacity()
                assert (status.slots_total, status.models[0].context_length) == (4, 2048)
                assert await exporter.sample('llm_cluster_tokens_total{pool="aws",type="output"}') == 40

    run(asyncio.wait_for(scenario(), 60))


def test_a_gate_that_refuses_the_key_is_said(llama: Llama, caplog: pytest.LogCaptureFixture) -> None:
    wrong = GateAccess(id="aws.1", secret=Secret(base64.b64encode(bytes(range(1, 33))).decode()), authority=AUTHORITY)

    async def scenario() -> ClusterStatus:
        async with gate_in_front_of(llama) as url:
            config = exporter_of(llama, upstreams=(Upstream(url=url, gate=wrong),))
            async with running(config) as exporter:
                return await exporter.measured()

    assert run(asyncio.wait_for(scenario(), 60)).state == "down"
    assert "/health answers 401: the key is refused" in caplog.text


def test_it_does_not_serve_on_an_address_that_others_can_reach(llama: Llama) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        run(serve(exporter_of(llama, listen="0.0.0.0:0"), stop=asyncio.Event()))
