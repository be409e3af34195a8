"""What a configuration says about routing, boiled down once to what every decision reads."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Policy(Struct, frozen=True, kw_only=True):
    """``unsupported`` holds for each wire the needs that it cannot express; ``default_target`` is who answers for
    model names that nobody accepts. Thresholds are those of the configuration."""

    strategy: str = "hybrid"
    cluster_usd_per_1k_threshold: float = 0.01
    enable_external_fallback: bool = True
    max_latency_ms: int = 5000
    max_queue_depth: int = 10
    default_target: str | None = None
    unsupported: Mapping[str, frozenset[str]] = {}
