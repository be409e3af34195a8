"""Every metric of the router, by its exact name. Label values come from the configuration and from discovery only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Literal, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..model import Basis, ClusterCost, Target, Usage

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
RATIO_BUCKETS = (0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
OVERHEAD_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)

CIRCUIT_STATES = {"closed": 0, "half_open": 1, "open": 2}


_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)


class _Children(Generic[_Metric]):
    """A metric of the hot path with its children at hand: the library's own look-up takes a lock and turns every value
    into a string each time. Nothing is ever taken out, which is why gauges that may lose a series are not kept so."""

    def __init__(self, metric: _Metric) -> None:
        self._metric: _Metric = metric
        self._known: dict[tuple[str | int, ...], _Metric] = {}

    def labels(self, *values: str | int) -> _Metric:
        child = self._known.get(values)
        if child is None:
            child = self._known[values] = self._metric.labels(*values)
        return child


def admin_logins(registry: CollectorRegistry) -> Counter:
    """For whichever process has the admin listener."""
    return Counter("llm_router_admin_logins_total", "Logins to the admin listener.", ["result"], registry=registry)


class _Make:
    """Makes the metrics of one registry, by name, text and labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> _Children[Counter]:
        return _Children(Counter(name, text, labels, registry=self._registry))

    def single_counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float]) -> _Children[Histogram]:
        return _Children(Histogram(name, text, labels, buckets=buckets, registry=self._registry))

    def single_histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, text, buckets=buckets, registry=self._registry)


