"""What a program says to the embedded router: who can answer, how to choose, and what must hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from ..model import Requirements


class RoutingStrategy(StrEnum):
    """How the providers that may answer are ordered; the values are the names of the router's strategies.

    ``PRIORITY`` takes the lowest priority number first, ``FAILOVER`` the order in which they were registered; with
    either one the next is chosen while the first cools down.
    """

    COST_OPTIMIZED = "cost"
    LATENCY_OPTIMIZED = "latency"
    PRIORITY = "priority"
    ROUND_ROBIN = "round_robin"
    FAILOVER = "failover"


class RoutingConstraints(Struct, frozen=True, kw_only=True):
    """What must hold of the chosen provider. One whose property is not known does not satisfy a constraint on it, but
    for latency: one that was never measured may be tried.

    ``max_latency_ms`` bounds the 95th percentile of its recent answers, ``max_cost_per_1k_tokens`` is USD,
    ``allowed_providers`` are names, ``compliance`` and ``region`` are compared with what it was registered with.
    """

    max_latency_ms: int | None = None
    max_cost_per_1k_tokens: float | None = None
    compliance: frozenset[str] = frozenset()
    region: str | None = None
    allowed_providers: frozenset[str] | None = None

    def requirements(self) -> Requirements:
        return Requirements(
            compliance=frozenset(self.compliance),
            region=self.region,
            max_latency_ms=self.max_latency_ms,
            max_usd_per_1k_tokens=self.max_cost_per_1k_tokens,
            allowed_targets=None if self.allowed_providers is None else frozenset(self.allowed_providers),
        )


class Provider(Protocol):
    """Whoever can answer. ``request`` and answer are a matter between the program and its providers.

    An answer that is a mapping with OpenAI's ``usage`` in it is counted in tokens and money.
    """

    @property
    def name(self) -> str: ...

    async def complete(self, request: Any) -> Any: ...


@runtime_checkable
class HealthChecked(Protocol):
    """A provider that can say whether it is well: it is asked every ``health_check_interval``."""

    async def health_check(self) -> bool:
        """Whether it would answer. An exception counts as no, but only the second time in a row."""
        ...
