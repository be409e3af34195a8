"""Two clocks for a server under load: the one on the wall, and that of a core which the server has to itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from scripts.bench.machine import process_cpu_ns

_LEAST_SLEEP_S = 0.0005


class Clock:
    """Seconds since whenever, by the wall. Whoever gives the server work says so by ``work``."""

    def now(self) -> float:
        return time.perf_counter()

    @contextmanager
    def work(self) -> Iterator[None]:
        """Inside, the server has something to do."""
        yield

    async def sleep_until(self, time_s: float) -> None:
        while True:
            left = time_s - self.now()
            if left <= 0:
                return
            await asyncio.sleep(max(_LEAST_SLEEP_S, left / 2))


class OwnCoreClock(Clock):
    """Goes on by the CPU time of the server's process while it has work, and with the wall while it has none: what
    neighbours take of the machine does not count, and waits that are no computation count only while it is idle."""

    def __init__(self, cpu_ns: Callable[[], int], wall_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._cpu_ns, self._wall_ns = cpu_ns, wall_ns
        self._cpu_then, self._wall_then = cpu_ns(), wall_ns()
        self._at_ns, self._working = 0, 0

    def now(self) -> float:
        cpu, wall = self._cpu_ns(), self._wall_ns()
        self._at_ns += cpu - self._cpu_then if self._working else wall - self._wall_then
        self._cpu_then, self._wall_then = cpu, wall
        return self._at_ns / 1e9

    @contextmanager
    def work(self) -> Iterator[None]:
        self.now()
        self._working += 1
        try:
            yield
        finally:
            self.now()
            self._working -= 1


CLOCKS: Mapping[str, Callable[[int], Clock]] = {
    "own": lambda pid: OwnCoreClock(lambda: process_cpu_ns(pid)),
    "wall": lambda pid: Clock(),
}
"""By name: the clock for the server with this process id."""
