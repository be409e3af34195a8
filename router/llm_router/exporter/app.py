"""The exporter: a loopback listener that tells Prometheus, and through the gate the router, what a pool costs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..api.guard import Guard
from ..api.serving import Site, listen, parse_address, serve_sites
from ..model import ClusterStatus
from .check import check
from .config import ExporterConfig
from .metrics import PoolMetrics
from .pool import Pool, Terms, collecting
from .prices.choice import prices_of
from .scrape import LlamaServer, scrape_client

STATUS_PATH = "/cluster/status"
DRAIN_S = 5.0
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


def create_app(status: Callable[[], ClusterStatus | None]) -> Starlette:
    """The application over a pool's current status."""
    registry = CollectorRegistry()
    registry.register(PoolMetrics(status))

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": TEXT_FORMAT})

    async def cluster_status(_request: Request) -> Response:
        now = status()
        if now is None:
            return Response(b"not measured yet\n", 503, media_type="text/plain")
        return Response(msgspec.json.encode(now), media_type="application/json")

    async def livez(_request: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    return Starlette(routes=[Route("/metrics", metrics), Route(STATUS_PATH, cluster_status), Route("/livez", livez)])


async def serve(
    config: ExporterConfig,
    *,
    stop: asyncio.Event | None = None,
    on_listening: Callable[[str, int], None] = lambda _host, _port: None,
) -> None:
    """Collect and serve until ``stop`` is set, or without one until SIGTERM or SIGINT.

    Raises ``ConfigError`` for what a check of the types alone lets pass, and where the address is taken.
    """
    check(config)
    prices = prices_of(config.price, clock=time.monotonic, unix_time=time.time)
    host, port = parse_address(config.listen)
    terms = Terms(pool=config.pool, nodes=config.nodes, overhead_factor=config.overhead_factor, window_s=config.window)
    with contextlib.closing(listen(host, port)) as sock:
        async with scrape_client() as client:
            servers = [
                LlamaServer(upstream.url, upstream.api_key, client=client, clock=time.monotonic)
                for upstream in config.upstreams
            ]
            pool = Pool(terms, servers, prices=prices, unix_time=time.time)
            on_listening(*sock.getsockname()[:2])
            site = Site(app=Guard(create_app(pool.status)), socket=sock)
            async with prices.refreshing(), collecting(pool, config.interval):
                await serve_sites([site], drain_s=DRAIN_S, stop=stop)
