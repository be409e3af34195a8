"""The embedded router: providers are registered, and each request is decided by the same engine as in the server."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Self

from ..config.scalars import Seconds
from ..config.schema import CircuitBreaker
from ..errors import NoTarget
from ..model import ListPrice, Rate, Snapshot, Target
from ..routing.engine import Policy, decide
from ..routing.turns import Turns
from ..signals.polling import poll_forever
from .reading import facts_for
from .registered import ChosenProvider, ProviderMetrics, Registered
from .vocabulary import HealthChecked, Provider, RoutingConstraints, RoutingStrategy

_NEVER_TOO_SLOW_MS = 2**31
"""Without a constraint nobody is passed over for being slow: the strategy decides what latency counts for."""


class IntelligentRouter:
    """Chooses a provider for each request. Belongs to one event loop.

    ``health_check_interval`` and ``failover_cooldown`` are seconds: how often providers that can say so are asked
    whether they are well, and how long one that failed ``failure_threshold`` times in a row is left alone (longer each
    time in a row, at most 300 s; then one request at a time tries it, and one a second where nobody else is left).
    ``clock`` is monotonic, ``unix_time`` the wall clock. Health is polled from the first request on, until ``aclose``
    or the end of ``async with``.
    """

    def __init__(
        self,
        default_strategy: RoutingStrategy | str = RoutingStrategy.LATENCY_OPTIMIZED,
        health_check_interval: float = 30.0,
        failover_cooldown: float = 60.0,
        *,
        failure_threshold: int = 1,
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        if not (health_check_interval > 0 and failover_cooldown > 0 and failure_threshold > 0):
            raise ValueError("health_check_interval, failover_cooldown and failure_threshold must be above 0")
        self._default = RoutingStrategy(default_strategy)
        self._interval_s = health_check_interval
        self._breaker = CircuitBreaker(
            failure_threshold=failure_threshold, success_threshold=1, timeout=Seconds(failover_cooldown)
        )
        self._clock, self._unix_time = clock, unix_time
        self._policy, self._turns = Policy(max_latency_ms=_NEVER_TOO_SLOW_MS), Turns()
        self._registered: dict[str, Registered] = {}
        self._polls: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def providers(self) -> tuple[str, ...]:
        """The names, in the order of registration."""
        return tuple(self._registered)

    def register_provider(
        self,
        provider: Provider,
        priority: int = 1,
        cost_per_1k_tokens: float | None = None,
        *,
        compliance: Collection[str] = (),
        region: str = "",
        context_length: int | None = None,
    ) -> None:
        """``priority``: lower goes first. ``cost_per_1k_tokens`` is USD for prompt and answer alike; left out, it is
        unknown, which is dearer than any price. Raises ``ValueError`` for a name that is taken and an impossible cost.
        """
        name = provider.name
        if name in self._registered:
            raise ValueError(f"a provider called {name!r} is registered already: unregister it first")
        target = Target(
            name=name,
            kind="provider",
            owner=name,
            model=name,
            any_model=True,
            priority=priority,
            compliance=frozenset(compliance),
            region=region,
            context_length=context_length,
            list_price=_price(cost_per_1k_tokens),
        )
        self._registered[name] = Registered(
            provider, target, breaker=self._breaker, clock=self._clock, unix_time=self._unix_time
        )

    def unregister_provider(self, name: str) -> None:
        """It is not chosen any more; what is under way there ends by itself. Raises ``KeyError`` for one that is not
        registered."""
        del self._registered[name]
        if (poll := self._polls.pop(name, None)) is not None:
            poll.cancel()

    async def get_provider_for_request(
        self,
        request: Any,
        strategy: RoutingStrategy | str | None = None,
        constraints: RoutingConstraints | None = None,
    ) -> ChosenProvider:
        """Who should answer ``request`` now. Raises ``NoTarget``, which says why nobody may: each provider's reason is
        in its ``rejected``; ``ClientError`` for a chat request with a fault."""
        self._start_polls()
        if not self._registered:
            raise NoTarget(503, "no_provider", "No provider is registered: call register_provider first.")
        requirements = (constraints or RoutingConstraints()).requirements()
        chosen_by = RoutingStrategy(strategy or self._default)
        facts = facts_for(request, requirements, chosen_by.value)
        snapshot = Snapshot(tuple(entry.view() for entry in self._registered.values()), self._clock())
        decision = decide(facts, snapshot, self._policy, self._turns.take)
        return ChosenProvider(self._registered[decision.choices[0].target.name], decision)

    async def check_health(self) -> None:
        """Asks all providers that can say so whether they are well, now and once."""
        await asyncio.gather(*(entry.check_health() for entry in self._registered.values()))

    def metrics(self) -> dict[str, ProviderMetrics]:
        """By provider, in the order of registration."""
        return {name: entry.metrics() for name, entry in self._registered.items()}

    async def aclose(self) -> None:
        """Ends the polling. The providers belong to whoever made them."""
        polls = list(self._polls.values())
        self._polls.clear()
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    def _start_polls(self) -> None:
        for name, entry in self._registered.items():
            if name not in self._polls and isinstance(entry.provider, HealthChecked):
                polling = poll_forever(name, lambda: self._interval_s, entry.check_health)
                self._polls[name] = asyncio.get_running_loop().create_task(polling)


def _price(usd_per_1k: float | None) -> ListPrice | None:
    if usd_per_1k is None:
        return None
    if not (math.isfinite(usd_per_1k) and usd_per_1k >= 0):
        raise ValueError(f"cost_per_1k_tokens must be finite and not negative, got {usd_per_1k!r}")
    rate = Rate(usd_per_1k)
    return ListPrice(input=rate, output=rate, cache_read=rate, cache_write=rate, source="register_provider")
