"""The metrics that router, gate and exporter really export, and those that PromQL asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from prometheus_client import CollectorRegistry

from llm_router.exporter.metrics import Figures, PoolMetrics
from llm_router.gate.metrics import GateMetrics
from llm_router.model import ClusterStatus
from llm_router.telemetry.metrics import Metrics

#: What Prometheus adds when it scrapes, and the pool that the PodMonitor writes beside a gate's metrics.
SCRAPED = frozenset({"pod", "instance", "namespace", "job", "pool"})
FROM_ELSEWHERE = frozenset(
    {
        "kube_pod_status_phase",
        "kube_pod_container_resource_requests",
        "kube_pod_init_container_resource_requests",
        "kube_node_spec_taint",
        "kube_node_status_condition",
        "kube_node_spec_unschedulable",
        "kube_node_labels",
        "certmanager_certificate_expiration_timestamp_seconds",
    }
)
_NAME = re.compile(r"\b(llm_\w+|kube_\w+|certmanager_\w+)\b(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")
_MADE = frozenset({"le", "cluster", "pool"})  # histograms' own, and what label_replace makes of each other


@cache
def exposed() -> dict[str, frozenset[str]]:
    """Every metric as Prometheus sees it, with its labels."""
    registry = CollectorRegistry()
    Metrics(registry)
    GateMetrics(registry)
    registry.register(PoolMetrics(lambda: Figures(pool="pool", status=ClusterStatus(target="pool", state="up"))))
    found: dict[str, frozenset[str]] = {}
    for collector in registry._collector_to_names:
        for family in collector.collect():
            labels = frozenset(getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ()))
            endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
            found |= {family.name + ending: labels | SCRAPED for ending in endings}
    return found


def metrics_in(query: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The metrics of a query, each with the labels that its selector names."""
    for name, selector in _NAME.findall(query):
        yield name, frozenset(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))


def grouped_by(query: str) -> frozenset[str]:
    """The labels by which a query groups or matches."""
    return frozenset(label.strip() for group in _GROUPED.findall(query) for label in group.split(",")) - {""}


def labels_of(query: str) -> frozenset[str]:
    """The labels that the metrics of a query have together."""
    return _MADE.union(*(exposed().get(name, frozenset()) for name, _ in metrics_in(query)))
