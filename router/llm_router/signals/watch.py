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
from .pool import nodes_of, prefill_of, slots_of
from .presence import Presence
from .rents import Rents
from .snapshot import Board

LEAST_STALE_S = 30.0
"""However often we ask: the exporter measures at a pace of its own, seconds apart."""
ASLEEP_INTERVAL_S = 2.0
"""How often a pool that may be at zero is asked for while it is not up."""


class Watch(Protocol):
    """Keeps the board's views of one cluster or provider current."""

    name: str

    def interval_s(self) -> float: ...

    @property
    def report(self) -> HealthReport: ...

    @property
    def unseen(self) -> bool:
        """Whether it counts as being at zero for no other reason than that nobody has looked yet."""
        ...

    async def poll(self) -> None: ...

    async def aclose(self) -> None: ...


class ProviderWatch:
    """A provider by its health endpoint; without a check it counts as healthy."""

    def __init__(
        self, provider: Provider, check: HealthCheck | None, board: Board, metrics: Metrics, default_interval_s: float
    ) -> None:
        self.name = provider.name
        self._interval_s = float(provider.health_check.interval or default_interval_s)
        self._type, self._check, self._board, self._metrics = provider.type, check, board, metrics

    def interval_s(self) -> float:
        return self._interval_s if self._check is None else self._check.record.pace_s(self._interval_s)

    @property
    def report(self) -> HealthReport:
        return self._check.record.report if self._check is not None else HealthReport(status="healthy")

    @property
    def unseen(self) -> bool:
        return False

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
        rents: Rents,
        metrics: Metrics,
        *,
        cost: Cost,
        interval_s: float,
        clock: Callable[[], float],
        unix_time: Callable[[], float],
    ) -> None:
        self.name, self._interval_s = cluster.name, interval_s
        self._cluster, self._source, self._board, self._rents = cluster, source, board, rents
        self._metrics, self._cost, self._clock, self._unix_time = metrics, cost, clock, unix_time
        self._held = HeldFigure(cost.hysteresis.margin, cost.hysteresis.hold)
        self._presence = Presence(cluster)
        self._state: State = "up"

    def interval_s(self) -> float:
        """A pool that comes from zero is to be used as soon as it is there."""
        pace_s = self._source.record.pace_s(self._interval_s)
        return min(pace_s, ASLEEP_INTERVAL_S) if self._asleep else pace_s

    @property
    def report(self) -> HealthReport:
        """The gate's health, unless the pool behind it is away or silent. At zero, or on the way back, a pool is as it
        should be."""
        report = self._source.record.report
        if self._asleep:
            return msgspec.structs.replace(report, status="healthy", error=None)
        fault = self._fault
        return report if fault is None else msgspec.structs.replace(report, status="unhealthy", error=fault)

    @property
    def unseen(self) -> bool:
        return self._cluster.scaling.min_nodes == 0 and not self._source.record.report.last_check

    @property
    def _asleep(self) -> bool:
        return self._cluster.scaling.min_nodes == 0 and self._state in ("zero", "starting")

    @property
    def _fault(self) -> str | None:
        status = self._status
        if self._source.record.report.status != "healthy" or status is None:
            return None
        if self._is_stale(status):
            return "its status is stale: the exporter does not reach the pool"
        return None if status.state == "up" else f"the pool is {status.state}"

    @property
    def _status(self) -> ClusterStatus | None:
        return self._source.status if isinstance(self._source, StatusPoll) else None

    @property
    def _stale_after_s(self) -> float:
        return max(3 * self._interval_s, LEAST_STALE_S)

    def _is_stale(self, status: ClusterStatus) -> bool:
        return self._unix_time() - status.measured_at > self._stale_after_s

    async def poll(self) -> None:
        if isinstance(self._source, StatusPoll):
            await self._source.fetch()
        else:
            await self._source.check()
        self._state = self._presence.state(
            self._source.record.report, self._status, self._rents.wish(self.name), self._clock()
        )
        self._post(self._status)

    async def aclose(self) -> None:
        await self._source.aclose()

    def _post(self, status: ClusterStatus | None) -> None:
        health, there = self.report.status, self._state == "up"
        cost = cluster_cost(self._cluster, self._cost, status, self._unix_time(), stale_after_s=self._stale_after_s)
        cost = msgspec.structs.replace(cost, decision=self._held.update(cost.capacity, self._clock()))
        queue_depth = status.queue_depth if status is not None and there else 0
        self._board.post_owner(self.name, health=health, state=self._state, queue_depth=queue_depth, cost=cost)
        self._post_windows(status)
        nodes = nodes_of(self._cluster, status) if there and health == "healthy" else 0
        self._board.post_pool(
            self.name,
            nodes=nodes,
            slots=slots_of(self._cluster, status, nodes),
            prefill_tokens_per_second=prefill_of(self._cluster, status),
        )
        self._rents.seen(self.name, nodes, status)
        self._metrics.cluster(
            self.name, self._cluster.provider, self._cluster.region, health == "healthy" and (there or self._asleep)
        )
        self._metrics.queue(self.name, queue_depth)
        for view in self._board.of(self.name):
            self._metrics.cluster_cost(view.target, cost)

    def _post_windows(self, status: ClusterStatus | None) -> None:
        """Of a pool that is away the last ones are kept: as far as anybody knows the same servers come back."""
        told = {model.name: model.context_length for model in status.models} if status is not None else {}
        for view in self._board.of(self.name):
            length, stated = told.get(view.target.model), view.target.context_length
            if length is not None and length > 0:
                less = stated is None or length < stated
                self._board.post(view.target.name, window=length if less else None)
