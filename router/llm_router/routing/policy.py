"""What a configuration says about routing, boiled down once to what every decision reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from ..model import Basis, Facts
from ..pricing.rent import RentRule
from .rules import Rule

SHORTCUTS: Mapping[str, str] = MappingProxyType({"fast": "latency", "cheap": "cost"})
"""Model names that every target accepts, each with the strategy that it stands for, unless the configuration gives
the name another meaning."""


class Policy(Struct, frozen=True, kw_only=True):
    """``basis`` is what a request is taken to cost at a cluster; ``unsupported`` holds for each wire the needs that
    it cannot express; ``default_target`` is who answers for model names that nobody accepts, ``routes`` who answers
    for others that ``modelRoutes`` names; ``last_resort`` holds the targets that come after all others. ``rules``
    come in the order in which they are tried. Thresholds are those of the configuration; ``first_token_margin`` is
    the share of a latency limit within which the first token must be predicted. ``awaiting_clusters`` is true while
    discovery has not said which clusters there are. ``baseline`` names the target that savings are measured
    against, ``None``: the cheapest. ``buffered`` says whether streams are held back until they are complete,
    ``hedged`` whether another target is asked where the first is slow, both where a rule does not say otherwise."""

    strategy: str = "hybrid"
    basis: Basis = "capacity"
    cluster_usd_per_1k_threshold: float = 0.01
    enable_external_fallback: bool = True
    max_latency_ms: int = 5000
    first_token_margin: float = RentRule().margin
    max_queue_depth: int = 10
    default_target: str | None = None
    baseline: str | None = None
    routes: Mapping[str, str] = {}
    shortcuts: Mapping[str, str] = SHORTCUTS
    last_resort: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    unsupported: Mapping[str, frozenset[str]] = {}
    awaiting_clusters: bool = False
    buffered: bool = False
    hedged: bool = False
    slow_start_s: float = 60.0

    def first_token_limit_s(self, facts: Facts) -> float:
        """By when a pool must be predicted to answer this request, or it is not asked."""
        demanded_ms = facts.requirements.max_latency_ms
        limit_ms = self.max_latency_ms if demanded_ms is None else min(self.max_latency_ms, demanded_ms)
        return self.first_token_margin * limit_ms / 1000
