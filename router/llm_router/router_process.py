"""The router as a process: clients opened, both listeners served, signals watched, all closed in order."""

from __future__ import annotations

import asyncio
import gc
import signal
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from .api.serving import Site, listen, serve_sites
from .app import RouterApp
from .config.load import Loaded
from .config.schema import ServerTls
from .errors import ConfigError, Problem
from .graph import Surroundings
from .pricing.ledger import Ledger
from .pricing.list_prices import PriceBook
from .state.opening import open_counters
from .telemetry.metrics import Metrics
from .upstream.http1 import Http1Client

DRAIN_S = 120.0
"""How long answers under way may take to finish after SIGTERM."""


async def serve_router(loaded: Loaded, load: Callable[[], Loaded], say: Callable[[str], None]) -> None:
    """Serve until SIGTERM; SIGHUP reloads what ``load`` reads. ``say`` tells the operator what happens."""
    config = loaded.config
    metrics = Metrics(CollectorRegistry())
    async with (
        Http1Client(connect_timeout_s=config.router.timeouts.connect) as client,
        open_counters(config.state, metrics, clock=time.monotonic, sleep=asyncio.sleep) as counters,
    ):
        around = Surroundings(
            client=client,
            tls=ssl.create_default_context(),
            prices=PriceBook(datetime.now(UTC)),
            ledger=Ledger(),
            metrics=metrics,
            counters=counters,
            sleep=asyncio.sleep,
        )
        app = RouterApp(loaded, around, load)
        _reload_on_hangup(app, say)
        server, admin = config.server, config.admin
        sites = [
            Site(
                app=app.public,
                socket=listen(server.host, server.port, path="server.port"),
                tls=_tls(server.tls),
                header_timeout_s=server.header_timeout,
                idle_timeout_s=server.idle_timeout,
            ),
            Site(app=app.admin, socket=listen(admin.host, admin.port, path="admin.port")),
        ]
        app.start()
        _settle_memory()
        say(f"llm-router serves on {server.host}:{server.port}, admin on {admin.host}:{admin.port}")
        try:
            await serve_sites(sites, drain_s=DRAIN_S, on_drain=app.drain)
        finally:
            await app.stop()


def _settle_memory() -> None:
    """Take what lives as long as the process out of the collector's way, and let it look at the rest more seldom: a
    request leaves no cycles behind, and full collections over a filled ledger cost tens of microseconds a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _tls(files: ServerTls | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(files.cert_file, files.key_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem("server.tls", f"cannot load the certificate: {exc}")]) from exc
    return context


def _reload_on_hangup(app: RouterApp, say: Callable[[str], None]) -> None:
    running: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        try:
            await app.reload()
        except ConfigError as error:
            say(f"reload refused, the old configuration stays:\n{error}")
        else:
            say("reloaded")

    def start() -> None:
        task = asyncio.get_running_loop().create_task(reload())
        running.add(task)
        task.add_done_callback(running.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, start)
