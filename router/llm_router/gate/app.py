"""The gate as a process: its parts put together, its listeners served."""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable

import httpx
from prometheus_client import CollectorRegistry

from ..api.serving import Site, listen, parse_address, serve_sites
from ..exporter.config import MIN_INTERVAL_S
from ..exporter.pool import Pool, Terms, collecting
from ..exporter.scrape import LlamaServer, scrape_client
from ..upstream.client import Client
from ..upstream.http1 import Http1Client
from ..upstream.signing import Verifier
from .config import GateConfig, GateTls, check
from .forward import Forwarder
from .gate import Gate, StatusSource
from .metrics import GateMetrics, metrics_app
from .rekeying import Rekeying
from .replay import MemoryReplayStore
from .status import ExporterStatus, OwnStatus
from .tls import reload_forever, server_context

CONNECT_TIMEOUT_S = 2.0


async def serve(
    config: GateConfig,
    *,
    stop: asyncio.Event | None = None,
    on_listening: Callable[[str, int], None] = lambda _host, _port: None,
    unix_time: Callable[[], float] = time.time,
    load: Callable[[], GateConfig] | None = None,
) -> None:
    """Serve until ``stop`` is set, or without one until SIGTERM or SIGINT; then let answers finish.

    ``on_listening`` learns the address of the signed listener. From then on, and for six seconds, everything but
    ``/livez`` is answered 503: signatures from before the start are not accepted. ``unix_time`` is the clock that
    this is judged by. ``load`` reads the configuration anew: changed keys are taken up. Raises ``ConfigError`` for what
    a check of the types alone lets pass, and for taken addresses.
    """
    check(config)
    tls = None if config.tls is None else server_context(config.tls)
    metrics = GateMetrics(CollectorRegistry())
    async with contextlib.AsyncExitStack() as stack:
        sock = stack.enter_context(contextlib.closing(listen(*parse_address(config.listen))))
        started_at = math.ceil(unix_time())
        sites = []
        if config.metrics is not None:
            metrics_sock = listen(*parse_address(config.metrics), path="metrics")
            stack.enter_context(contextlib.closing(metrics_sock))
            sites.append(Site(app=metrics_app(metrics.registry), socket=metrics_sock))
        client = await stack.enter_async_context(Http1Client(connect_timeout_s=CONNECT_TIMEOUT_S))
        control = await stack.enter_async_context(scrape_client())
        status = await stack.enter_async_context(_status(config, control, unix_time))
        await stack.enter_async_context(_renewing(tls, config.tls))
        verifier = Verifier(
            keys=config.key_bytes, target=config.target, authority=config.authority, not_before=started_at
        )
        if load is not None:
            await stack.enter_async_context(Rekeying(config, load, verifier.rekey).running())
        gate = _gate(config, verifier, client, status, metrics, started_at, unix_time)
        sites.append(
            Site(
                app=gate.guarded(),
                socket=sock,
                tls=tls,
                header_timeout_s=config.header_timeout,
                idle_timeout_s=config.idle_timeout,
            )
        )
        on_listening(*sock.getsockname()[:2])
        await serve_sites(
            sites, drain_s=config.drain_timeout, notice_s=config.drain_delay, stop=stop, on_drain=gate.drain
        )


def _gate(
    config: GateConfig,
    verifier: Verifier,
    client: Client,
    status: StatusSource,
    metrics: GateMetrics,
    started_at: int,
    unix_time: Callable[[], float],
) -> Gate:
    return Gate(
        verifier=verifier,
        replay=MemoryReplayStore(max_entries=config.replay.max_entries, clock=time.monotonic),
        forwarder=Forwarder(client=client, upstream=config.upstream, api_key=config.upstream_api_key),
        status=status,
        metrics=metrics,
        started_at=started_at,
        unix_time=unix_time,
        max_body=config.max_body,
        read_timeout_s=config.read_timeout,
    )


@contextlib.asynccontextmanager
async def _status(
    config: GateConfig, client: httpx.AsyncClient, unix_time: Callable[[], float]
) -> AsyncIterator[StatusSource]:
    if config.status_url is not None:
        yield ExporterStatus(config.status_url, config.target, client)
        return
    server = LlamaServer(config.upstream, config.upstream_api_key, client=client, clock=time.monotonic)
    pool = Pool(Terms(pool=config.target), [server], prices=None, unix_time=unix_time)
    async with collecting(pool, MIN_INTERVAL_S):
        yield OwnStatus(pool)


@contextlib.asynccontextmanager
async def _renewing(context: ssl.SSLContext | None, tls: GateTls | None) -> AsyncIterator[None]:
    if context is None or tls is None:
        yield
        return
    task = asyncio.create_task(reload_forever(context, tls))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
