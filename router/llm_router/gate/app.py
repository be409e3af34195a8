"""The gate as a process: its parts put together, its listeners served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial

import httpx
from msgspec import structs
from prometheus_client import CollectorRegistry

from ..api.rekeying import Rekeying
from ..api.replay import MemoryReplayStore, ReplayStore
from ..api.serving import Site, listen, parse_address, serve_sites
from ..api.signed import Door
from ..api.tls import RenewedTls
from ..exporter.census import Address, Census, Listed
from ..exporter.config import MIN_INTERVAL_S
from ..exporter.pool import Pool, Terms, collecting
from ..exporter.scrape import LlamaServer, scrape_client
from ..state.redis_connection import connect
from ..upstream.client import Client
from ..upstream.http1 import Http1Client
from ..upstream.signing import Verifier
from .config import GateConfig, Replay, check
from .forward import Forwarder
from .gate import Gate, StatusSource
from .metrics import GateMetrics, metrics_app
from .status import ExporterStatus, OwnStatus

CONNECT_TIMEOUT_S = 2.0

logger = logging.getLogger("llm_router.gate")


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
    tls = None if config.tls is None else RenewedTls(config.tls)
    metrics = GateMetrics(CollectorRegistry())
    async with contextlib.AsyncExitStack() as stack:
        sock = stack.enter_context(contextlib.closing(listen(*parse_address(config.listen))))
        started_at = math.ceil(unix_time())
        client = await stack.enter_async_context(Http1Client(connect_timeout_s=CONNECT_TIMEOUT_S))
        control = await stack.enter_async_context(scrape_client())
        status = await stack.enter_async_context(_status(config, control, unix_time))
        verifier = Verifier(
            keys=config.key_bytes, target=config.target, authority=config.authority, not_before=started_at
        )
        if load is not None:
            await stack.enter_async_context(rekeying(config, load, verifier.rekey).running())
        replay = await stack.enter_async_context(_replay(config.replay, unix_time))
        gate = _gate(config, verifier, replay, client, status, metrics, started_at, unix_time)
        sites = []
        if config.metrics is not None:
            metrics_sock = listen(*parse_address(config.metrics), path="metrics")
            stack.enter_context(contextlib.closing(metrics_sock))
            sites.append(Site(app=metrics_app(metrics.registry, gate.ready, config.metrics_token), socket=metrics_sock))
        sites.append(
            Site(
                app=gate.guarded(),
                socket=sock,
                tls=tls,
                on_stranger=lambda: metrics.rejected("client_certificate"),
                header_timeout_s=config.header_timeout,
                idle_timeout_s=config.idle_timeout,
            )
        )
        on_listening(*sock.getsockname()[:2])
        await serve_sites(
            sites, drain_s=config.drain_timeout, notice_s=config.drain_delay, stop=stop, on_drain=gate.drain
        )


def rekeying(
    config: GateConfig, load: Callable[[], GateConfig], rekey: Callable[[Mapping[str, bytes]], None]
) -> Rekeying[GateConfig]:
    return Rekeying(
        config,
        load,
        rekey,
        check=check,
        keys=lambda c: c.keys,
        rest=lambda c: structs.replace(c, keys=()),
        logger=logger,
    )


def _gate(
    config: GateConfig,
    verifier: Verifier,
    replay: ReplayStore,
    client: Client,
    status: StatusSource,
    metrics: GateMetrics,
    started_at: int,
    unix_time: Callable[[], float],
) -> Gate:
    door = Door(
        verifier=verifier,
        replay=replay,
        started_at=started_at,
        unix_time=unix_time,
        max_body=config.max_body,
        read_timeout_s=config.read_timeout,
    )
    forwarder = Forwarder(client=client, upstream=config.upstream, api_key=config.upstream_api_key)
    return Gate(door=door, forwarder=forwarder, status=status, metrics=metrics)


@contextlib.asynccontextmanager
async def _replay(settings: Replay, unix_time: Callable[[], float]) -> AsyncIterator[ReplayStore]:
    if settings.backend == "memory":
        yield MemoryReplayStore(max_entries=settings.max_entries)
        return
    async with connect(settings, "replay") as redis:
        from ..api.shared_replay import RedisReplayStore  # only now is it known that its library is there

        store = RedisReplayStore(
            redis, max_entries=settings.max_entries, timeout_s=settings.timeout, unix_time=unix_time
        )
        await store.begin()
        yield store


@contextlib.asynccontextmanager
async def _status(
    config: GateConfig, client: httpx.AsyncClient, unix_time: Callable[[], float]
) -> AsyncIterator[StatusSource]:
    if config.status_url is not None:
        yield ExporterStatus(config.status_url, config.target, client)
        return
    census = Census(Listed([Address(config.upstream, config.upstream_api_key)]))
    connect = partial(LlamaServer, client=client, clock=time.monotonic)
    await census.take()
    pool = Pool(
        Terms(pool=config.target), census, connect=connect, prices=None, clock=time.monotonic, unix_time=unix_time
    )
    async with collecting(pool, MIN_INTERVAL_S):
        yield OwnStatus(pool)
