"""The exporter as a process: what a pool costs, told to Prometheus, to a gate beside it and, signed, to the router."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from functools import partial
from socket import socket

from ..api.guard import Guard
from ..api.scrapes import judge_scrape
from ..api.serving import Site, listen, parse_address, serve_sites
from ..api.tls import RenewedTls
from .check import check
from .config import ExporterConfig
from .counted import census_of
from .gated import connector
from .metrics import Figures
from .pool import Pool, Terms, collecting
from .prices.chain import Prices
from .prices.choice import prices_of
from .rekeying import rekeying
from .scrape import scrape_client
from .signed_status import SignedStatus, door_of
from .unsigned import create_app

CENSUS_INTERVAL_S = 10.0
DRAIN_S = 5.0


async def serve(
    config: ExporterConfig,
    *,
    stop: asyncio.Event | None = None,
    on_listening: Callable[[str, int], None] = lambda _host, _port: None,
    unix_time: Callable[[], float] = time.time,
    load: Callable[[], ExporterConfig] | None = None,
) -> None:
    """Collect and serve until ``stop`` is set, or without one until SIGTERM or SIGINT.

    ``on_listening`` learns the address of each listener, the loopback one first. ``unix_time`` is the clock that
    signatures, prices and the status are dated by. ``load`` reads the configuration anew: changed keys of the signed
    status are taken up. Raises ``ConfigError`` for what a
    check of the types alone lets pass, and where an address is taken.
    """
    check(config)
    prices = prices_of(config.price, clock=time.monotonic, unix_time=unix_time)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(scrape_client())
        census = await stack.enter_async_context(census_of(config, os.environ))
        pool = Pool(
            Terms(
                pool=config.pool,
                nodes=config.nodes,
                overhead_factor=config.overhead_factor,
                window_s=config.window,
            ),
            census,
            connect=connector(client, clock=time.monotonic, unix_time=unix_time),
            prices=prices,
            clock=time.monotonic,
            unix_time=unix_time,
        )
        sites = await _sites(config, pool, prices, unix_time, load, stack)
        for site in sites:
            on_listening(*site.socket.getsockname()[:2])
        for work in (prices.refreshing(), census.taking(CENSUS_INTERVAL_S), collecting(pool, config.interval)):
            await stack.enter_async_context(work)
        await serve_sites(sites, drain_s=DRAIN_S, stop=stop)


async def _sites(
    config: ExporterConfig,
    pool: Pool,
    prices: Prices,
    unix_time: Callable[[], float],
    load: Callable[[], ExporterConfig] | None,
    stack: AsyncExitStack,
) -> Sequence[Site]:
    """All listeners, the loopback one first; they listen already and are closed with ``stack``."""

    def listening(address: str, path: str) -> socket:
        return stack.enter_context(closing(listen(*parse_address(address), path=path)))

    signed: SignedStatus | None = None

    def figures() -> Figures:
        tokens = {"output": pool.served.tokens, "input": pool.served.prompt_tokens}
        asked = {} if signed is None else signed.asked
        return Figures(
            pool=config.pool,
            status=pool.status(),
            servers=pool.states,
            tokens=tokens,
            fetches=prices.fetches.counts,
            asked=asked,
        )

    sites = [Site(app=Guard(create_app(figures)), socket=listening(config.listen, "listen"))]
    if config.metrics is not None:
        app = Guard(create_app(figures, metrics_only=True), judge=judge_scrape(config.metrics_token))
        sites.append(Site(app=app, socket=listening(config.metrics, "metrics")))
    if config.status is not None:
        tls = None if config.status.tls is None else RenewedTls(config.status.tls, section="status.tls")
        sock = listening(config.status.listen, "status.listen")
        door = door_of(config.pool, config.status, unix_time=unix_time)
        signed = SignedStatus(door, pool.status)
        if load is not None:
            await stack.enter_async_context(rekeying(config, load, door.rekey).running())
        stranger = partial(signed.asked.update, ["client_certificate"])
        sites.append(Site(app=signed.guarded(), socket=sock, tls=tls, on_stranger=stranger))
    return sites
