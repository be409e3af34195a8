"""A router process measured from outside: under too much load, and beside slow callers. The stand-ins behind it are a
process of their own."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvloop
import yaml
from yarl import URL

from llm_router.errors import AttemptFailed
from llm_router.upstream.http1 import Http1Client
from tests.router.ports import free_port
from tests.router.processes import Process

MODEL = "gpt-5.4-mini"
HEADERS = (("content-type", "application/json"),)
TLS = ssl.create_default_context()
MIB = 1024 * 1024


@dataclass(frozen=True)
class Asked:
    status: int
    took_s: float


@dataclass(frozen=True)
class Served:
    """A router process, and where it is."""

    process: Process
    port: int
    admin_port: int

    @property
    def url(self) -> URL:
        return URL(f"http://127.0.0.1:{self.port}/v1/chat/completions")

    @property
    def rss_mib(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / MIB

    @property
    def descriptors(self) -> int:
        return psutil.Process(self.process.pid).num_fds()


@contextmanager
def serving(*, tokens_per_second: float = 0.0, first_token_s: float = 0.0, **server: Any) -> Iterator[Served]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ready = folder / "standins.json"
        speed = ["--tokens-per-second", str(tokens_per_second), "--first-token-s", str(first_token_s)]
        command = [sys.executable, "-m", "llm_router.demo.standins", "--ready-file", str(ready), *speed]
        standins = stack.enter_context(Process(command, folder / "standins.log"))
        standins.wait_until(ready.exists)
        places = json.loads(ready.read_text())
        provider = {
            "name": "openai",
            "type": "openai",
            "apiKey": places["openai"]["api_key"],
            "baseUrl": places["openai"]["url"],
            "models": [MODEL],
            "healthCheck": {"enabled": False},
        }
        port, admin_port = free_port(), free_port()
        config = {"server": {"port": port, "watchConfig": False, **server}, "admin": {"port": admin_port}}
        (folder / "router.yaml").write_text(yaml.safe_dump(config | {"externalProviders": [provider]}))
        command = [str(Path(sys.executable).with_name("llm-router")), "serve", "--config", str(folder / "router.yaml")]
        process = stack.enter_context(Process(command, folder / "router.log"))
        process.wait_until(lambda: "llm-router serves on" in process.output)
        yield Served(process, port, admin_port)


def body(max_tokens: int, **fields: Any) -> bytes:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": max_tokens} | fields
    return json.dumps(asked).encode()


async def ask(client: Http1Client, url: URL, sent: bytes) -> Asked:
    began = time.perf_counter()
    try:
        answer = await client.send("POST", url, HEADERS, sent, TLS)
        await answer.read()
    except AttemptFailed:
        return Asked(0, time.perf_counter() - began)
    return Asked(answer.status, time.perf_counter() - began)


async def closed_loop(client: Http1Client, url: URL, sent: bytes, callers: int, seconds: float) -> list[Asked]:
    """Each caller asks again as soon as it has its answer."""
    ends_at = time.monotonic() + seconds

    async def caller() -> list[Asked]:
        asked = []
        while time.monotonic() < ends_at:
            asked.append(await ask(client, url, sent))
        return asked

    return list(itertools.chain(*await asyncio.gather(*(caller() for _ in range(callers)))))


async def open_loop(client: Http1Client, url: URL, sent: bytes, per_second: float, seconds: float) -> list[Asked]:
    """So many requests a second, whatever becomes of those before."""
    began, tasks = time.monotonic(), []
    for number in range(int(per_second * seconds)):
        if (early_s := began + number / per_second - time.monotonic()) > 0:
            await asyncio.sleep(early_s)
        tasks.append(asyncio.create_task(ask(client, url, sent)))
    return list(await asyncio.gather(*tasks))


def percentile_ms(asked: list[Asked], percent: int) -> float:
    return statistics.quantiles([one.took_s for one in asked], n=100)[percent - 1] * 1000


def good(asked: list[Asked]) -> list[Asked]:
    return [one for one in asked if one.status == 200]


# ---------------------------------------------------------------- the measurements


def p9_overload(seconds: float) -> str:
    places, service_s = 20, 0.2  # 19 of the 20 are for requests of no particular criticality
    sent = body(20)

    async def main(router: Served) -> str:
        async with Http1Client(connect_timeout_s=5.0) as client:
            await closed_loop(client, router.url, sent, places - 1, 2.0)
            peak = len(good(await closed_loop(client, router.url, sent, places - 1, seconds))) / seconds
            before_mib = router.rss_mib
            offered = await open_loop(client, router.url, sent, 5 * peak, seconds)
            goodput = len(good(offered)) / (seconds + service_s)
            refused = [one for one in offered if one.status == 503]
            lost = len(offered) - len(good(offered)) - len(refused)
            return (
                f"{100 * goodput / peak:.0f} % of the peak of {peak:.0f} a second, at {5 * peak:.0f} a second for "
                f"{seconds:.0f} s; {len(refused)} refused, within {percentile_ms(refused, 99):.0f} ms (p99), {lost} "
                f"lost; {router.rss_mib - before_mib:+.1f} MiB"
            )

    with serving(tokens_per_second=20 / service_s, maxRequests=places) as router:
        return uvloop.run(main(router))


def p10_slow_callers(callers: int, seconds: float) -> str:
    async def main(router: Served) -> str:
        async with Http1Client(connect_timeout_s=5.0) as client:
            await open_loop(client, router.url, body(2), 50, 2.0)
            usual = await open_loop(client, router.url, body(2), 50, seconds)
            async with trickling(router.port, callers) as slow:
                beside = await open_loop(client, router.url, body(2), 50, seconds)
                await asyncio.wait_for(slow.wait_for_all(), 60)
            return (
                f"{percentile_ms(usual, 50):.1f} ms at the median and {percentile_ms(usual, 99):.0f} at p99 without "
                f"them, {percentile_ms(beside, 50):.1f} and {percentile_ms(beside, 99):.0f} beside them; "
                f"{len(good(beside))} of {len(beside)} answered; all slow ones closed within {max(slow.ages):.0f} s"
            )

    with serving(headerTimeout="10s") as router:
        return uvloop.run(main(router))


class Trickle:
    """Callers who send their headers a byte a second; ``ages`` are those at which they were cut off, in seconds."""

    def __init__(self) -> None:
        self.ages: list[float] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def caller(self, port: int) -> None:
        await asyncio.sleep(random.random())  # all in the same moment would be a burst of the measuring side's
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        with suppress(ConnectionError):
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        if not await reader.read(1024):
                            break
                writer.write(b"a")
                await writer.drain()
        self.ages.append(time.monotonic() - began)
        writer.close()

    async def wait_for_all(self) -> None:
        await asyncio.gather(*self.tasks)


@asynccontextmanager
async def trickling(port: int, callers: int) -> AsyncIterator[Trickle]:
    trickle = Trickle()
    trickle.tasks = [asyncio.create_task(trickle.caller(port)) for _ in range(callers)]
    await asyncio.sleep(1.5)
    yield trickle
    for task in trickle.tasks:
        task.cancel()