class Metrics:
    """One registry's worth of metrics; nothing is registered globally."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        make = _Make(registry)
        self._declare_requests(make)
        self._declare_money(make)
        self._declare_targets(make)
        self._declare_limits(make)
        self._declare_process(make)
        self.admin_logins = admin_logins(registry)

    # ------------------------------------------------------------ names

    def _declare_requests(self, make: _Make) -> None:
        self._decisions = make.counter(
            "llm_router_routing_decisions_total", "Decisions by first choice.", "target", "type", "reason"
        )
        self._requests = make.counter(
            "llm_router_requests_total", "Requests by target and HTTP status.", "target", "status"
        )
        self._duration = make.histogram(
            "llm_router_request_duration_seconds",
            "From request to the end of the answer.",
            "target",
            buckets=LATENCY_BUCKETS,
        )
        self._first_token = make.histogram(
            "llm_router_time_to_first_token_seconds",
            "From request to first content.",
            "target",
            buckets=LATENCY_BUCKETS,
        )
        self._overhead = make.single_histogram(
            "llm_router_overhead_seconds", "The router's own time before the first attempt.", OVERHEAD_BUCKETS
        )
        self._tokens = make.counter("llm_router_tokens_total", "Tokens by cluster or provider.", "provider", "type")
        self._external = make.counter(
            "llm_router_external_requests_total", "Requests to providers.", "provider", "model", "status"
        )
        self._failovers = make.counter("llm_router_failovers_total", "Follow-up attempts.", "from", "to", "reason")
        self._hedges = make.counter(
            "llm_router_hedges_total", "Second attempts beside a slow first one.", "from", "to", "result"
        )
        self._shed = make.counter(
            "llm_router_shed_requests_total", "Requests refused for load.", "criticality", "cause"
        )
        self._embedded = make.counter(
            "llm_router_embeddings_total", "Prompts to be embedded, by what came of it.", "target", "outcome"
        )
        self._estimate = make.histogram(
            "llm_router_estimate_ratio",
            "Actual over estimated, of complete answers: 1 is a perfect estimate, above 1 too low a one.",
            "target",
            "of",
            buckets=RATIO_BUCKETS,
        )
        self._estimated = make.counter(
            "llm_router_estimated_usage_total", "Answers without token counts that can be believed.", "target"
        )

    def _declare_money(self, make: _Make) -> None:
        self._provider_cost = make.gauge(
            "llm_router_provider_cost_per_1k_tokens", "List price, USD per 1K output tokens.", "provider", "model"
        )
        self._cluster_cost = make.gauge(
            "llm_router_cluster_cost_per_1k_tokens", "USD per 1K tokens.", "cluster", "provider", "model", "basis"
        )
        self._price_known = make.gauge(
            "llm_router_list_price_known", "1 if the model's list price is known, 0 if not.", "provider", "model"
        )
        self._cost = make.counter("llm_router_cost_usd_total", "USD spent.", "target")
        # Savings may be negative: a gauge under the name that users know, since a counter cannot go down.
        self._savings = _Children(
            make.gauge("llm_router_savings_usd_total", "Baseline cost minus actual cost, USD.", "baseline")
        )
        # Usage that no price is known for is counted, never priced at nothing.
        self._unpriced = make.counter("llm_router_unpriced_requests_total", "Requests whose cost is unknown.", "target")
        self._ledger_up = make.gauge("llm_router_ledger_up", "1 if the last write of the ledger succeeded.", "backend")
        self._ledger_waiting = make.gauge("llm_router_ledger_waiting_records", "Records not yet written.", "backend")
        self._ledger_delay = make.gauge(
            "llm_router_ledger_delay_seconds", "How long the oldest record not yet written has waited.", "backend"
        )
        self._ledger_records = make.counter("llm_router_ledger_records_total", "Records by fate.", "backend", "result")

    def _declare_targets(self, make: _Make) -> None:
        self._provider_health = make.gauge("llm_router_provider_health", "1 healthy, 0 not.", "provider", "type")
        self._cluster_health = make.gauge(
            "llm_router_cluster_health", "1 healthy, 0 not.", "cluster", "provider", "region"
        )
        self._circuit = make.gauge("llm_router_circuit_state", "0 closed, 1 half-open, 2 open.", "target")
        self._queue_depth = make.gauge("llm_router_queue_depth", "Requests waiting in the cluster.", "cluster")
        self._pending = make.gauge("llm_router_pending_requests", "Attempts in flight.", "target")
        self._pool_wanted = make.gauge(
            "llm_router_pool_wanted", "Nodes that the router wants the pool to have.", "pool"
        )
        self._discovery_up = make.gauge(
            "llm_router_discovery_up", "1 if the last answer stands, 0 while an earlier one has to do.", "method"
        )
        self._discovery_clusters = make.gauge(
            "llm_router_discovery_clusters", "Clusters in use from discovery.", "method"
        )

    def _declare_limits(self, make: _Make) -> None:
        self._limited = make.counter(
            "llm_router_limited_total", "Requests that a limit turned away.", "scope", "name", "limit"
        )
        self._budget = make.gauge("llm_router_budget_usd", "What may be spent.", "scope", "name", "period")
        self._budget_used = make.gauge(
            "llm_router_budget_used_usd", "Spent and reserved in this day or month.", "scope", "name", "period"
        )
        self._budget_alerts = make.counter(
            "llm_router_budget_alerts_total", "Budgets that came to their soft share.", "scope", "name", "period"
        )
        self._state_up = make.gauge(
            "llm_router_state_up", "1 while shared state answers, 0 while each router is alone.", "backend"
        )
        self._state_seconds = make.single_histogram(
            "llm_router_state_seconds", "Time to reserve in shared state.", OVERHEAD_BUCKETS
        )
        self._state_failures = make.single_counter(
            "llm_router_state_failures_total", "Times that shared state was lost."
        )

    def _declare_process(self, make: _Make) -> None:
        self._loop_lag = make.single_histogram(
            "llm_router_loop_lag_seconds", "How late the event loop came to what was due.", LAG_BUCKETS
        )
        self._reload = make.gauge("llm_router_config_last_reload_success", "1 if the last (re)load succeeded.")

    # ------------------------------------------------------------ requests

    def decided(self, target: Target, reason: str, overhead_s: float) -> None:
        self._decisions.labels(target.name, target.kind, reason).inc()
        self._overhead.observe(overhead_s)

    def failover(self, source: Target, to: Target, reason: str) -> None:
        self._failovers.labels(source.name, to.name, reason).inc()

    def hedged(self, source: Target, to: Target, *, won: bool) -> None:
        self._hedges.labels(source.name, to.name, "won" if won else "lost").inc()

    def shed(self, criticality: str, cause: str) -> None:
        self._shed.labels(criticality, cause).inc()

    def answered(self, target: Target | None, status: int, duration_s: float, first_token_s: float | None) -> None:
        name = target.name if target is not None else ""
        self._requests.labels(name, status).inc()
        if target is None:
            return
        self._duration.labels(name).observe(duration_s)
        if first_token_s is not None:
            self._first_token.labels(name).observe(first_token_s)
        if target.kind == "provider":
            self._external.labels(target.owner, target.model, status).inc()

    def spent(self, target: Target, usage: Usage, cost_usd: float | None) -> None:
        self._tokens.labels(target.owner, "input").inc(usage.all_input_tokens)
        self._tokens.labels(target.owner, "output").inc(usage.output_tokens)
        if usage.estimated:
            self._estimated.labels(target.name).inc()
        if cost_usd is None:
            self._unpriced.labels(target.name).inc()
        else:
            self._cost.labels(target.name).inc(cost_usd)

    def embedded(self, target: Target, outcome: str) -> None:
        self._embedded.labels(target.name, outcome).inc()

    def estimated(self, target: Target, of: str, estimate: float | None, actual: float | None) -> None:
        """How an estimate compares with what it was of. Where either is unknown or nothing, there is no ratio."""
        if estimate and actual:
            self._estimate.labels(target.name, of).observe(actual / estimate)

    def saved(self, baseline: str, usd: float) -> None:
        self._savings.labels(baseline).inc(usd)

    def ledger(self, backend: str, waiting: int, delay_s: float, *, up: bool) -> None:
        self._ledger_up.labels(backend).set(up)
        self._ledger_waiting.labels(backend).set(waiting)
        self._ledger_delay.labels(backend).set(delay_s)

    def ledger_records(self, backend: str, result: Literal["written", "lost"], count: int) -> None:
        self._ledger_records.labels(backend, result).inc(count)

    # ------------------------------------------------------------ signals

    def provider(self, name: str, kind: str, healthy: bool) -> None:
        self._provider_health.labels(name, kind).set(healthy)

    def provider_cost(self, provider: str, model: str, usd_per_1k: float | None) -> None:
        """A price that is not known has no series: absent is not free."""
        self._price_known.labels(provider, model).set(usd_per_1k is not None)
        if usd_per_1k is not None:
            self._provider_cost.labels(provider, model).set(usd_per_1k)
        else:
            self._provider_cost.remove(provider, model)

    def cluster(self, name: str, cloud: str, region: str, healthy: bool) -> None:
        self._cluster_health.labels(name, cloud, region).set(healthy)

    def cluster_cost(self, target: Target, cost: ClusterCost) -> None:
        """A basis that is unknown has no series: absent is not free."""
        figures: dict[Basis, float | None] = {
            "capacity": cost.capacity,
            "realised": cost.realised,
            "marginal": cost.marginal,
        }
        for basis, usd in figures.items():
            if usd is not None:
                self._cluster_cost.labels(target.owner, target.cloud, target.model, basis).set(usd)
            else:
                self._cluster_cost.remove(target.owner, target.cloud, target.model, basis)

    def cluster_gone(self, name: str, cloud: str, region: str) -> None:
        """What is no longer known has no health; what it did in its time stays counted."""
        self._cluster_health.remove(name, cloud, region)
        self._queue_depth.remove(name)
        self._pool_wanted.remove(name)

    def provider_gone(self, name: str, kind: str) -> None:
        self._provider_health.remove(name, kind)

    def target_gone(self, name: str) -> None:
        self._circuit.remove(name)
        self._pending.remove(name)

    def price_gone(self, target: Target) -> None:
        """Nobody can have that model there any more."""
        if target.kind == "provider":
            self._provider_cost.remove(target.owner, target.model)
            self._price_known.remove(target.owner, target.model)
        else:
            for basis in get_args(Basis):
                self._cluster_cost.remove(target.owner, target.cloud, target.model, basis)

    def queue(self, cluster: str, depth: int) -> None:
        self._queue_depth.labels(cluster).set(depth)

    def pool_wanted(self, pool: str, nodes: int) -> None:
        self._pool_wanted.labels(pool).set(nodes)

    def target(self, name: str, circuit: str, pending: int) -> None:
        self._circuit.labels(name).set(CIRCUIT_STATES[circuit])
        self._pending.labels(name).set(pending)

    def discovered(self, method: str, clusters: int, *, up: bool) -> None:
        """The methods used before have no series: after a reload another may have taken their place."""
        for gauge, value in ((self._discovery_up, float(up)), (self._discovery_clusters, float(clusters))):
            gauge.clear()
            gauge.labels(method).set(value)

    # ------------------------------------------------------------ limits

    def limited(self, scope: str, name: str, limit: str) -> None:
        self._limited.labels(scope, name, limit).inc()

    def budgets(self, standing: Iterable[tuple[str, str, str, float, float]]) -> None:
        """All of them: scope, name, period, USD that may be spent, USD that are. Others have no series any more."""
        self._budget.clear()
        self._budget_used.clear()
        for scope, name, period, usd, used_usd in standing:
            self._budget.labels(scope, name, period).set(usd)
            self._budget_used.labels(scope, name, period).set(used_usd)

    def budget_alert(self, scope: str, name: str, period: str) -> None:
        self._budget_alerts.labels(scope, name, period).inc()

    def state_asked(self, seconds: float) -> None:
        self._state_seconds.observe(seconds)

    def state_reached(self, *, up: bool) -> None:
        self._state_up.labels("redis").set(up)
        if not up:
            self._state_failures.inc()

    def loop_lag(self, seconds: float) -> None:
        self._loop_lag.observe(seconds)

    def reloaded(self, success: bool) -> None:
        self._reload.set(success)
