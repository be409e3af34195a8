"""The metrics of all workers, and those of having workers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from ..telemetry.merging import Gathered


class WorkerMetrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gathered = Gathered()
        self._serving = Gauge("llm_router_workers", "Workers that take requests.", registry=self.registry)
        self._restarts = Counter(
            "llm_router_worker_restarts_total", "Workers that ended and were replaced.", registry=self.registry
        )

    def serving(self, count: int) -> None:
        self._serving.set(count)

    def restarted(self) -> None:
        self._restarts.inc()

    def text(self) -> bytes:
        return self.gathered.text(self.registry)
