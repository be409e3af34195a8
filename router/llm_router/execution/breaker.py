"""The circuit breaker of one target: a state machine that is fed a clock.

Closed until ``failure_threshold`` failures in a row, or until half of at least four times as many outcomes in half a
minute were failures; then open for ``timeout`` × the number of times in a row it opened, ± 10 % so that targets which
fell together are not probed together, and at most 300 s; then half-open: one probe at a time, ``success_threshold``
successes close it, one failure opens it again. Cooling (429, Retry-After) is apart from it: it says "later", not
"broken", and counts as no failure.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from ..config.schema import CircuitBreaker
from .failure_rate import FailureRate

MAX_OPEN_S = 300.0
JITTER = 0.10
LEAST_OUTCOMES = 4
"""Times ``failure_threshold``: so many outcomes it takes to judge by their share."""
BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    """``chance`` gives 0 to 1. ``since`` is when the attempt began whose outcome is told: what began before the breaker
    opened is stale news, and changes nothing."""

    def __init__(self, settings: CircuitBreaker, chance: Callable[[], float] = random.random) -> None:
        self._settings, self._chance = settings, chance
        self._failures = self._successes = self._opened = 0
        self._opened_at = float("-inf")
        self._open_until: float | None = None
        self._cooling_until = 0.0
        self._rate = FailureRate(LEAST_OUTCOMES * settings.failure_threshold)

    def state(self, now: float) -> BreakerState:
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def retry_at(self) -> tuple[float, str]:
        """Not before this moment, and why: ``circuit_open``, ``cooling`` or nothing."""
        open_until = self._open_until or 0.0
        if self._cooling_until > open_until:
            return self._cooling_until, "cooling"
        return open_until, "circuit_open" if open_until else ""

    @property
    def tripped(self) -> bool:
        """Whether it is open or half-open: then a target takes one request at a time, as a probe."""
        return self._open_until is not None

    def succeeded(self, now: float, since: float) -> None:
        if since < self._opened_at:
            return
        self._failures = 0
        if self._open_until is None:
            self._rate.add(now, failed=False)
            return
        self._open_until = min(self._open_until, now)  # a probe out of turn got through
        self._successes += 1
        if self._successes >= self._settings.success_threshold:
            self._open_until = None
            self._opened = self._successes = 0

    def failed(self, now: float, since: float) -> None:
        state = self.state(now)
        if state == "open" or since < self._opened_at:
            return
        self._failures += 1
        self._rate.add(now, failed=True)
        if state == "half_open" or self._failures >= self._settings.failure_threshold or self._rate.too_high():
            self._open(now)

    def cool(self, now: float, for_s: float) -> None:
        """Leave the target alone for a while; a shorter wait never shortens a longer one."""
        self._cooling_until = max(self._cooling_until, now + for_s)

    def _open(self, now: float) -> None:
        self._opened += 1
        self._failures = self._successes = 0
        self._rate.forget()
        self._opened_at = now
        spread = 1 - JITTER + 2 * JITTER * self._chance()
        self._open_until = now + min(self._settings.timeout * self._opened * spread, MAX_OPEN_S)
