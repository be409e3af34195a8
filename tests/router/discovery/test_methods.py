"""Each method has its discovery; what cannot be put together is told as the configuration's fault."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from llm_router.config.scalars import FilePath
from llm_router.config.schema import Cluster, Config, ConsulDiscovery, EtcdDiscovery, TargetTls
from llm_router.discovery.methods import Means, discovery_of
from llm_router.errors import ConfigError
from llm_router.telemetry.metrics import Metrics
from tests.router.discovery.scenes import SECRET, config, gauges, names

MEANS = Means(metrics=Metrics(CollectorRegistry()), clock=lambda: 0.0, sleep=asyncio.sleep, env={}, account_dir="/none")


def test_static_has_found_all_and_never_finds_more() -> None:
    async def main() -> None:
        fixed = Cluster(name="a", endpoint="https://a.example.com", shared_secret=SECRET)
        static = discovery_of(Config(clusters=(fixed,)), MEANS)
        assert names(static.current) == ["a"]
        assert [found async for found in static.sets()] == []
        assert gauges(MEANS.metrics, "static") == (1, 1)
        await static.aclose()

    asyncio.run(main())


def test_each_method_makes_its_own() -> None:
    async def main() -> None:
        for method in ("consul", "etcd"):
            discovery = discovery_of(config(method, consul=ConsulDiscovery(service="llm")), MEANS)
            assert discovery.method == method
            assert discovery.current.clusters == ()
            await discovery.aclose()

    asyncio.run(main())


def test_kubernetes_outside_a_pod_and_unreadable_certificates_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    ca = FilePath(tmp_path / "ca.pem")
    for refused, path in (
        (config("kubernetes"), "discovery.kubernetes: this process does not run in a Kubernetes pod"),
        (config("consul", consul=ConsulDiscovery(service="llm", ca_file=ca)), "discovery.consul.caFile: cannot load"),
        (config("etcd", etcd=EtcdDiscovery(tls=TargetTls(ca_file=ca))), "discovery.etcd.tls: cannot load"),
    ):
        with pytest.raises(ConfigError, match=path):
            discovery_of(refused, MEANS)
