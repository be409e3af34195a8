"""A real Redis of the tests' own, without persistence, and counters on it."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from llm_router.config.scalars import Seconds, Secret
from llm_router.config.schema import StateStore
from llm_router.state.redis import RedisCounters
from llm_router.state.redis_connection import connect
from llm_router.telemetry.metrics import Metrics
from tests.router.ports import free_port
from tests.router.processes import Process

PATIENT_S = 2.0
"""What a question may take in tests that are not about time: the machine may be busy."""


@dataclass(frozen=True)
class RedisServer:
    port: int
    process: Process

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def state(self, timeout_s: float = PATIENT_S, **more: Any) -> StateStore:
        return StateStore(backend="redis", url=Secret(self.url), timeout=Seconds(timeout_s), **more)


@contextmanager
def running_redis(folder: Path, *options: str, port: int | None = None) -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("there is no Redis: sudo apt-get install redis-server")
    port = port or free_port()
    command: list[str | Path] = [program, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
    command += ["--port", str(port), *options]
    folder.mkdir(exist_ok=True)
    with Process(command, folder / "redis.log") as process:
        process.wait_until(lambda: _listens(port))
        yield RedisServer(port, process)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


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
