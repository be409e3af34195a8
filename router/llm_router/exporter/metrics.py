"""The exporter's metrics: read off the pool at each scrape, so that they and its status always say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ..model import ClusterStatus, State

Labelled = Iterable[tuple[tuple[str, ...], float | None]]


class Figures(Struct, frozen=True, kw_only=True):
    """A pool at one moment. ``status`` is ``None`` before the first collection; ``tokens`` are in all, by type;
    ``fetches`` counts by price source and result, ``asked`` the requests for the signed status by result."""

    pool: str
    status: ClusterStatus | None = None
    servers: Sequence[State] = ()
    tokens: Mapping[str, float] = field(default_factory=dict)
    fetches: Mapping[tuple[str, str], int] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)


class PoolMetrics(Collector):
    """Register it with a registry. An unknown figure is absent, never zero or NaN."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        now = self._figures()
        if now.status is not None:
            yield from _costs(now.pool, now.status)
            yield from _load(now.pool, now.status)
            yield _gauge("llm_cluster_servers", "llama-servers by state.", ("pool", "state"), _states(now))
        yield _counter("llm_cluster_tokens", "Tokens served.", ("pool", "type"), _by(now.pool, now.tokens.items()))
        yield _counter(
            "llm_cluster_price_fetches",
            "Questions for the node price.",
            ("pool", "source", "result"),
            [((now.pool, *labels), count) for labels, count in now.fetches.items()],
        )
        yield _counter(
            "llm_cluster_status_requests",
            "Requests for the signed status.",
            ("pool", "result"),
            _by(now.pool, now.asked.items()),
        )

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: which figures there are depends on what has been measured."""
        return iter(())


def _costs(pool: str, status: ClusterStatus) -> Iterator[Metric]:
    speeds, cost = status.tokens_per_second, status.usd_per_1k_tokens
    yield _gauge(
        "llm_cluster_node_usd_per_hour",
        "What one node costs.",
        ("pool", "source"),
        [((pool, status.price_source or ""), status.node_usd_per_hour)],
    )
    yield _gauge("llm_cluster_price_age_seconds", "Age of the node price.", ("pool",), [((pool,), status.price_age_s)])
    yield _gauge(
        "llm_cluster_tokens_per_second",
        "Generated tokens per second of the pool; prefill: prompt tokens read.",
        ("pool", "basis"),
        _by(pool, [("capacity", speeds.capacity), ("realised", speeds.realised), ("prefill", speeds.prefill)]),
    )
    yield _gauge(
        "llm_cluster_usd_per_1k_tokens",
        "What 1K generated tokens cost.",
        ("pool", "basis"),
        _by(pool, [("capacity", cost.capacity), ("realised", cost.realised), ("marginal", cost.marginal)]),
    )


def _load(pool: str, status: ClusterStatus) -> Iterator[Metric]:
    yield _gauge("llm_cluster_nodes", "Nodes that are paid for.", ("pool",), [((pool,), status.nodes)])
    yield _gauge(
        "llm_cluster_queue_depth", "Requests that wait for a slot.", ("pool",), [((pool,), status.queue_depth)]
    )
    slots = [("busy", status.slots_busy), ("free", status.slots_total - status.slots_busy)]
    yield _gauge("llm_cluster_slots", "Slots of the servers that are up.", ("pool", "state"), _by(pool, slots))


def _states(now: Figures) -> Labelled:
    counts = Counter(now.servers)
    return _by(now.pool, [(state, counts[state]) for state in ("up", "starting", "down")])


def _by(pool: str, values: Iterable[tuple[str, float | None]]) -> Labelled:
    return [((pool, label), value) for label, value in values]


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        if value is not None:
            family.add_metric(label_values, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        if value is not None:
            family.add_metric(label_values, value)
    return family
