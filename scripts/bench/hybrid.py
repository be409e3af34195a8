"""How good hybrid is: its bill beside the best run found with full knowledge, over a grid of scenarios.

    python -m scripts.bench.hybrid [--set holdout] [--count 100] [--json OUT]

For each scenario the strategy hybrid, the fixed policies (everything outside, everything inside, every choice of pools
held from the beginning to the end) and plans with full knowledge are simulated by the same model. Prints a line for
each scenario, the worst last, and a summary; the JSON holds everything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain, combinations
from pathlib import Path

from llm_router.pricing.list_prices import PriceBook
from llm_router.pricing.rent import RentRule
from llm_router.simulate.comparison import Simulator, best_of
from llm_router.simulate.figures import Figures
from scripts.bench.scenarios import Scenario, scenarios


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``above_fixed_in_cold_starts`` is how much more hybrid cost than the cheapest fixed policy that keeps the limit,
    in rents of one cold start."""

    scenario: str
    usd: float
    usd_avoidable: float
    late: float
    refused: int
    best_usd: float
    best_by: str
    fixed_usd: float
    fixed_by: str
    ratio: float
    above_fixed_in_cold_starts: float


def outcome(scenario: Scenario, rule: RentRule | None = None) -> Outcome:
    simulator = Simulator(scenario.config, scenario.trace, PriceBook(datetime.now(UTC)))
    hybrid = simulator.strategy("hybrid", rule)
    fixed = list(_fixed(simulator))
    planned = [("full knowledge", figures) for figures in simulator.with_hindsight()]
    best, cheapest = best_of([("hybrid", hybrid), *fixed, *planned]), best_of(fixed)
    if best.usd is None or cheapest.usd is None:
        raise SystemExit(f"{scenario.name}: nobody keeps the limit")
    return Outcome(
        scenario=scenario.name,
        usd=hybrid.usd,
        usd_avoidable=hybrid.usd_avoidable,
        late=hybrid.miss_rate,
        refused=hybrid.refused,
        best_usd=best.usd,
        best_by=str(best.by),
        fixed_usd=cheapest.usd,
        fixed_by=str(cheapest.by),
        ratio=hybrid.usd / best.usd,
        above_fixed_in_cold_starts=(hybrid.usd - cheapest.usd) / scenario.max_cold_start_usd,
    )


def _fixed(simulator: Simulator) -> Iterator[tuple[str, Figures]]:
    policies = simulator.fixed_policies()
    yield from policies.items()
    names = tuple(simulator.fleet.pools)
    for pools in chain.from_iterable(combinations(names, size) for size in range(1, len(names))):
        yield f"{' and '.join(pools)} held", simulator.held(pools)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", choices=["train", "holdout"], default="holdout")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    outcomes = []
    for scenario in scenarios(options.set, options.count):
        outcomes.append(outcome(scenario))
        print(f"{len(outcomes)}/{options.count}", end="\r", file=sys.stderr)
    report(outcomes)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(each) for each in outcomes], indent=1))
    return 0


def report(outcomes: Sequence[Outcome]) -> None:
    for each in sorted(outcomes, key=lambda each: each.ratio):
        print(
            f"{each.ratio:6.3f}  late {each.late:6.2%}  {each.usd:8.4f} USD  best {each.best_usd:8.4f} ({each.best_by})"
            f"  fixed {each.fixed_usd:8.4f} ({each.fixed_by}) {each.above_fixed_in_cold_starts:+6.1f}  {each.scenario}"
        )
    ratios = sorted(each.ratio for each in outcomes)
    above = max(outcomes, key=lambda each: each.above_fixed_in_cold_starts)
    print(
        f"\n{len(ratios)} scenarios: bill ÷ best run found: median {statistics.median(ratios):.3f}, "
        f"mean {statistics.fmean(ratios):.3f}, "
        f"≤ 1.05 in {_share(ratio <= 1.05 for ratio in ratios)}, ≤ 1.10 in {_share(ratio <= 1.10 for ratio in ratios)}, "
        f"worst {ratios[-1]:.3f}\n"
        f"late: worst {max(each.late for each in outcomes):.2%}, refused {sum(each.refused for each in outcomes)}\n"
        f"above the cheapest fixed policy by more than one cold start: "
        f"{_share(each.above_fixed_in_cold_starts > 1 for each in outcomes)}, worst "
        f"{above.above_fixed_in_cold_starts:.1f} cold starts"
    )


def _share(flags: Iterator[bool]) -> str:
    each = list(flags)
    return f"{sum(each) / len(each):.0%}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
