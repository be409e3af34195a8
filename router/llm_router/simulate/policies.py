"""Policies to compare the strategies with: everything outside, everything inside, nodes that are held, and plans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from ..model import Target
from .hindsight import NodePlan
from .job import Job
from .options import Options
from .pool import Pool
from .world import World


class Passive:
    """A policy that takes note of nothing."""

    def begin(self, world: World) -> None: ...

    def nodes_changed(self, pool: Pool, world: World) -> None: ...

    def idles(self, pool: Pool, world: World) -> None: ...

    def finished(self, job: Job, world: World) -> None: ...


class AllExternal(Passive):
    """The cheapest provider, always."""

    def __init__(self, options: Sequence[Options]) -> None:
        self._options = options

    def place(self, job: Job, world: World) -> Iterable[Target]:
        outside = self._options[job.number].outside
        return () if outside is None else (outside,)


class AllCluster(Passive):
    """The cluster that is predicted to answer first, always. A node more, the cheapest one, is started when none would
    answer within ``limit_s``, and goes when it has idled."""

    def __init__(self, options: Sequence[Options], limit_s: float) -> None:
        self._options, self._limit_s = options, limit_s

    def place(self, job: Job, world: World) -> Iterable[Target]:
        inside = self._options[job.number].inside
        predicted = {target.owner: _predicted_s(job, world.pools[target.owner]) for target in inside}
        if inside and min(predicted.values()) > self._limit_s:
            self._start_one([world.pools[name] for name in predicted], world)
        return sorted(inside, key=lambda target: predicted[target.owner])

    def idles(self, pool: Pool, world: World) -> None:
        world.want(pool.spec.name, len(pool.nodes) - len(pool.idle_nodes(world.now)))

    def _start_one(self, pools: Sequence[Pool], world: World) -> None:
        if any(pool.starting for pool in pools):
            return
        free = [pool for pool in pools if pool.wanted < pool.spec.max_nodes]
        if free:
            cheapest = min(free, key=lambda pool: pool.spec.usd_per_second)
            world.want(cheapest.spec.name, cheapest.wanted + 1)


class Held(Passive):
    """All nodes of these pools, from the beginning to the end. Whoever of them reads a request within ``limit_s`` gets
    it, those that run anyway first, then the dearest; else the cheapest provider, else the cluster that is first."""

    def __init__(self, options: Sequence[Options], pools: Collection[str], limit_s: float) -> None:
        self._options, self._pools, self._limit_s = options, pools, limit_s

    def begin(self, world: World) -> None:
        for name in self._pools:
            world.want(name, world.pools[name].spec.max_nodes)

    def place(self, job: Job, world: World) -> Iterable[Target]:
        options = self._options[job.number]
        fit = [target for target in options.inside if _fits(job, world.pools[target.owner], self._limit_s)]
        fit.sort(key=lambda target: (not target.always_on, -world.pools[target.owner].spec.usd_per_second))
        if options.outside is not None:
            return (*fit, options.outside)
        return (*fit, *sorted(options.inside, key=lambda target: _predicted_s(job, world.pools[target.owner])))


class Planned(Passive):
    """Nodes and requests by a plan that was made with full knowledge. What does not fit as planned, because slots are
    full or reading takes longer, goes outside, or where nobody is outside to whoever reads it first."""

    def __init__(self, options: Sequence[Options], plans: Sequence[NodePlan], limit_s: float) -> None:
        self._options, self._plans, self._limit_s = options, plans, limit_s
        self._takes = {number: plan.pool for plan in plans for number in plan.takes}

    def begin(self, world: World) -> None:
        for plan in self._plans:
            for from_s, until_s in plan.spells:
                world.at(from_s, partial(self._add, plan.pool, 1, world))
                world.at(until_s, partial(self._add, plan.pool, -1, world))

    def place(self, job: Job, world: World) -> Iterable[Target]:
        options = self._options[job.number]
        planned = self._takes.get(job.number)
        if planned is not None:
            if _fits(job, world.pools[planned], self._limit_s):
                return [target for target in options.inside if target.owner == planned]
        if options.outside is not None:
            return (options.outside,)
        return sorted(options.inside, key=lambda target: _predicted_s(job, world.pools[target.owner]))

    @staticmethod
    def _add(pool: str, nodes: int, world: World) -> None:
        world.want(pool, world.pools[pool].wanted + nodes)


def _fits(job: Job, pool: Pool, limit_s: float) -> bool:
    """Whether it starts at once, and its first token is predicted within the limit."""
    return pool.has_room() and pool.first_token_s(job.request.input_tokens) <= limit_s


def _predicted_s(job: Job, pool: Pool) -> float:
    """Time to the first token where it would be now, cold start included."""
    if not pool.nodes and not pool.starting:
        return float("inf")
    return pool.first_token_s(job.request.input_tokens)
