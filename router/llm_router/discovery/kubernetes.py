"""Kubernetes: Services by label, and the EndpointSlices behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from ..config.schema import Discovery, KubernetesDiscovery
from .base import Answer, Instance, SourceDown
from .http import Registry
from .kube_collection import Collection
from .kube_objects import Service, Slice, instances
from .mirror import Follower

SHORTEST_WATCH_S = 1.0
"""A server that ends watches sooner than this is not asked again at once."""

Watched = Collection[Service] | Collection[Slice]


class Kubernetes:
    """A ``Source``."""

    method = "kubernetes"

    def __init__(
        self,
        registry: Registry,
        settings: KubernetesDiscovery,
        discovery: Discovery,
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._registry = registry
        objects = Objects(registry, settings, discovery.scheme)
        self._follower = Follower(objects, discovery.refresh_interval, sleep)

    def answers(self) -> AsyncGenerator[Answer, None]:
        return self._follower.answers()

    async def aclose(self) -> None:
        await self._registry.aclose()


class Objects:
    """Services and slices of all namespaces that are looked at: a ``Mirror``."""

    def __init__(self, registry: Registry, settings: KubernetesDiscovery, scheme: str) -> None:
        self._settings, self._scheme = settings, scheme
        selector = settings.label_selector
        places = [f"/namespaces/{name}" for name in settings.namespaces] or [""]
        self._services = [Collection(registry, f"/api/v1{at}/services", selector, Service) for at in places]
        self._slices = [
            Collection(registry, f"/apis/discovery.k8s.io/v1{at}/endpointslices", selector, Slice) for at in places
        ]
        self._all: tuple[Watched, ...] = (*self._services, *self._slices)

    async def list(self) -> None:
        for collection in self._all:
            await collection.list()

    async def watch(self, for_s: float) -> AsyncGenerator[None, None]:
        """Yields for the first time once every collection is connected."""
        news: asyncio.Queue[str] = asyncio.Queue()
        watching = [asyncio.create_task(_pass_on(collection, for_s, news)) for collection in self._all]
        done = asyncio.gather(*watching)
        done.add_done_callback(lambda _: news.put_nowait(""))
        connected: set[str] = set()
        try:
            while path := await news.get():
                connected.add(path)
                if len(connected) == len(self._all):
                    yield
            await done
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(done, *watching, return_exceptions=True)

    def instances(self) -> tuple[Instance, ...]:
        services = [service for collection in self._services for service in collection.items.values()]
        slices = [part for collection in self._slices for part in collection.items.values()]
        return tuple(instances(services, slices, self._settings, self._scheme))


async def _pass_on(collection: Watched, for_s: float, news: asyncio.Queue[str]) -> None:
    """Say whenever the collection has changed, for ``for_s``; a watch that the server ends before is taken up again."""
    now = asyncio.get_running_loop().time
    ends_at = now() + for_s
    while (left_s := ends_at - now()) > 0:
        begun_at = now()
        async with aclosing(collection.watch(left_s)) as changes:
            async for _ in changes:
                news.put_nowait(collection.path)
        if now() - begun_at < min(SHORTEST_WATCH_S, left_s / 2):
            raise SourceDown(f"{collection.path}: the server ends the watch as soon as it has begun")
