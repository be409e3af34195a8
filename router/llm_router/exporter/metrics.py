"""The exporter's metrics: read off the pool's status at each scrape, so that both always say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ..model import ClusterStatus

Labelled = tuple[tuple[str, ...], float | None]


class PoolMetrics(Collector):
    """Register it with a registry. An unknown figure is absent, never zero or NaN."""

    def __init__(self, status: Callable[[], ClusterStatus | None]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        if status is None:
            return
        pool, speeds, cost = status.target, status.tokens_per_second, status.usd_per_1k_tokens
        yield _gauge(
            "llm_cluster_node_usd_per_hour",
            "What one node costs.",
            ("pool", "source"),
            [((pool, status.price_source or ""), status.node_usd_per_hour)],
        )
        yield _gauge(
            "llm_cluster_tokens_per_second",
            "Generated tokens per second of the pool; prefill: prompt tokens read.",
            ("pool", "basis"),
            [
                ((pool, "capacity"), speeds.capacity),
                ((pool, "realised"), speeds.realised),
                ((pool, "prefill"), speeds.prefill),
            ],
        )
        yield _gauge(
            "llm_cluster_usd_per_1k_tokens",
            "What 1K generated tokens cost.",
            ("pool", "basis"),
            [
                ((pool, "capacity"), cost.capacity),
                ((pool, "realised"), cost.realised),
                ((pool, "marginal"), cost.marginal),
            ],
        )
        yield _gauge(
            "llm_cluster_price_age_seconds", "Age of the node price.", ("pool",), [((pool,), status.price_age_s)]
        )

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: which figures there are depends on what has been measured."""
        return iter(())


def _gauge(name: str, text: str, labels: tuple[str, ...], values: list[Labelled]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        if value is not None:
            family.add_metric(label_values, value)
    return family
