"""The circuit breaker of one target: a state machine that is fed a clock.

Closed until ``failure_threshold`` failures in a row; then open for ``timeout`` × the number of times in a row it
opened (at most 300 s); then half-open: one probe at a time, ``success_threshold`` successes close it, one failure opens
it again. Cooling (429, Retry-After) is apart from it: it says "later", not "broken", and counts as no failure.
"""

from __future__ import annotations

from typing import Literal

from ..config.schema import CircuitBreaker

MAX_OPEN_S = 300.0
BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    def __init__(self, settings: CircuitBreaker) -> None:
        self._settings = settings
        self._failures = self._successes = self._opened = 0
        self._open_until: float | None = None
        self._cooling_until = 0.0

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

    def succeeded(self, now: float) -> None:
        self._failures = 0
        if self._open_until is None:
            return
        if now < self._open_until:
            return  # an attempt from before it opened: stale news
        self._successes += 1
        if self._successes >= self._settings.success_threshold:
            self._open_until = None
            self._opened = self._successes = 0

    def failed(self, now: float) -> None:
        state = self.state(now)
        if state == "open":
            return
        self._failures += 1
        if state == "half_open" or self._failures >= self._settings.failure_threshold:
            self._opened += 1
            self._failures = self._successes = 0
            self._open_until = now + min(self._settings.timeout * self._opened, MAX_OPEN_S)

    def cool(self, now: float, for_s: float) -> None:
        """Leave the target alone for a while; a shorter wait never shortens a longer one."""
        self._cooling_until = max(self._cooling_until, now + for_s)
