"""Fixed policies, to compare the strategies with: everything outside, everything inside, and nodes by a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ..model import Target
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


class Spell(Struct, frozen=True):
    """One node more of a pool is wanted from one moment to another, in seconds of the trace."""

    pool: str
    from_s: float
    until_s: float


class Planned(Passive):
    """Nodes by a plan that was made with full knowledge. A cluster that will answer within ``limit_s`` gets the
    request: nodes that run anyway first, then the dearer ones, since they are there. A request that is worth less than
    ``least_usd_per_s`` of the node's time goes outside while others are being read there."""

    def __init__(
        self, options: Sequence[Options], spells: Sequence[Spell], limit_s: float, least_usd_per_s: float = 0.0
    ) -> None:
        self._options, self._spells, self._limit_s = options, spells, limit_s
        self._least_usd_per_s = least_usd_per_s

    def begin(self, world: World) -> None:
        for spell in self._spells:
            world.at(spell.from_s, lambda spell=spell: self._add(spell, 1, world))  # type: ignore[misc]
            world.at(spell.until_s, lambda spell=spell: self._add(spell, -1, world))  # type: ignore[misc]

    def place(self, job: Job, world: World) -> Iterable[Target]:
        options = self._options[job.number]
        fit = [target for target in options.inside if self._takes(job, options, world.pools[target.owner])]
        fit.sort(key=lambda target: (not target.always_on, -world.pools[target.owner].spec.usd_per_second))
        if options.outside is not None:
            return (*fit, options.outside)
        return (*fit, *(target for target in options.inside if target not in fit))

    def _takes(self, job: Job, options: Options, pool: Pool) -> bool:
        if not pool.has_room() or pool.first_token_s(job.request.input_tokens) > self._limit_s:
            return False
        node = pool.emptiest()
        if options.outside is None or node is None or not node.tokens_ahead:
            return True
        worth_usd_per_s = options.outside_usd / pool.spec.speed.work_s(job.request.input_tokens, job.request.output_tokens)
        return worth_usd_per_s >= self._least_usd_per_s

    @staticmethod
    def _add(spell: Spell, nodes: int, world: World) -> None:
        world.want(spell.pool, world.pools[spell.pool].wanted + nodes)


def _predicted_s(job: Job, pool: Pool) -> float:
    """Time to the first token where it would be now, cold start included."""
    if not pool.nodes and not pool.starting:
        return float("inf")
    return pool.first_token_s(job.request.input_tokens)
