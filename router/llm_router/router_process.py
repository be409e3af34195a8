"""The router as a process: clients opened, its listeners served, signals watched, all closed in order."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from .api.serving import Site, listen, parse_address, serve_sites
from .api.tls import RenewedTls
from .app import RouterApp
from .config.file_version import file_version
from .config.load import Loaded
from .config.schema import Admin, Server
from .errors import ConfigError
from .graph import Surroundings
from .pricing.ledger import Ledger
from .pricing.list_prices import PriceBook
from .state.ledger import journal_of
from .state.opening import open_counters
from .telemetry.metrics import Metrics
from .upstream.http1 import Http1Client

WATCH_S = 2.0
"""How often the files are looked at."""


async def serve_router(loaded: Loaded, load: Callable[[], Loaded], say: Callable[[str], None]) -> None:
    """Serve until SIGTERM; SIGHUP reloads what ``load`` reads. ``say`` tells the operator what happens."""
    server, admin = loaded.config.server, loaded.config.admin
    async with surroundings(loaded) as around, AsyncExitStack() as stack:
        public = stack.enter_context(closing(listen(server.host, server.port, path="server.port")))
        private = stack.enter_context(closing(listen(admin.host, admin.port, path="admin.port")))
        app = RouterApp(loaded, around, load)
        reload = Reloads(app, say)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.start)
        sites = [
            public_site(app, server, public),
            admin_site(app.admin, admin, private),
            *metrics_site(app.metrics, admin),
        ]
        app.start()
        watching = asyncio.create_task(reload.watch())
        settle_memory()
        say(f"llm-router serves on {server.host}:{server.port}, admin on {admin.host}:{admin.port}")
        try:
            await serve_sites(sites, drain_s=server.drain_timeout, notice_s=server.drain_delay, on_drain=app.drain)
        finally:
            watching.cancel()
            await app.stop()


@asynccontextmanager
async def surroundings(loaded: Loaded) -> AsyncIterator[Surroundings]:
    """What a router needs around it, open for as long as it serves. Raises ``ConfigError``."""
    config = loaded.config
    metrics = Metrics(CollectorRegistry())
    async with (
        journal_of(config.ledger, metrics, folder=Path(loaded.path).parent) as journal,
        open_counters(
            config.state, metrics, workers=config.server.workers, clock=time.monotonic, sleep=asyncio.sleep
        ) as counters,
        Http1Client(connect_timeout_s=config.router.timeouts.connect) as client,
    ):
        yield Surroundings(
            client=client,
            tls=ssl.create_default_context(),
            prices=PriceBook(datetime.now(UTC)),
            ledger=Ledger() if journal is None else Ledger(also=journal.put),
            journal=journal,
            metrics=metrics,
            counters=counters,
            sleep=asyncio.sleep,
        )


def public_site(app: RouterApp, server: Server, socket: socket.socket) -> Site:
    """Raises ``ConfigError`` where the certificate cannot be loaded."""
    return Site(
        app=app.public,
        socket=socket,
        tls=None if server.tls is None else RenewedTls(server.tls, section="server.tls"),
        header_timeout_s=server.header_timeout,
        idle_timeout_s=server.idle_timeout,
        stall_timeout_s=min(Site.stall_timeout_s, server.write_timeout),
    )


def admin_site(app: ASGIApp, admin: Admin, socket: socket.socket) -> Site:
    """Raises ``ConfigError`` where the certificate cannot be loaded."""
    return Site(app=app, socket=socket, tls=None if admin.tls is None else RenewedTls(admin.tls, section="admin.tls"))


def metrics_site(metrics: ASGIApp, admin: Admin) -> list[Site]:
    """One, or none where the configuration asks for none."""
    if admin.metrics is None:
        return []
    return [Site(app=metrics, socket=listen(*parse_address(admin.metrics), path="admin.metrics"))]


def settle_memory() -> None:
    """Take what lives as long as the process out of the collector's way, and let it look at the rest more seldom: a
    request leaves no cycles behind, and full collections over a filled ledger cost tens of microseconds a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class Reloadable(Protocol):
    @property
    def loaded(self) -> Loaded: ...

    async def reload(self) -> None: ...


class Reloads:
    """Reloads for whatever reason, one after the other, and what came of each."""

    def __init__(self, app: Reloadable, say: Callable[[str], None]) -> None:
        self._app, self._say = app, say
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """For a signal handler."""
        task = asyncio.get_running_loop().create_task(self._reload())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def watch(self) -> None:
        """Reload whenever the files change. What is refused is tried again after the next change."""
        known = file_version(self._app.loaded.files)
        while True:
            await asyncio.sleep(WATCH_S)
            loaded = self._app.loaded
            version = file_version(loaded.files)
            if version is None or version == known:
                continue
            known = version
            if loaded.config.server.watch_config:
                await self._reload()

    async def _reload(self) -> None:
        try:
            await self._app.reload()
        except ConfigError as error:
            self._say(f"reload refused, the old configuration stays:\n{error}")
        else:
            self._say("reloaded")
