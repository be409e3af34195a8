"""The data-path client of our own: HTTP/1.1 on the event loop's transports, parsed by llhttp.

It keeps what ``client`` promises at a fraction of a general client's cost: no redirects, no proxies, no cookies, no
decompression, and no layers to leave them out of.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from yarl import URL

from ..errors import ConnectFailed, RouterFull, UpstreamReset, UpstreamSilent
from .client import KEEP_ALIVE_S, Answer, Headers, stale_within_s
from .descriptors import out_of_descriptors
from .http1_connection import Connection, Key
from .last_addresses import LastAddresses

NEXT_ADDRESS_S = 0.25
"""How long an address is tried before the next one is tried beside it (RFC 8305, section 5)."""


class Http1Client:
    """Use as an async context manager: leaving it closes every connection, busy ones too.

    ``connect_timeout_s`` covers the name, the connection and TLS together; a kept connection whose other end is gone
    without a word has as long to acknowledge a request, which then goes over a fresh one. A kept connection is used
    again for ``keep_alive_s`` after its last answer, by the monotonic clock ``now``; the youngest comes first. While a
    name cannot be resolved, connections go where it last led, for a minute.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        keep_alive_s: float = KEEP_ALIVE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect_timeout_s, self._keep_alive_s, self._now = connect_timeout_s, keep_alive_s, now
        self._pool: Pool | None = None
        self._addresses = LastAddresses(now)

    async def __aenter__(self) -> Self:
        self._pool = Pool(self._keep_alive_s, self._now, kept_timeout_s=self._connect_timeout_s)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def send(
        self,
        method: str,
        url: URL,
        headers: Headers,
        body: bytes,
        tls: ssl.SSLContext,
        *,
        private: bool = False,
        anew: Callable[[], Headers] | None = None,
    ) -> Answer:
        """As ``Client`` promises. Raises ``ValueError`` for what cannot be written as one HTTP request."""
        pool = self._pool
        if pool is None:
            raise RuntimeError("the client is not open: use it as an async context manager")
        key = _key(url, tls, private)
        head = request_head(method, url, headers, len(body))
        bodiless = method == "HEAD"
        kept = pool.take(key)
        if kept is not None:
            asked_at = self._now()
            try:
                return await kept.ask(head, body, bodiless=bodiless)
            except UpstreamReset:  # closed or lost meanwhile: a fresh connection tells more
                if self._now() - asked_at > stale_within_s(self._connect_timeout_s):
                    raise
                if anew is not None:
                    head = request_head(method, url, anew(), len(body))
        connection = await self._connect(key, pool)
        return await connection.ask(head, body, bodiless=bodiless)

    async def _connect(self, key: Key, pool: Pool) -> Connection:
        host, port, tls, private = key
        loop = asyncio.get_running_loop()

        async def connect(address: str) -> Connection:
            name = None if tls is None else host.rstrip(".")
            connection = Connection(key, pool)
            try:
                await loop.create_connection(lambda: connection, address, port, ssl=tls, server_hostname=name)
            except BaseException:
                pool.lost(connection)  # uvloop closes one that is given up here, and does not tell it
                raise
            return connection

        try:
            async with asyncio.timeout(self._connect_timeout_s):
                addresses = await self._addresses.permitted(host, port, private=private)
                if len(addresses) == 1:
                    return await connect(addresses[0])
                return await _first([functools.partial(connect, address) for address in addresses])
        except TimeoutError as exc:
            raise UpstreamSilent("connect") from exc
        except (OSError, UnicodeError) as exc:
            if out_of_descriptors():
                raise RouterFull(str(exc)) from exc
            raise ConnectFailed(f"no connection to {host}, port {port}: {str(exc) or type(exc).__name__}") from exc


