"""The router's own decisions in a run: the same engine, strategies and book of rents, fed with simulated signals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from ..config.schema import Config
from ..errors import NoTarget
from ..model import ClusterCost, Expected, PoolView, Snapshot, Target, Usage, View
from ..pricing.cluster_cost import cluster_cost
from ..pricing.expectations import Expectations
from ..pricing.rent import RentBook, RentRule, terms_of
from ..routing.engine import decide
from ..routing.policy import Policy
from ..routing.strategies.hybrid import BY_RENT
from ..routing.turns import Turns
from ..signals.latency import LatencyWindow
from .job import Job
from .options import facts_of
from .pool import Pool
from .world import World

LATENCY_POST_S = 0.25
"""As in the router: percentiles are not computed anew for every answer."""


class Routed:
    """``strategy`` decides who answers, and how many nodes there are."""

    def __init__(self, strategy: str, config: Config, policy: Policy, rule: RentRule | None = None) -> None:
        self._policy = replace(policy, strategy=strategy)
        self._by_rent = strategy == BY_RENT
        self._config, self._rule = config, rule
        self._expectations = Expectations()
        self._turns = Turns()
        self._tick_at = math.inf

    def begin(self, world: World) -> None:
        clusters = self._config.clusters
        self._book = RentBook(
            {cluster.name: terms_of(cluster) for cluster in clusters}, 0.0, self._rule, by_rent=self._by_rent
        )
        costs = {cluster.name: cluster_cost(cluster, self._config.router.cost, None, 0.0) for cluster in clusters}
        latency = self._config.router.latency
        self._standings = {
            target.name: _Standing(target, costs.get(target.owner), latency.window, latency.percentile)
            for target in world.fleet.targets
        }

    def place(self, job: Job, world: World) -> Iterable[Target]:
        try:
            decision = decide(facts_of(job.request), self._snapshot(world), self._policy, self._turns.take)
        except NoTarget as refusal:
            targets: Sequence[Target] = ()
            demand = refusal.demand
        else:
            targets = [choice.target for choice in decision.choices]
            demand = decision.demand
        if demand is not None:
            self._wish(self._book.observe(demand, world.now), world)
        return targets

    def nodes_changed(self, pool: Pool, world: World) -> None:
        self._wish(self._book.seen(pool.spec.name, len(pool.nodes), world.now), world)

    def idles(self, pool: Pool, world: World) -> None:
        """The book knows."""

    def finished(self, job: Job, world: World) -> None:
        standing = self._standings[job.target]
        usage = Usage(input_tokens=job.request.input_tokens, output_tokens=job.request.output_tokens)
        self._expectations.learn(standing.target.model, facts_of(job.request), usage)
        standing.learn(job, world.now)

    def _snapshot(self, world: World) -> Snapshot:
        pools = {name: self._pool_view(pool) for name, pool in world.pools.items()}
        views = (
            standing.view(world, pools, self._expectations.of(standing.target.model))
            for standing in self._standings.values()
        )
        return Snapshot(tuple(views), world.now, pools)

    def _pool_view(self, pool: Pool) -> PoolView:
        speed = pool.spec.speed
        return PoolView(
            nodes=len(pool.nodes),
            wanted=pool.wanted,
            slots=len(pool.nodes) * speed.slots,
            prefill_tokens_per_second=speed.prefill_tokens_per_second,
            in_flight=pool.in_flight,
            unread_tokens=pool.unread_tokens,
            decoding=pool.decoding,
        )

    # ------------------------------------------------------------ nodes

    def _wish(self, changed: Iterable[str], world: World) -> None:
        for pool in changed:
            world.want(pool, self._book.wanted(pool))
        self._schedule_tick(world)

    def _schedule_tick(self, world: World) -> None:
        due = self._book.due()
        if due < self._tick_at or self._tick_at < world.now:
            self._tick_at = due
            if due < math.inf:
                world.at(due, lambda: self._tick(due, world))

    def _tick(self, at_s: float, world: World) -> None:
        if at_s != self._tick_at:
            return
        self._tick_at = math.inf
        busy = {
            name: min(math.ceil(pool.in_flight / pool.spec.speed.slots), len(pool.nodes))
            for name, pool in world.pools.items()
        }
        self._wish(self._book.tick(world.now, busy), world)


class _Standing:
    """What the router has learnt of a target."""

    def __init__(self, target: Target, cost: ClusterCost | None, window_s: float, percentile: float) -> None:
        self.target, self._cost = target, cost
        self._first, self._total = LatencyWindow(window_s, percentile), LatencyWindow(window_s, percentile)
        self._window_s = window_s
        self._posted_at = -math.inf
        self._p95_first: float | None = None
        self._p95_total: float | None = None
        self._median_first: float | None = None

    def learn(self, job: Job, now: float) -> None:
        for window, at_s in ((self._first, job.first_token_s), (self._total, job.done_s)):
            if at_s is not None:
                window.add(now, (at_s - job.request.at_s) * 1000)
        if now - self._posted_at >= LATENCY_POST_S:
            self._posted_at = now
            self._p95_first, self._median_first = self._first.figures(now)
            self._p95_total, _ = self._total.figures(now)

    def view(self, world: World, pools: dict[str, PoolView], expected: Expected) -> View:
        fresh = world.now <= self._posted_at + self._window_s
        pool = pools.get(self.target.owner)
        return View(
            target=self.target,
            state="up" if pool is None else world.pools[self.target.owner].state,
            health="healthy",
            p95_latency_ms=self._p95_first if fresh else None,
            p95_total_ms=self._p95_total if fresh else None,
            first_token_ms=self._median_first if fresh else None,
            queue_depth=0 if pool is None else max(0, pool.in_flight - (pool.slots or 0)),
            pending=world.pending[self.target.name],
            cost=self._cost,
            expected=expected,
        )
