"""Counters on a real Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from llm_router.config.scalars import Seconds, Secret
from llm_router.config.schema import StateStore
from llm_router.state.redis import RedisCounters
from llm_router.state.redis_connection import connect
from llm_router.telemetry.metrics import Metrics
from tests.router.redis_server import RedisServer

PATIENT_S = 2.0
"""What a question may take in tests that are not about time: the machine may be busy."""


def state_on(server: RedisServer, timeout_s: float = PATIENT_S, **more: Any) -> StateStore:
    return StateStore(backend="redis", url=Secret(server.url), timeout=Seconds(timeout_s), **more)


def value(metrics: Metrics, name: str) -> float | None:
    labels = {"backend": "redis"} if name.endswith("_up") else {}
    return metrics.registry.get_sample_value(name, labels)


@asynccontextmanager
async def counters_on(
    state: StateStore, *, lease_s: float = 30.0, metrics: Metrics | None = None
) -> AsyncIterator[RedisCounters]:
    counters = RedisCounters(
        connect(state),
        metrics or Metrics(CollectorRegistry()),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        chance=random.random,
        timeout_s=state.timeout,
        when_down=state.when_down,
        replicas=state.replicas,
        lease_s=lease_s,
    )
    counters.start()
    try:
        yield counters
    finally:
        await counters.aclose()


async def until(done: Callable[[], Any], deadline_s: float = 10.0) -> None:
    """Comes back once ``done()``, which may be a coroutine's result; fails where it does not happen."""
    ends_at = time.monotonic() + deadline_s
    while True:
        found = done()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < ends_at, "it did not happen"
        await asyncio.sleep(0.01)