class Pool:
    """All connections of a client, and which of them are idle. ``idle``, ``opened`` and ``lost`` are theirs to call."""

    def __init__(self, keep_alive_s: float, now: Callable[[], float], *, kept_timeout_s: float) -> None:
        self._keep_alive_s, self._now, self._kept_timeout_s = keep_alive_s, now, kept_timeout_s
        self._all: set[Connection] = set()
        self._idle: dict[Key, list[Connection]] = {}  # the youngest last
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] | None = None

    def take(self, key: Key) -> Connection | None:
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if self._now() - connection.idle_since < self._keep_alive_s:
                return connection
            connection.give_up("")
        return None

    async def close(self) -> None:
        """Close everything, and wait until it is."""
        self._closed = asyncio.get_running_loop().create_future()
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        self._idle.clear()
        for connection in tuple(self._all):
            connection.give_up("the router closes its connections")
        if self._all:
            await self._closed

    def opened(self, connection: Connection) -> None:
        self._all.add(connection)
        if self._closed is not None:
            connection.give_up("the router closes its connections")

    def idle(self, connection: Connection) -> None:
        connection.idle_since = self._now()
        connection.break_unacknowledged_after(self._kept_timeout_s)
        self._idle.setdefault(connection.key, []).append(connection)
        if self._sweep_timer is None:
            self._sweep_after(self._keep_alive_s)

    def lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        idle = self._idle.get(connection.key)
        if idle is not None and connection in idle:
            idle.remove(connection)
        if self._closed is not None and not self._all and not self._closed.done():
            self._closed.set_result(None)

    def _sweep_after(self, delay_s: float) -> None:
        self._sweep_timer = asyncio.get_running_loop().call_later(delay_s, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long, and come back when the next one will have been."""
        self._sweep_timer = None
        oldest_allowed = self._now() - self._keep_alive_s
        for key, idle in tuple(self._idle.items()):
            while idle and idle[0].idle_since <= oldest_allowed:
                idle.pop(0).give_up("")
            if not idle:
                del self._idle[key]
        if self._idle:
            self._sweep_after(min(idle[0].idle_since for idle in self._idle.values()) - oldest_allowed)


def request_head(method: str, url: URL, headers: Headers, body_bytes: int) -> bytes:
    """Request line and headers, up to and including the empty line.

    Raises ``ValueError`` for a line break or NUL in any part of it, and for anything but printable ASCII in the URL.
    """
    target = url.raw_path_qs
    if " " in target or not (target.isascii() and target.isprintable()):
        raise ValueError(f"not printable ASCII in the path or query of {url!r}")
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    if body_bytes or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {body_bytes}\r\n")
    lines.append("\r\n")
    head = "".join(lines)
    breaks = len(lines) + 1
    if "\0" in head or head.count("\r") != breaks or head.count("\n") != breaks:
        raise ValueError("a line break or NUL in a request header")
    return head.encode()


def _key(url: URL, tls: ssl.SSLContext, private: bool) -> Key:
    host, port = url.raw_host, url.port
    if not host or port is None or url.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is not an http or https URL with a host")
    return host, port, tls if url.scheme == "https" else None, private


async def _first(attempts: Sequence[Callable[[], Coroutine[Any, Any, Connection]]]) -> Connection:
    """The connection that is there first. The next attempt starts when one has failed or the last is taking long, as
    in RFC 8305: uvloop by itself stays with an address that does not answer. Raises ``OSError`` if none succeeds."""
    ahead = iter(attempts)
    running: set[asyncio.Task[Connection]] = set()
    reasons: list[str] = []
    try:
        while True:
            if (attempt := next(ahead, None)) is not None:
                running.add(asyncio.create_task(attempt()))
            elif not running:
                raise OSError("; ".join(reasons))
            done, running = await asyncio.wait(running, timeout=NEXT_ADDRESS_S, return_when=asyncio.FIRST_COMPLETED)
            connections = [task.result() for task in done if task.exception() is None]
            for spare in connections[1:]:
                spare.give_up("")
            if connections:
                return connections[0]
            reasons += [str(task.exception()) for task in done]
    finally:
        for task in running:
            task.cancel()
        for late in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(late, Connection):
                late.give_up("")
