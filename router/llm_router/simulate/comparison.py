"""One trace against one configuration: every strategy, the fixed policies, and how well anybody could have done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice, permutations
from typing import get_args

from msgspec import Struct

from ..config.schema import Cluster, Config
from ..config.schema.router import Strategy
from ..pricing.fixed_costs import fixed_cost
from ..pricing.list_prices import PriceBook
from ..pricing.rent import RentRule
from ..routing.engine import policy_of
from .bound import LATE_SHARE, Bound, lower_bound
from .figures import Figures, figures_of
from .fleet import fleet_of
from .hindsight import plan_nodes
from .options import options_of
from .policies import AllCluster, AllExternal, Held, Planned
from .routed import Routed
from .trace import Trace
from .world import Policy, World

Report = Callable[[str], None]
STRATEGIES: tuple[str, ...] = get_args(Strategy)
HINDSIGHT = "full knowledge"
PLANNED_ORDERS = 6
"""Orders in which pools are planned one after another, at most."""
SHOWN_MODELS = 5
_HAIR = 1e-9


class Reached(Struct, frozen=True):
    """The least bill of a run that keeps the limit, and who ran it; ``None`` where nobody does."""

    usd: float | None = None
    by: str | None = None


class Comparison(Struct, frozen=True, kw_only=True):
    """``policies`` are fixed ones, to compare the strategies with. ``fixed_usd`` is in no other figure; ``None`` is
    unknown."""

    trace: Trace
    limit_s: float
    strategies: Mapping[str, Figures]
    policies: Mapping[str, Figures]
    reached: Reached
    optimum: Bound
    fixed_usd: float | None


class Simulator:
    """Runs one trace on the pools and providers of a configuration, as often as wanted. A run keeps the limit when at
    most ``LATE_SHARE`` of the requests get their first token after ``maxLatencyMs``, and none is refused."""

    def __init__(self, config: Config, trace: Trace, prices: PriceBook, file: str = "") -> None:
        """Raises ``ConfigError`` for a configuration that says too little."""
        self.fleet, self.trace = fleet_of(config, prices, file), trace
        self._config = config
        self._routing = policy_of(config, {})
        self._options = options_of(trace, self.fleet, self._routing)
        self.limit_s = self._routing.max_latency_ms / 1000
        self._careful_s = self._routing.first_token_margin * self.limit_s

    def notes(self) -> Iterator[str]:
        """What is odd about the trace for this configuration."""
        asked = zip(self.trace.requests, self._options, strict=True)
        lost = [request for request, options in asked if options.outside is None and not options.inside]
        if lost:
            models = sorted({request.model for request in lost if request.model})
            named = f", of models {', '.join(models[:SHOWN_MODELS])}{' …' if models[SHOWN_MODELS:] else ''}"
            yield f"nobody here may answer {len(lost)} requests{named if models else ''}: they count as late"

    def strategy(self, name: str, rule: RentRule | None = None) -> Figures:
        """What the router does with this strategy; ``rule`` replaces its parameters for renting."""
        return self._run(Routed(name, self._config, self._routing, rule))

    def fixed_policies(self) -> Mapping[str, Figures]:
        """Everything outside, everything inside, and all nodes always on with what they cannot read in time outside."""
        return {
            "all_external": self._run(AllExternal(self._options)),
            "all_cluster": self._run(AllCluster(self._options, self._careful_s)),
            "always_on": self.held(tuple(self.fleet.pools)),
        }

    def held(self, pools: Collection[str]) -> Figures:
        """All nodes of these pools always on, and what they cannot read in time outside."""
        return self._run(Held(self._options, pools, self._careful_s))

    def with_hindsight(self, report: Report = lambda _: None) -> Iterator[Figures]:
        """Runs by plans that know everything beforehand."""
        pools = list(self.fleet.pools.values())
        for order in islice(permutations(pools), PLANNED_ORDERS if pools else 0):
            for slots_count in (False, True):
                report(f"planning with {HINDSIGHT}: {', '.join(pool.name for pool in order)}")
                plans = plan_nodes(self.trace, order, self._options, self.limit_s, slots_count=slots_count)
                yield self._run(Planned(self._options, plans, self.limit_s))

    def optimum(self, reached: Reached, time_limit_s: float) -> Bound:
        """What no run that keeps the limit is below; found in at most twice ``time_limit_s``."""
        return lower_bound(
            self.trace,
            self.fleet,
            self._options,
            self.limit_s,
            reached_usd=reached.usd,
            time_limit_s=time_limit_s,
        )

    def _run(self, policy: Policy) -> Figures:
        world = World(self.fleet, self.trace, policy, self._routing.max_queue_depth)
        return figures_of(world, world.run(), self.limit_s)


def keeps_the_limit(figures: Figures) -> bool:
    return figures.refused == 0 and figures.miss_rate <= LATE_SHARE + _HAIR


def best_of(runs: Iterable[tuple[str, Figures]]) -> Reached:
    """The first of the cheapest among those that keep the limit."""
    feasible = [(figures.usd, name) for name, figures in runs if keeps_the_limit(figures)]
    return Reached(*min(feasible, key=lambda run: run[0])) if feasible else Reached()


def compare(
    config: Config,
    trace: Trace,
    prices: PriceBook,
    *,
    file: str = "",
    time_limit_s: float = 30.0,
    report: Report = lambda _: None,
) -> Comparison:
    """Everything there is to say; ``report`` gets each line of progress. Raises ``ConfigError`` as ``Simulator``."""
    simulator = Simulator(config, trace, prices, file)
    strategies = {}
    for name in STRATEGIES:
        report(f"simulating {name}")
        strategies[name] = simulator.strategy(name)
    policies = simulator.fixed_policies()
    planned = [(HINDSIGHT, figures) for figures in simulator.with_hindsight(report)]
    reached = best_of([*strategies.items(), *policies.items(), *planned])
    report(f"proving a lower bound, for at most {2 * time_limit_s:g} s")
    optimum = simulator.optimum(reached, time_limit_s)
    if optimum.warning is not None:
        report(f"warning: {optimum.warning}")
    return Comparison(
        trace=Trace(trace.requests, (*trace.notes, *simulator.notes())),
        limit_s=simulator.limit_s,
        strategies=strategies,
        policies=policies,
        reached=reached,
        optimum=optimum,
        fixed_usd=_fixed_usd(config.clusters, trace.span_s / 3600),
    )


def _fixed_usd(clusters: Iterable[Cluster], hours: float) -> float | None:
    """Pools in one region of a cloud share what stands around them, unless the configuration says otherwise."""
    usd_per_hour = 0.0
    counted: set[tuple[str, str]] = set()
    for cluster in clusters:
        fixed, place = fixed_cost(cluster), (cluster.provider.lower(), cluster.region)
        if not fixed.known:
            return None
        if cluster.fixed_cost_per_hour is not None or place not in counted:
            usd_per_hour += fixed.usd_per_hour
        counted.add(place)
    return usd_per_hour * hours
