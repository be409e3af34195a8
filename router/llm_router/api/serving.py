"""Listening and serving: every HTTP listener of a process, its router's, its gate's or its exporter's, is run here.

uvicorn on httptools, because that parser refuses the framing tricks which h11 lets through, with our bounded protocol
and without the headers that name the server. All listeners of a process stop together.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from ..config.hosts import parse_address as parse_address  # whoever serves parses what it serves on
from ..errors import ConfigError, Problem
from .protocol import bounded_protocol
from .tls import RenewedTls

BACKLOG = 2048
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Stopping:
    """The end of serving, as whoever ends it says so. ``announced`` is true where load balancers should hear of it
    first."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)
    announced: bool = False

    def begin(self, *, announced: bool) -> None:
        self.announced = announced
        self.begun.set()


@dataclass(frozen=True, kw_only=True)
class Site:
    """One application on one listening socket."""

    app: ASGIApp
    socket: socket.socket
    tls: RenewedTls | None = None
    on_stranger: Callable[[], None] = lambda: None
    """Told of each client whose certificate OpenSSL trusts and ``tls`` does not admit."""
    header_timeout_s: float = 10.0
    idle_timeout_s: float = 30.0
    stall_timeout_s: float = 60.0


def listen(host: str, port: int, *, path: str = "listen") -> socket.socket:
    """A socket that listens already; connections wait in its backlog until it is served. Port 0 takes a free one.

    Raises ``ConfigError`` naming ``path`` where nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        message = f"cannot listen on {host} port {port}: {reason}; choose another, or end what uses it"
        raise ConfigError([Problem(path, message)]) from error
    sock.setblocking(False)
    return sock


async def serve_sites(
    sites: Sequence[Site],
    *,
    drain_s: float,
    notice_s: float = 0.0,
    stop: asyncio.Event | Stopping | None = None,
    on_drain: Callable[[], None] = lambda: None,
) -> None:
    """Serve until ``stop`` says so, or without one until SIGTERM or SIGINT; then take nobody new and let what is under
    way finish for ``drain_s``. After SIGTERM, which comes from whoever runs the process, requests are still taken for
    ``notice_s``, so that load balancers see what ``on_drain`` has changed. A second signal ends it at once. The sockets
    are closed at the end."""
    servers = [_server(site, drain_s) for site in sites]
    with _stopping(stop) as stopping:
        tasks = [
            asyncio.create_task(server.serve(sockets=[site.socket]))
            for server, site in zip(servers, sites, strict=True)
        ]
        waiting = asyncio.create_task(stopping.begun.wait())
        hurrying = asyncio.create_task(_hurry(servers, stopping))
        try:
            await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            on_drain()
            if stopping.announced:
                await _within(notice_s, stopping.hurried)
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*tasks)
            hurrying.cancel()


class _Server(uvicorn.Server):
    """Leaves the process's signals alone: they belong to all servers of the process together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _server(site: Site, drain_s: float) -> _Server:
    protocol = bounded_protocol(
        header_timeout_s=site.header_timeout_s,
        idle_timeout_s=site.idle_timeout_s,
        stall_timeout_s=site.stall_timeout_s,
        admits=partial(_admits, site),
    )
    context = None if site.tls is None else site.tls.context
    return _Server(
        uvicorn.Config(
            site.app,
            interface="asgi3",
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=math.ceil(site.idle_timeout_s),
            timeout_graceful_shutdown=math.ceil(drain_s),
            ssl_context_factory=None if context is None else lambda _config, _default: context,
        )
    )


def _admits(site: Site, connection: ssl.SSLObject) -> bool:
    admitted = site.tls is None or site.tls.admits(connection)
    if not admitted:
        site.on_stranger()
    return admitted


async def _within(limit_s: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await event.wait()


async def _hurry(servers: Sequence[_Server], stopping: Stopping) -> None:
    await stopping.hurried.wait()
    for server in servers:
        server.force_exit = True


@contextlib.contextmanager
def _stopping(stop: asyncio.Event | Stopping | None) -> Generator[Stopping, None, None]:
    if stop is None:
        with stopped_by_signals() as stopping:
            yield stopping
    else:
        yield stop if isinstance(stop, Stopping) else Stopping(stop)


@contextlib.contextmanager
def stopped_by_signals() -> Generator[Stopping, None, None]:
    """The first SIGTERM or SIGINT begins the end of the process, a second one hurries it."""
    stopping = Stopping()

    def on_signal(number: signal.Signals) -> None:
        if stopping.begun.is_set():
            stopping.hurried.set()
        stopping.begin(announced=number == signal.SIGTERM)

    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield stopping
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
