"""What the router thinks its clusters cost, as its admin listener shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cost:
    """USD per 1K tokens of one cluster; ``None`` is unknown, and for ``realised`` infinite: nothing was served."""

    capacity: float | None
    realised: float | None
    node_usd_per_hour: float | None
    price_source: str


Costs = Mapping[str, Cost]


def costs_of(clusters: Sequence[Mapping[str, Any]]) -> dict[str, Cost]:
    """From the body of ``GET /ai/clusters``."""
    found = {}
    for cluster in clusters:
        cost = cluster["targets"][0]["cost"] or {}
        found[cluster["name"]] = Cost(
            capacity=cost.get("capacity"),
            realised=cost.get("realised"),
            node_usd_per_hour=cost.get("node_usd_per_hour"),
            price_source=cost.get("price_source", ""),
        )
    return found


def served(costs: Costs) -> bool:
    """Whether every cluster has served something lately."""
    return all(cost.realised is not None for cost in costs.values())


def moved(before: Costs, after: Costs) -> bool:
    """Whether every cluster has served since, and how fast it was has been measured."""
    return all(
        after[name].realised not in (None, cost.realised) and after[name].capacity != cost.capacity
        for name, cost in before.items()
    )


def below(costs: Costs, usd_per_1k: float) -> list[str]:
    """The clusters that cost no more than that by their capacity."""
    return [name for name, cost in costs.items() if cost.capacity is None or cost.capacity <= usd_per_1k]


def follow(costs: Costs, node_usd_per_hour: Mapping[str, float]) -> bool:
    """Whether every cluster counts with what its node costs now."""
    return all(costs[name].node_usd_per_hour == usd for name, usd in node_usd_per_hour.items())
