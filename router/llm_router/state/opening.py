"""The counters that a configuration asks for, open as long as the process serves."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ..config.schema import StateStore
from ..telemetry.metrics import Metrics
from .counters import Counters
from .memory import MemoryCounters
from .redis_connection import connect


@asynccontextmanager
async def open_counters(
    state: StateStore,
    metrics: Metrics,
    *,
    workers: int = 1,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[Counters]:
    """For one of the ``workers`` of a router. Raises ``ConfigError`` where there is no client for Redis. One that is
    not there yet is waited for in the background."""
    if state.backend == "memory":
        yield MemoryCounters(clock, workers)
        return
    client = connect(state)
    from .redis import RedisCounters  # only now is it known that its library is there

    counters = RedisCounters(
        client,
        metrics,
        clock=clock,
        sleep=sleep,
        chance=random.random,
        timeout_s=state.timeout,
        when_down=state.when_down,
        replicas=None if state.replicas is None else state.replicas * workers,
    )
    counters.start()
    try:
        yield counters
    finally:
        await counters.aclose()
