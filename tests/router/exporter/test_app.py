"""The exporter as a process runs it, with a real llama.cpp behind it."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import httpx
import msgspec
import pytest

from llm_router.config.scalars import Seconds, Secret
from llm_router.errors import ConfigError
from llm_router.exporter.app import serve
from llm_router.exporter.census import Address
from llm_router.exporter.config import ExporterConfig, NodePriceConfig, Upstream
from llm_router.exporter.meter import Meter
from llm_router.exporter.scrape import LlamaServer, scrape_client
from llm_router.model import ClusterStatus
from tests.router.edge import run, until
from tests.router.llama import Llama


def exporter_of(llama: Llama, **changes: Any) -> ExporterConfig:
    given: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "pool": "aws",
        "upstreams": (Upstream(url=llama.url, api_key=Secret(llama.api_key)),),
        "price": NodePriceConfig(usd_per_hour=0.378),
        "interval": Seconds(2),
    }
    return ExporterConfig(**{**given, **changes})


async def generate(client: httpx.AsyncClient, llama: Llama, tokens: int) -> None:
    # A prompt of its own each time: what llama.cpp has in its cache is not read again, and says nothing of its speed.
    prompt = f"{uuid.uuid4()} {uuid.uuid4()}"
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, "ignore_eos": True}
    headers = {"authorization": f"Bearer {llama.api_key}"}
    reply = await client.post(f"{llama.url}/v1/chat/completions", json=body, headers=headers, timeout=60)
    assert reply.status_code == 200


def test_what_a_real_llama_server_generates_becomes_its_cost(llama: Llama) -> None:
    async def scenario() -> ClusterStatus:
        stop = asyncio.Event()
        listening: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            serve(
                exporter_of(llama),
                stop=stop,
                on_listening=lambda host, port: listening.set_result((host, port)),
            )
        )
        host, port = await listening
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"http://{host}:{port}/cluster/status"

            async def measured() -> bool:
                return (await client.get(url)).status_code == 200

            async def has_speed() -> bool:
                return (await client.get(url)).json()["tokens_per_second"]["capacity"] is not None

            await until(measured)
            await generate(client, llama, 100)
            await until(has_speed)
            status = (await client.get(url)).content
        stop.set()
        await task
        return msgspec.json.decode(status, type=ClusterStatus)

    status = run(asyncio.wait_for(scenario(), 20))
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
            await asyncio.gather(*(generate(client, llama, 1500) for _ in range(4)))
            elapsed_s = time.monotonic() - started
            meter.feed((await server.load()).reading, slots=4)
            capacity = meter.capacity
            assert capacity is not None
            return capacity, 4 * 1500 / elapsed_s

    capacity, by_the_clock = run(scenario())
    assert capacity == pytest.approx(by_the_clock, rel=0.35)


def test_it_does_not_serve_on_an_address_that_others_can_reach(llama: Llama) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        run(serve(exporter_of(llama, listen="0.0.0.0:0"), stop=asyncio.Event()))
