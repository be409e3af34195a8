"""The metrics of several processes as one set: counters and histograms add up, gauges go by a rule each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

Rule = Callable[[Sequence[float]], float]

GAUGES: dict[str, Rule] = {
    # What only one process sees of the trouble is trouble.
    "llm_router_provider_health": min,
    "llm_router_cluster_health": min,
    "llm_router_discovery_up": min,
    "llm_router_ledger_up": min,
    "llm_router_state_up": min,
    "llm_router_config_last_reload_success": min,
    "llm_router_list_price_known": min,
    "llm_router_discovery_clusters": min,
    "llm_router_circuit_state": max,
    # All of them look at the same: the last one to look may have seen more.
    "llm_router_queue_depth": max,
    "llm_router_provider_cost_per_1k_tokens": max,
    "llm_router_cluster_cost_per_1k_tokens": max,
    "llm_router_ledger_delay_seconds": max,
    "llm_router_budget_usd": max,
    # One that wants the pool is enough.
    "llm_router_pool_wanted": max,
    # Each has its own.
    "llm_router_pending_requests": sum,
    "llm_router_ledger_waiting_records": sum,
    "llm_router_savings_usd_total": sum,
    # Each knows the whole, from Redis, or takes the others for its like.
    "llm_router_budget_used_usd": fmean,
}
"""How several processes' values of a gauge become one."""

KEPT_GAUGES = frozenset({"llm_router_savings_usd_total"})
"""Sums over what has been, as counters are: they outlive the process."""

Labels = tuple[tuple[str, str], ...]


class Family(Struct, frozen=True):
    """One metric with all its series, as one process has it. ``kind`` is Prometheus' type; a sample is its name, its
    labels and its value."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[str, Labels, float], ...]

    @property
    def outlives(self) -> bool:
        return self.kind in ("counter", "histogram") or self.name in KEPT_GAUGES

    def of(self, found: Mapping[tuple[str, Labels], Sequence[float]]) -> Family:
        """This family with what several processes have found."""
        samples = tuple((name, labels, self.rule(name)(values)) for (name, labels), values in found.items())
        return replace(self, samples=samples)

    def rule(self, sample: str) -> Rule:
        if sample.endswith("_created"):
            return min
        return sum if self.kind != "gauge" else GAUGES.get(self.name, max)


def families(registry: CollectorRegistry) -> list[Family]:
    """What the registry holds now."""
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            tuple((sample.name, tuple(sample.labels.items()), float(sample.value)) for sample in metric.samples),
        )
        for metric in registry.collect()
    ]


def merged(everybody: Iterable[Sequence[Family]]) -> list[Family]:
    """One family for each name, in order of appearance."""
    heads: dict[str, Family] = {}
    found: dict[str, dict[tuple[str, Labels], list[float]]] = {}
    for family in (family for one in everybody for family in one):
        heads.setdefault(family.name, family)
        series = found.setdefault(family.name, {})
        for name, labels, value in family.samples:
            series.setdefault((name, labels), []).append(value)
    return [head.of(found[name]) for name, head in heads.items()]


class Gathered:
    """The last metrics of each process, and what processes that have ended leave behind."""

    def __init__(self) -> None:
        self._of: dict[Hashable, Sequence[Family]] = {}
        self._left: Sequence[Family] = ()

    def take(self, who: Hashable, found: Sequence[Family]) -> None:
        self._of[who] = found

    def ended(self, who: Hashable) -> None:
        """Its sums stay; what it saw of the present is over."""
        found = self._of.pop(who, ())
        self._left = merged([self._left, [family for family in found if family.outlives]])

    def text(self, own: CollectorRegistry) -> bytes:
        """All of it in Prometheus' format, with the metrics of ``own``."""
        registry = CollectorRegistry()
        registry.register(_Found(merged([families(own), self._left, *self._of.values()])))
        return generate_latest(registry)


class _Found(Collector):
    def __init__(self, found: Iterable[Family]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        for family in self._found:
            metric = Metric(family.name, family.help, family.kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, dict(labels), value)
            yield metric
