"""Discovery in Kubernetes, against a real API server: lists, watches, bookmarks, 410, RBAC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from llm_router.config.scalars import FilePath, Seconds
from llm_router.config.schema import KubernetesDiscovery
from llm_router.discovery.http import Registry
from llm_router.discovery.kube_access import access
from llm_router.discovery.kube_collection import Collection
from llm_router.discovery.kube_objects import Service
from llm_router.discovery.methods import Means, discovery_of
from llm_router.discovery.mirror import PlaceLost
from tests.router.discovery.kube_server import SERVICES, SLICES, ApiServer, endpoint
from tests.router.discovery.scenes import Sets, config, following, gauges, means, names, until
from tests.router.discovery.scenes import until_up as until_metric

pytestmark = [pytest.mark.slow, pytest.mark.built]
numbers = count(1)


@pytest.fixture
def place(api_server: ApiServer) -> str:
    """A namespace for one test."""
    return api_server.namespace(f"test-{next(numbers)}")


@asynccontextmanager
async def discovering(
    server: ApiServer, *namespaces: str, refresh_s: float = 30, **settings: Any
) -> AsyncIterator[tuple[Sets, Means]]:
    with_means = means()
    settings = {"kubeconfig": FilePath(server.kubeconfig)} | settings
    section = KubernetesDiscovery(namespaces=namespaces, **settings)
    asked = config("kubernetes", kubernetes=section, scheme="https", refresh_interval=Seconds(refresh_s))
    async with following(discovery_of(asked, with_means)) as sets:
        yield sets, with_means


async def until_up(with_means: Means, up: float) -> None:
    await until_metric(with_means.metrics, "kubernetes", up)


def test_services_with_the_label_come_and_go_with_their_endpoints(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        annotations = {"llm-router/region": "eu-west-1", "llm-router/costPerHour": "0.25"}
        api_server.service(place, "llama", annotations=annotations)
        api_server.slice(place, "llama", endpoint("10.1.0.1"))
        async with discovering(api_server, place) as (sets, with_means):
            (only,) = (await sets.next()).clusters
            assert (only.name, only.endpoint) == (f"llama.{place}", f"https://llama.{place}.svc:8443")
            assert (only.region, only.cost_per_hour) == ("eu-west-1", 0.25)
            await until_up(with_means, 1)
            api_server.service(place, "qwen")
            api_server.slice(place, "qwen", endpoint("10.1.0.2"))
            await sets.until([f"llama.{place}", f"qwen.{place}"])
            api_server.slice(place, "qwen", endpoint("10.1.0.2", ready=False))
            await sets.until([f"llama.{place}"])
            api_server.slice(place, "qwen", endpoint("10.1.0.2"))
            await sets.until([f"llama.{place}", f"qwen.{place}"])
            api_server.delete(SERVICES.format(place), "qwen")
            await sets.until([f"llama.{place}"])

    asyncio.run(main())


def test_each_endpoint_is_a_cluster_and_a_terminating_one_drains(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        api_server.service(place, "llama")
        a, b = endpoint("10.1.0.1", pod="pod-a"), endpoint("10.1.0.2", pod="pod-b")
        api_server.slice(place, "llama", a, b)
        async with discovering(api_server, place, per="endpoint") as (sets, _):
            found = await sets.until([f"pod-a.{place}", f"pod-b.{place}"])
            assert (found.clusters[0].endpoint, found.draining) == ("https://10.1.0.1:8443", frozenset())
            leaving = endpoint("10.1.0.2", pod="pod-b", ready=False, serving=True, terminating=True)
            api_server.slice(place, "llama", a, leaving)
            assert (await sets.next()).draining == {f"pod-b.{place}"}
            api_server.slice(place, "llama", a)
            await sets.until([f"pod-a.{place}"])

    asyncio.run(main())


def test_several_namespaces_or_all(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        other, third = api_server.namespace(f"{place}-b"), api_server.namespace(f"{place}-c")
        for namespace in (place, other, third):
            api_server.service(namespace, "llama")
            api_server.slice(namespace, "llama", endpoint("10.1.0.1"))
        async with discovering(api_server, place, other) as (sets, _):
            await sets.until([f"llama.{place}", f"llama.{other}"])
        async with discovering(api_server) as (sets, _):
            assert {f"llama.{n}" for n in (place, other, third)} <= set(names(await sets.next()))

    asyncio.run(main())


def test_a_quiet_watch_is_resumed_and_misses_nothing(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        api_server.service(place, "llama")
        api_server.slice(place, "llama", endpoint("10.1.0.1"))
        async with discovering(api_server, place, refresh_s=1) as (sets, with_means):
            await sets.next()
            await asyncio.sleep(2.5)
            assert gauges(with_means.metrics, "kubernetes") == (1, 1)
            api_server.service(place, "qwen")
            api_server.slice(place, "qwen", endpoint("10.1.0.2"))
            await sets.until([f"llama.{place}", f"qwen.{place}"])

    asyncio.run(main())


def services(server: ApiServer, place: str, page: int = 500) -> tuple[Registry, Collection[Service]]:
    found = access(KubernetesDiscovery(kubeconfig=FilePath(server.kubeconfig)), {})
    registry = Registry(found.url, tls=found.tls, auth=found.auth)
    return registry, Collection(registry, SERVICES.format(place), "llm-router/cluster=true", Service, page)


def test_bookmarks_move_the_version_on_while_nothing_happens(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        registry, collection = services(api_server, place)
        await collection.list()
        quiet_from = int(collection._version)
        elsewhere = api_server.namespace(f"{place}-busy")
        changes = 0
        async for _ in collection.watch(4):  # the server sends a bookmark 2 s before a watch ends, if there was news
            changes += 1
            api_server.service(elsewhere, f"other-{changes}")
        assert changes == 1, "connecting is told, a bookmark is not"
        assert int(collection._version) > quiet_from
        assert collection.items == {}
        await registry.aclose()

    asyncio.run(main())


def test_a_version_that_the_server_has_forgotten_means_listing_again(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        registry, collection = services(api_server, place)
        api_server.service(place, "a")
        collection._version = "1"  # from before this server began
        with pytest.raises(PlaceLost):
            async for _ in collection.watch(5):
                pass
        await registry.aclose()

    asyncio.run(main())


def test_a_long_list_comes_in_pages(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        for i in range(7):
            api_server.service(place, f"c{i}")
        registry, collection = services(api_server, place, page=3)
        await collection.list()
        assert len(collection.items) == 7
        await registry.aclose()

    asyncio.run(main())


def test_a_token_needs_the_role_and_no_more(
    api_server: ApiServer, place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        api_server.service(place, "llama")
        api_server.slice(place, "llama", endpoint("10.1.0.1"))
        (tmp_path / "token").write_text("worth nothing")
        own: dict[str, Any] = {"kubeconfig": None, "api_server": api_server.url, "ca_file": FilePath(api_server.ca)}
        own["token_file"] = FilePath(tmp_path / "token")
        async with discovering(api_server, place, **own) as (sets, with_means):
            first = asyncio.ensure_future(sets.next())
            await said("refuses the router's credentials (401)")
            (tmp_path / "token").write_text(api_server.token(place, "router"))
            await said("the account may not list services: a Role or ClusterRole must allow list and watch")
            assert gauges(with_means.metrics, "kubernetes") == (0, 0)
            api_server.allow(place, "router")
            assert names(await first) == [f"llama.{place}"]
            await until_up(with_means, 1)

    async def said(words: str) -> None:
        await until(lambda: words in caplog.text)

    asyncio.run(main())


def test_when_the_last_endpoint_goes_its_cluster_stays_for_a_while(api_server: ApiServer, place: str) -> None:
    async def main() -> None:
        api_server.service(place, "llama")
        api_server.slice(place, "llama", endpoint("10.1.0.1"))
        async with discovering(api_server, place, refresh_s=1) as (sets, with_means):
            await sets.next()
            await until_up(with_means, 1)
            api_server.delete(SLICES.format(place), "llama-1")
            await until_up(with_means, 0)
            assert gauges(with_means.metrics, "kubernetes") == (0, 1)
            assert names(await sets.next()) == []
            await until_up(with_means, 1)

    asyncio.run(main())
