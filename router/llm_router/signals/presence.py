"""Is a pool up, starting, at zero, or down? Where nobody answers, the router's own wish tells the last three apart."""

from __future__ import annotations

from ..config.schema import Cluster
from ..model import ClusterStatus, State
from ..pricing.rent import AccountView
from .health import HealthReport

GRACE_S = 30.0
"""How much longer than its cold start a pool may take before it counts as down."""


class Presence:
    """One pool's state, poll by poll. Times are monotonic seconds."""

    def __init__(self, cluster: Cluster) -> None:
        self._may_be_away = cluster.scaling.min_nodes == 0
        self._patience_s = cluster.scaling.cold_start + GRACE_S
        self._up_at = float("-inf")

    def state(self, report: HealthReport, status: ClusterStatus | None, wish: AccountView | None, now: float) -> State:
        """``status`` is the last one that came, ``wish`` what the router wants of the pool, if it may want anything.

        A pool that may be at zero and at whose address nobody is: not wanted, it is at zero; wanted, or lost a while
        ago, it is starting for as long as a cold start takes; after that it is down.
        """
        told: State = "up" if status is None else status.state
        gone = told in ("zero", "down") if report.status == "healthy" else report.absent
        if not gone or not self._may_be_away or wish is None:
            if told == "up" and report.status == "healthy":
                self._up_at = now
            return told
        if wish.wanted == 0:
            return "zero"
        return "starting" if now <= max(wish.since, self._up_at) + self._patience_s else "down"
