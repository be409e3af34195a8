"""Who belongs to a pool: its llama-servers, as a list, by DNS or by Kubernetes, and the number of its nodes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct, structs

from ..discovery.instances import host_in_url
from ..errors import RouterError
from ..telemetry.trouble import Trouble
from ..upstream.signing import Signer

ANSWER_S = 10.0

logger = logging.getLogger("llm_router.exporter")


class CensusFailed(RouterError):
    """It cannot be had now who belongs to the pool: what was known before stays."""


class Address(Struct, frozen=True):
    """One llama-server. ``api_key`` is the one that it asks for, ``signer`` signs for the gate in front of it."""

    url: str
    api_key: str | None = None
    signer: Signer | None = None


class Servers(Protocol):
    async def addresses(self) -> Sequence[Address]:
        """Those that there are now; none is an answer. Raises ``CensusFailed``."""
        ...


class Nodes(Protocol):
    async def count(self) -> int:
        """Nodes that are there, and so are paid for, now. Raises ``CensusFailed``."""
        ...


class Listed:
    """A list that somebody has written."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(addresses)

    async def addresses(self) -> Sequence[Address]:
        return self._addresses


class Resolved:
    """Every address of the name in ``named``'s http:// URL: the pods of a headless Service, for instance."""

    def __init__(self, named: Address) -> None:
        parts = urlsplit(named.url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path
        self._named = named

    async def addresses(self) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
                return ()
            raise CensusFailed(f"{self._host} cannot be resolved: {error.strerror}") from error
        # A pod may have an address of each family, and is one server all the same.
        family = min(entry[0] for entry in found)
        hosts = sorted({str(entry[4][0]) for entry in found if entry[0] == family})
        urls = [f"http://{host_in_url(host)}:{self._port}{self._path}" for host in hosts]
        return [structs.replace(self._named, url=url) for url in urls]


class Together:
    """All of several."""

    def __init__(self, parts: Sequence[Servers]) -> None:
        self._parts = tuple(parts)

    async def addresses(self) -> Sequence[Address]:
        found = await asyncio.gather(*(part.addresses() for part in self._parts))
        return [address for part in found for address in part]


class Census:
    """The last good answers, ``None`` before the first. ``nodes`` stays ``None`` where nobody counts them."""

    def __init__(self, servers: Servers, nodes: Nodes | None = None) -> None:
        self._servers, self._nodes = servers, nodes
        self._trouble = Trouble(logger, "it is known again who belongs to the pool")
        self.addresses: tuple[Address, ...] | None = None
        self.nodes: int | None = None

    async def take(self) -> None:
        """Ask once. What cannot be had stays as it was."""
        try:
            async with asyncio.timeout(ANSWER_S):
                self.addresses = tuple(dict.fromkeys(await self._servers.addresses()))
                if self._nodes is not None:
                    self.nodes = await self._nodes.count()
        except (CensusFailed, TimeoutError) as failed:
            why = str(failed) or f"no answer within {ANSWER_S:g} s"
            self._trouble.is_(f"who belongs to the pool stays as it was: {why}")
        else:
            self._trouble.ends()

    async def take_forever(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.take()
            except Exception:
                # A bug here must not end the census for good: it is logged, and taken again.
                logger.exception("taking the census failed")

    @contextlib.asynccontextmanager
    async def taking(self, interval_s: float) -> AsyncIterator[None]:
        """Takes it once, then in the background for as long as the context is open."""
        await self.take()
        task = asyncio.create_task(self.take_forever(interval_s))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
