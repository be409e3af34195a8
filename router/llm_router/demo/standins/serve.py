"""The three stand-ins on three loopback ports in one process, served by one uvicorn."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence

import uvicorn
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from .app import Standin
from .connection import Connection
from .delivery import Pace
from .dialect import Dialect

HOST = "127.0.0.1"


class PortTaken(Exception):
    """A port cannot be listened on. The text says which, why, and whose it was to be."""


class Place(Struct, frozen=True):
    """Where a stand-in serves, and a key that it accepts. ``url`` has no version path."""

    url: str
    api_key: str


class Site(Struct, frozen=True):
    """One stand-in to be served: on ``port``, or on any free one where that is 0."""

    dialect: Dialect
    api_key: str
    port: int = 0


class Server(uvicorn.Server):
    """Serves ``sites``. Told to stop it drops its callers: an answer may be silent for ever.

    The sockets are bound when the object is made, so ``places`` are known, and raise ``PortTaken``, before it runs.
    """

    def __init__(
        self, sites: Sequence[Site], pace: Pace | None = None, *, ready: Callable[[], None] | None = None
    ) -> None:
        self._sockets = _bind(sites)
        self._ready = ready
        ports = [bound.getsockname()[1] for bound in self._sockets]
        self.places = {
            site.dialect.name: Place(f"http://{HOST}:{port}", site.api_key)
            for site, port in zip(sites, ports, strict=True)
        }
        apps = {port: Standin(site.dialect, pace) for site, port in zip(sites, ports, strict=True)}
        super().__init__(
            uvicorn.Config(
                _ByPort(apps),
                http=Connection,
                ws="none",
                lifespan="off",
                server_header=False,
                access_log=False,
                log_level="warning",
                timeout_graceful_shutdown=1,
            )
        )

    def serve_all(self) -> None:
        """Serves until stopped: by a signal in the main thread, by ``should_exit`` in any other."""
        self.run(sockets=self._sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.transport.abort()
        await super().shutdown(sockets)


class _ByPort:
    def __init__(self, apps: Mapping[int, Standin]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["server"][1]](scope, receive, send)


def _bind(sites: Sequence[Site]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for site in sites:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sockets.append(bound)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, site.port))
        except OSError as error:
            for each in sockets:
                each.close()
            raise PortTaken(f"{HOST}:{site.port} for the {site.dialect.name} stand-in: {error.strerror}") from None
    return sockets
