"""The strategies by the names that the configuration and ``X-LLM-Strategy`` use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .base import Candidate, Order, Strategy
from .cluster_first import cluster_first
from .cost import cost
from .external_first import external_first
from .hybrid import hybrid
from .latency import latency

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "hybrid": hybrid,
        "cost": cost,
        "cluster_first": cluster_first,
        "external_first": external_first,
        "latency": latency,
    }
)

__all__ = ["STRATEGIES", "Candidate", "Order", "Strategy"]
