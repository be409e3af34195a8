"""Consul: the healthy instances of one service, by blocking queries on its health endpoint.

The protocol is https://developer.hashicorp.com/consul/api-docs/features/blocking: each answer carries an index, the
next question waits until the index has moved on. A smaller index than before means that Consul started anew: ask from
the beginning.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import httpx
from msgspec import Struct, field

from ..config.scalars import show_seconds
from ..config.schema import ConsulDiscovery, Discovery
from .base import Answer, Instance, SourceDown
from .http import Refused, Registry, decoded
from .instances import from_texts, host_in_url, name_of, with_prefix

PREFIX = "llm-router-"
"""Of meta data and tags, as in ``llm-router-region``."""
MIN_GAP_S = 0.2
"""Between two questions: the index also moves with what does not concern us."""
_WAIT_JITTER = 1 / 16
"""Consul adds up to this share to a wait."""
_GRACE_S = 10.0
_MAINTENANCE = ("_node_maintenance", "_service_maintenance:")


class Node(Struct, frozen=True, rename="pascal"):
    node: str
    address: str = ""


class Service(Struct, frozen=True, rename="pascal"):
    id: str = field(name="ID")
    address: str = ""
    port: int = 0
    meta: dict[str, str] | None = None
    tags: tuple[str, ...] | None = None


class Check(Struct, frozen=True):
    id: str = field(name="CheckID", default="")
    status: str = field(name="Status", default="")


class ServiceEntry(Struct, frozen=True, rename="pascal"):
    """One element of the answer of ``/v1/health/service/{name}``."""

    node: Node
    service: Service
    checks: tuple[Check, ...] = ()


class Consul:
    """A ``Source``. Every answer of Consul is a whole listing."""

    method = "consul"

    def __init__(
        self,
        registry: Registry,
        settings: ConsulDiscovery,
        discovery: Discovery,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._registry, self._settings, self._scheme = registry, settings, discovery.scheme
        self._wait_s = discovery.refresh_interval
        self._clock, self._sleep = clock, sleep
        self._index = 0

    async def answers(self) -> AsyncGenerator[Answer, None]:
        while True:
            asked_at = self._clock()
            yield Answer(await self._ask(), listed=True)
            await self._sleep(max(0.0, MIN_GAP_S - (self._clock() - asked_at)))

    async def aclose(self) -> None:
        await self._registry.aclose()

    async def _ask(self) -> tuple[Instance, ...]:
        path = f"/v1/health/service/{quote(self._settings.service, safe='')}"
        silence_s = self._wait_s * (1 + _WAIT_JITTER) + _GRACE_S
        try:
            headers, body = await self._registry.ask("GET", path, silence_s=silence_s, params=self._params())
        except SourceDown as down:
            self._index = 0  # whoever answers next may be another server
            raise _explained(down) from down
        entries = decoded(body, tuple[ServiceEntry, ...], f"Consul's answer for {self._settings.service}")
        if not entries and headers.get("x-consul-results-filtered-by-acls") == "true":
            self._index = 0
            raise SourceDown("the token may not read this service: it needs service:read and node:read")
        self._index = self._next_index(headers)
        return tuple(instance for entry in entries if (instance := self._instance(entry)) is not None)

    def _params(self) -> dict[str, Any]:
        params: dict[str, Any] = {"dc": self._settings.datacenter} if self._settings.datacenter else {}
        if self._settings.passing_only:
            params["passing"] = "true"
        if self._index:
            params |= {"index": self._index, "wait": show_seconds(self._wait_s)}
        return params

    def _next_index(self, headers: httpx.Headers) -> int:
        text = headers.get("x-consul-index", "")
        index = int(text) if text.isascii() and text.isdigit() else 0
        if index < self._index:
            return 0
        return max(index, 1)  # never 0: that would not block

    def _instance(self, entry: ServiceEntry) -> Instance | None:
        """``None`` for one that must not be used. In maintenance it is drained, where such ones are asked for."""
        critical = [check.id for check in entry.checks if check.status == "critical"]
        in_maintenance = [id for id in critical if id.startswith(_MAINTENANCE)]
        if len(critical) > len(in_maintenance):
            return None
        service, node = entry.service, entry.node
        tags = dict(tag.split("=", 1) for tag in service.tags or () if "=" in tag)
        own = from_texts(with_prefix(tags, PREFIX) | with_prefix(service.meta or {}, PREFIX))
        address = f"{self._scheme}://{host_in_url(service.address or node.address)}:{service.port}"
        data = {"name": name_of(service.id, node.node), "endpoint": address} | own
        return Instance(f"instance {service.id} on node {node.node}", data, draining=bool(in_maintenance))


def _explained(down: SourceDown) -> SourceDown:
    if isinstance(down, Refused) and down.status == 403:
        return SourceDown(f"Consul refuses the token (403): it needs service:read and node:read. {down}")
    return down
