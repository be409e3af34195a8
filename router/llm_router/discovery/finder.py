"""Follows one registry for as long as the router runs: what it finds becomes cluster sets, whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from msgspec import structs

from ..config.schema import Config
from ..telemetry.metrics import Metrics
from ..telemetry.trouble import Trouble
from .base import Answer, ClusterSet, Instance, Source, SourceDown
from .instances import Unfit, assemble
from .last_good import LastGood

SETTLE_S = 0.5
"""Sets follow each other at least this far apart: a rolling update changes many instances in a moment."""
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
BELIEVED_AFTER_S = 600.0
"""For so long a registry must insist that there is nothing any more. Clusters that are really gone fail their health
checks meanwhile, and are not asked."""

logger = logging.getLogger("llm_router.discovery")


class Finder:
    """A ``Discovery`` over one source. ``known`` is what a predecessor of the same method had found; nothing is
    believed to be there after ``believed_after_s``, or one refresh interval where that is longer. ``clock`` is
    monotonic seconds, ``chance`` gives 0..1."""

    def __init__(
        self,
        source: Source,
        config: Config,
        *,
        metrics: Metrics,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        known: tuple[Instance, ...] = (),
        believed_after_s: float = BELIEVED_AFTER_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.method = source.method
        self._source, self._config, self._metrics = source, config, metrics
        self._sleep, self._chance = sleep, chance
        self._last_good = LastGood(known, max(believed_after_s, config.discovery.refresh_interval), clock)
        self._failures = 0
        self._trouble = Trouble(logger, f"discovery by {self.method} is back")
        self._unfit: tuple[Unfit, ...] = ()
        self._answered = bool(known)
        self.current = self._assembled()

    @property
    def instances(self) -> tuple[Instance, ...]:
        return self._last_good.instances

    async def sets(self) -> AsyncGenerator[ClusterSet, None]:
        self._show(up=False)
        changed = asyncio.Event()
        following = asyncio.create_task(self._follow(changed))
        try:
            while True:
                await changed.wait()
                changed.clear()
                yield self.current
                await self._sleep(SETTLE_S)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _follow(self, changed: asyncio.Event) -> None:
        while True:
            try:
                async with aclosing(self._source.answers()) as answers:
                    async for answer in answers:
                        self._take(answer, changed)
            except SourceDown as down:
                self._down(down)
                await self._sleep(self._backoff_s(down.retry_after_s))
            except Exception:
                # A bug in a source must not end discovery, nor the clusters that it has found.
                logger.exception("discovery by %s failed", self.method)
                self._show(up=False)
                await self._sleep(MAX_BACKOFF_S)

    def _take(self, answer: Answer, changed: asyncio.Event) -> None:
        before = self._last_good.instances
        self._last_good.take(answer)
        self._failures, first = 0, not self._answered
        self._answered = True
        if self._last_good.doubted:
            self._tell(f"is not believed yet: it says that nothing is there any more; {self._found} clusters stay")
        else:
            self._trouble.ends()
        if first or self._last_good.instances != before:
            assembled = self._assembled()
            if assembled != self.current:
                self.current = assembled
                changed.set()
        self._show(up=not self._last_good.doubted)

    def _assembled(self) -> ClusterSet:
        found, unfit = assemble(self._config, self._last_good.instances)
        for one in unfit:
            if one not in self._unfit:
                logger.warning("discovery by %s passes over %s: %s", self.method, one.origin, one.reason)
        self._unfit = unfit
        return found if self._answered else structs.replace(found, awaited=True)

    def _down(self, down: SourceDown) -> None:
        self._failures += 1
        self._last_good.interrupted()
        self._tell(f"is down, {self._found} clusters stay: {down}")
        self._show(up=False)

    def _tell(self, trouble: str) -> None:
        self._trouble.is_(f"discovery by {self.method} {trouble}")

    def _show(self, *, up: bool) -> None:
        self._metrics.discovered(self.method, self._found, up=up)

    @property
    def _found(self) -> int:
        return len(self.current.clusters) - len(self._config.clusters)

    def _backoff_s(self, asked_s: float | None) -> float:
        """Half to all of the doubling ceiling, and never less than the registry asked for."""
        ceiling = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(self._failures - 1, 16))
        return max(ceiling * (0.5 + self._chance() / 2), min(asked_s or 0.0, MAX_BACKOFF_S))
