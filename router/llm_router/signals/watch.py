"""Watching clusters and providers: what polling finds is priced, held steady, and posted to the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from ..config.schema import Cluster, Cost, Provider
from ..model import ClusterStatus, State
from ..pricing.cluster_cost import cluster_cost
from ..pricing.hysteresis import HeldFigure
from ..telemetry.metrics import Metrics
from .cluster_status import StatusPoll
from .health import HealthCheck, HealthReport, NeverHealthy
from .snapshot import Board

LEAST_STALE_S = 30.0
"""However often we ask: the exporter measures at a pace of its own, seconds apart."""


class Watch(Protocol):
    """Keeps the board's views of one cluster or provider current."""

    name: str
    interval_s: float

    @property
    def report(self) -> HealthReport: ...

    async def poll(self) -> None: ...

    async def aclose(self) -> None: ...


class ProviderWatch:
    """A provider by its health endpoint; without a check it counts as healthy."""

    def __init__(
        self, provider: Provider, check: HealthCheck | None, board: Board, metrics: Metrics, default_interval_s: float
    ) -> None:
        self.name = provider.name
        self.interval_s = float(provider.health_check.interval or default_interval_s)
        self._type, self._check, self._board, self._metrics = provider.type, check, board, metrics

    @property
    def report(self) -> HealthReport:
        return self._check.record.report if self._check is not None else HealthReport(status="healthy")

    async def poll(self) -> None:
        if self._check is not None:
            await self._check.check()
        health = self.report.status
        self._board.post_owner(self.name, health=health)
        self._metrics.provider(self.name, self._type, health == "healthy")

    async def aclose(self) -> None:
        if self._check is not None:
            await self._check.aclose()


class ClusterWatch:
    """A cluster by its signed status, or by its health endpoint where it has no gate. ``clock`` is monotonic seconds,
    ``unix_time`` the wall clock."""

    def __init__(
        self,
        cluster: Cluster,
        source: StatusPoll | HealthCheck | NeverHealthy,
        board: Board,
        metrics: Metrics,
        *,
        cost: Cost,
        interval_s: float,
        clock: Callable[[], float],
        unix_time: Callable[[], float],
    ) -> None:
        self.name, self.interval_s = cluster.name, interval_s
        self._cluster, self._source, self._board, self._metrics = cluster, source, board, metrics
        self._cost, self._clock, self._unix_time = cost, clock, unix_time
        self._held = HeldFigure(cost.hysteresis.margin, cost.hysteresis.hold)

    @property
    def report(self) -> HealthReport:
        """The gate's health, unless the pool behind it is away or silent."""
        report = self._source.record.report
        fault = self._fault
        return report if fault is None else msgspec.structs.replace(report, status="unhealthy", error=fault)

    @property
    def _fault(self) -> str | None:
        status = self._source.status if isinstance(self._source, StatusPoll) else None
        if self._source.record.report.status != "healthy" or status is None:
            return None
        if self._unix_time() - status.measured_at > self._stale_after_s:
            return "its status is stale: the exporter does not reach the pool"
        return None if status.state == "up" else f"the pool is {status.state}"

    @property
    def _stale_after_s(self) -> float:
        return max(3 * self.interval_s, LEAST_STALE_S)

    async def poll(self) -> None:
        if isinstance(self._source, StatusPoll):
            await self._source.fetch()
            status = self._source.status
        else:
            await self._source.check()
            status = None
        self._post(status)

    async def aclose(self) -> None:
        await self._source.aclose()

    def _post(self, status: ClusterStatus | None) -> None:
        health = self.report.status
        cost = cluster_cost(self._cluster, self._cost, status, self._unix_time(), stale_after_s=self._stale_after_s)
        cost = msgspec.structs.replace(cost, decision=self._held.update(cost.capacity, self._clock()))
        slots = status.slots_total if status is not None else self._cluster.capacity.slots
        state: State = status.state if status is not None else "up"
        self._board.post_owner(
            self.name,
            health=health,
            state=state,
            queue_depth=status.queue_depth if status is not None else 0,
            slots_total=slots or None,
            cost=cost,
        )
        self._show(health == "healthy" and state == "up", status)
        self._metrics.cluster_cost(self.name, self._cluster.provider, cost)

    def _show(self, healthy: bool, status: ClusterStatus | None) -> None:
        self._metrics.cluster(self.name, self._cluster.provider, self._cluster.region, healthy)
        self._metrics.queue(self.name, status.queue_depth if status is not None else 0)
        self._metrics.pool_wanted(self.name, wanted=self._cluster.scaling.min_nodes > 0)
