"""A pool as Kubernetes knows it: answers of an API server told by a transport, and a real API server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest

from llm_router.config.scalars import FilePath
from llm_router.discovery.http import Registry
from llm_router.errors import ConfigError
from llm_router.exporter.census import Address, CensusFailed
from llm_router.exporter.config import ExporterConfig, KubernetesConfig, NodePriceConfig
from llm_router.exporter.counted import census_of
from llm_router.exporter.kubernetes import Endpoints, LabelledNodes, namespace_of, registry_of
from tests.router.discovery.kube_server import SLICES, ApiServer, endpoint

T = TypeVar("T")
NODES = "/api/v1/nodes"


def part(*addresses: str, family: str = "IPv4", ports: Sequence[tuple[str, int]] = (("llama", 8081),)) -> Any:
    """An EndpointSlice."""
    return {
        "metadata": {"name": f"s-{uuid4().hex}", "namespace": "llm"},
        "addressType": family,
        "endpoints": [{"addresses": [address], "conditions": {"ready": False}} for address in addresses],
        "ports": [{"name": name, "port": port} for name, port in ports],
    }


def told(items: Sequence[Any] | int, ask: Callable[[Registry], Awaitable[T]]) -> T:
    """What ``ask`` makes of an API server that lists ``items``, or answers with that status."""

    def answer(request: httpx.Request) -> httpx.Response:
        if isinstance(items, int):
            return httpx.Response(items, json={"message": "forbidden"})
        return httpx.Response(200, json={"metadata": {"resourceVersion": "1"}, "items": list(items)})

    async def scenario() -> T:
        registry = Registry("https://kubernetes", tls=ssl.create_default_context())
        await registry.aclose()
        registry._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        try:
            return await ask(registry)
        finally:
            await registry.aclose()

    return asyncio.run(scenario())


def urls(*slices: Any, port: str | None = None) -> list[str]:
    like = Address("", "the-key")
    found = told(slices, lambda registry: Endpoints(registry, "llm", "llama", port, like).addresses())
    assert {address.api_key for address in found} <= {"the-key"}
    return [address.url for address in found]


def test_every_endpoint_is_a_server_ready_or_not() -> None:
    assert urls(part("10.0.0.2", "10.0.0.1"), part("10.0.0.2")) == ["http://10.0.0.1:8081", "http://10.0.0.2:8081"]
    assert urls() == []
    assert urls(part()) == []


def test_a_pod_with_an_address_of_each_family_is_one_server() -> None:
    assert urls(part("fd00::1", family="IPv6"), part("10.0.0.1")) == ["http://10.0.0.1:8081"]
    assert urls(part("fd00::1", family="IPv6"), part()) == ["http://[fd00::1]:8081"]


def test_the_port_is_the_only_one_or_the_one_that_is_named() -> None:
    ports = [("gate", 8443), ("llama", 8081)]
    assert urls(part("10.0.0.1", ports=ports), port="llama") == ["http://10.0.0.1:8081"]
    assert urls(part("10.0.0.1", ports=ports), port="8443") == ["http://10.0.0.1:8443"]
    with pytest.raises(CensusFailed, match=r"not clear \(there are: gate 8443, llama 8081\): see port"):
        urls(part("10.0.0.1", ports=ports))
    with pytest.raises(CensusFailed, match="there are: none"):
        urls(part("10.0.0.1", ports=()))


def test_nodes_are_counted_whatever_their_state() -> None:
    nodes = [{"metadata": {"name": f"node-{number}"}, "spec": {"unschedulable": True}} for number in range(3)]
    assert told(nodes, lambda registry: LabelledNodes(registry, "pool=gpu").count()) == 3
    assert told([], lambda registry: LabelledNodes(registry, "pool=gpu").count()) == 0


def test_what_the_account_may_not_see_is_said() -> None:
    with pytest.raises(CensusFailed, match="the account may not list nodes: a Role or ClusterRole must allow"):
        told(403, lambda registry: LabelledNodes(registry, "pool=gpu").count())
    with pytest.raises(CensusFailed, match="the account may not list endpointslices"):
        told(403, lambda registry: Endpoints(registry, "llm", "llama", None, Address("")).addresses())


def test_the_namespace_is_the_pods_own_where_none_is_given(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("llm\n")
    assert namespace_of(KubernetesConfig(), str(tmp_path)) == "llm"
    assert namespace_of(KubernetesConfig(namespace="other"), str(tmp_path)) == "other"
    with pytest.raises(ConfigError, match=r"kubernetes\.namespace: .* say in which namespace"):
        namespace_of(KubernetesConfig(), str(tmp_path / "nothing"))


def test_outside_a_pod_somebody_has_to_say_where() -> None:
    with pytest.raises(ConfigError, match=r"^kubernetes: this process does not run in a Kubernetes pod"):
        registry_of(KubernetesConfig(), {})


# ---------------------------------------------------------------- a real API server


@pytest.mark.slow
@pytest.mark.built
def test_a_real_api_server_tells_servers_and_nodes_by_their_labels(api_server: ApiServer) -> None:
    place = api_server.namespace(f"pool-{uuid4().hex[:8]}")
    api_server.service(place, "llama", ports=[{"name": "https", "port": 8443}])
    api_server.slice(place, "llama", endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False))
    api_server.slice(place, "another", endpoint("10.0.0.9"))
    for name, pool in (("gpu-1", place), ("gpu-2", place), ("cpu-1", "cpu")):
        api_server.ask("POST", NODES, {"metadata": {"name": f"{place}-{name}", "labels": {"pool": pool}}})
    settings = KubernetesConfig(
        kubeconfig=FilePath(api_server.kubeconfig), namespace=place, service="llama", node_selector=f"pool={place}"
    )
    config = ExporterConfig(pool="aws", price=NodePriceConfig(usd_per_hour=0.5), kubernetes=settings)

    async def scenario() -> None:
        async with census_of(config, {}) as census:
            await census.take()
            assert census.addresses == (Address("http://10.0.0.1:8443"), Address("http://10.0.0.2:8443"))
            assert census.nodes == 2
            api_server.delete(SLICES.format(place), "llama-1")
            api_server.delete(NODES, f"{place}-gpu-2")
            await census.take()
            found: Sequence[Address] | None = census.addresses
            assert found is not None
            assert len(found) == 0
            assert census.nodes == 1

    asyncio.run(scenario())
