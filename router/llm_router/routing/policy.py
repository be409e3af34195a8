"""What a configuration says about routing, boiled down once to what every decision reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from .rules import Rule

SHORTCUTS: Mapping[str, str] = MappingProxyType({"fast": "latency", "cheap": "cost"})
"""Model names that every target accepts, each with the strategy that it stands for, unless the configuration gives
the name another meaning."""


class Policy(Struct, frozen=True, kw_only=True):
    """``unsupported`` holds for each wire the needs that it cannot express; ``default_target`` is who answers for
    model names that nobody accepts, ``routes`` who answers for others that ``modelRoutes`` names; ``last_resort`` holds
    the targets that come after all others. ``rules`` come in the order in which they are tried. Thresholds are those of
    the configuration. ``awaiting_clusters`` is true while discovery has not said which clusters there are.
    ``baseline`` names the target that savings are measured against, ``None``: the cheapest."""

    strategy: str = "hybrid"
    cluster_usd_per_1k_threshold: float = 0.01
    enable_external_fallback: bool = True
    max_latency_ms: int = 5000
    max_queue_depth: int = 10
    default_target: str | None = None
    baseline: str | None = None
    routes: Mapping[str, str] = {}
    shortcuts: Mapping[str, str] = SHORTCUTS
    last_resort: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    unsupported: Mapping[str, frozenset[str]] = {}
    awaiting_clusters: bool = False
