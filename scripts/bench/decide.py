"""How long a decision takes: facts and a snapshot in, the ordered targets out. No server, no network, one core.

    python -m scripts.bench.decide [--targets 10,500] [--requests 1500]

Every strategy meets the same fleet, six clusters to four providers, and the same mixture of requests: plain ones, ones
with requirements that half of the fleet meets, and ones that a rule takes. Prints one line for each strategy and size.
What is measured is the CPU time of the deciding thread: a decision waits for nothing, so on a core of its own that is
the wall time too, and on a shared one the others' time is not counted. That they empty its caches is: ``chrt -f 1`` in
front keeps them from coming in between.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from llm_router.config.schema import Action, Condition, Rule
from llm_router.model import (
    ClusterCost,
    Expected,
    Facts,
    ListPrice,
    PoolView,
    Rate,
    Requirements,
    Snapshot,
    Target,
    View,
)
from llm_router.router_process import settle_memory
from llm_router.routing.engine import decide
from llm_router.routing.facts import NEEDS
from llm_router.routing.policy import Policy
from llm_router.routing.rules import compile_rules
from llm_router.routing.strategies import STRATEGIES
from llm_router.routing.turns import Turns
from llm_router.upstream.wire import WIRES

NOW = 1000.0
REGIONS = ("eu-west-1", "us-east-1", "europe-west4", "westus2", "asia-northeast1")
TAUGHT = Expected(input_each=1.1, input_more=12.0, output_tokens={(None, None): 200, (None, 0): 90, (None, 2): 300})
WARM_UP = 50
POOL = PoolView(nodes=2, wanted=2, slots=8, prefill_tokens_per_second=400.0, in_flight=3, unread_tokens=300, decoding=2)


class Timing(NamedTuple):
    """CPU microseconds for each decision."""

    p50_us: float
    p99_us: float


def fleet(size: int) -> Snapshot:
    views = tuple(_view(number) for number in range(size))
    pools = {view.target.owner: POOL for view in views if view.target.kind == "cluster"}
    return Snapshot(views, NOW, pools)


def requests(strategy: str) -> list[Facts]:
    demanding = Requirements(
        compliance=frozenset({"gdpr"}), region="eu", max_latency_ms=4000, max_usd_per_1k_tokens=0.05
    )
    common: dict[str, Any] = {"model": "auto", "input_tokens": 300, "strategy": strategy, "client_region": "de"}
    return [
        Facts(**common),
        Facts(**common, requirements=demanding),
        Facts(**{**common, "model": "gpt-4"}, stream=True, needs=frozenset({"n"}), complexity=0.7),
    ]


def policy() -> Policy:
    rule = Rule(
        name="gpt-4",
        conditions=(Condition(type="model", models=("gpt-4",)),),
        actions=(Action(type="load_balance", targets=("t0", "t1")),),
    )
    return Policy(
        rules=compile_rules([rule]),
        routes={"gpt-4": "t1"},
        last_resort=frozenset({"t2"}),
        unsupported={name: wire.unsupported(NEEDS) for name, wire in WIRES.items()},
    )


def measure(strategy: str, snapshot: Snapshot, rounds: int) -> Timing:
    """``rounds`` decisions one by one, after a few that are not counted."""
    asked, rules, turns = requests(strategy), policy(), Turns()
    took: list[float] = []
    for number in range(WARM_UP + rounds):
        facts = asked[number % len(asked)]
        started = time.thread_time_ns()
        decide(facts, snapshot, rules, turns.take)
        took.append((time.thread_time_ns() - started) / 1000)
    cuts = statistics.quantiles(took[WARM_UP:], n=100, method="inclusive")
    return Timing(cuts[49], cuts[98])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", default="10,500", help="sizes of the fleet")
    parser.add_argument("--requests", type=int, default=1500, help="decisions for each strategy and size")
    options = parser.parse_args(arguments)
    sizes = [int(size) for size in options.targets.split(",")]
    settle_memory()  # as in production
    print(f"{'strategy':<16}{'targets':>8}{'p50 µs':>10}{'p99 µs':>10}")
    for size in sizes:
        snapshot = fleet(size)
        for strategy in STRATEGIES:
            timing = measure(strategy, snapshot, options.requests)
            print(f"{strategy:<16}{size:>8}{timing.p50_us:>10.1f}{timing.p99_us:>10.1f}")
    return 0


def _view(number: int) -> View:
    is_cluster = number % 10 < 6
    usd_per_1k = 0.001 * (1 + number % 13)
    rate = Rate(usd_per_1k)
    price = ListPrice(input=rate, output=rate, cache_read=rate, cache_write=rate, source="bench")
    target = Target(
        name=f"t{number}",
        kind="cluster" if is_cluster else "provider",
        owner=f"t{number}",
        model="m",
        any_model=True,
        region=REGIONS[number % len(REGIONS)],
        compliance=frozenset({"gdpr"}) if number % 2 else frozenset(),
        context_length=8192,
        priority=number % 3,
        weight=1 + number % 4,
        list_price=None if is_cluster else price,
        prefill_tokens_per_second=400.0 if is_cluster else None,
    )
    cost = ClusterCost(capacity=usd_per_1k, decision=usd_per_1k) if is_cluster else None
    return View(
        target=target,
        health="healthy",
        cost=cost,
        p95_latency_ms=100.0 + number % 37,
        p95_total_ms=900.0 + number % 41,
        expected=TAUGHT,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
