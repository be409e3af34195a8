"""One pool of llama-servers: collected now and then, summed up as the ``ClusterStatus`` that the router polls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from msgspec import Struct

from ..model import ClusterStatus, PoolCost, ServedModel, State, TokensPerSecond
from ..pricing.cluster_cost import usd_per_1k_tokens
from .meter import Meter
from .prices.base import Priced, Quote
from .scrape import Facts, LlamaServer, Load, ScrapeFailed

RETURN_INTERVAL_S = 0.25
"""How often a pool is read while one of its servers is away: there is nobody to disturb, and traffic waits for it."""

logger = logging.getLogger("llm_router.exporter")


class Terms(Struct, frozen=True, kw_only=True):
    """What the operator says about a pool: its name, its nodes, and what a node costs over its price."""

    pool: str
    nodes: int = 1
    overhead_factor: float = 1.10
    window_s: float = 300.0


class Pool:
    """``prices`` is ``None`` where nobody here knows what a node costs: then speeds are told, costs are not.

    ``unix_time`` is the wall clock that the status is dated by.
    """

    def __init__(
        self,
        terms: Terms,
        servers: Sequence[LlamaServer],
        *,
        prices: Priced | None,
        unix_time: Callable[[], float],
    ) -> None:
        self._terms = terms
        self._members = [_Member(server, terms.window_s) for server in servers]
        self._prices, self._unix_time = prices, unix_time
        self._measured_at: float | None = None

    async def collect(self) -> None:
        """Ask all servers once. What cannot be had now stays as it was."""
        await asyncio.gather(*(member.collect() for member in self._members))
        self._measured_at = self._unix_time()

    async def collect_forever(self, interval_s: float) -> None:
        while True:
            try:
                await self.collect()
            except Exception:
                # A bug here must not end the figures for good: it is logged, and they age until the next time.
                logger.exception("collecting %s failed", self._terms.pool)
            await asyncio.sleep(interval_s if self._all_up() else min(interval_s, RETURN_INTERVAL_S))

    def _all_up(self) -> bool:
        return all(member.state == "up" for member in self._members)

    def status(self) -> ClusterStatus | None:
        """The status as of the last ``collect``, ``None`` before the first."""
        if self._measured_at is None:
            return None
        up = [member for member in self._members if member.state == "up"]
        speeds = _together(self._members, max(1, len(up)))
        slots_total, slots_busy = sum(member.slots for member in up), sum(member.busy for member in up)
        price = None if self._prices is None else self._prices.quote()
        return ClusterStatus(
            target=self._terms.pool,
            state=_state([member.state for member in self._members]),
            models=_models(up),
            nodes=self._terms.nodes,
            node_usd_per_hour=None if price is None else price.usd_per_hour,
            price_source=None if price is None else price.source,
            price_age_s=None if price is None else price.age_s,
            slots_total=slots_total,
            slots_busy=slots_busy,
            queue_depth=sum(member.deferred for member in up),
            tokens_per_second=speeds,
            usd_per_1k_tokens=self._cost(price, speeds, slot_is_free=slots_busy < slots_total),
            measured_at=self._measured_at,
        )

    def _cost(self, price: Quote | None, speeds: TokensPerSecond, *, slot_is_free: bool) -> PoolCost:
        """One more request costs nothing on a node that runs anyway and has a free slot; else its share of a node."""
        if price is None:
            return PoolCost()
        capacity = self._usd_per_1k(price, speeds.capacity)
        return PoolCost(
            capacity=capacity,
            realised=self._usd_per_1k(price, speeds.realised),
            marginal=0.0 if slot_is_free else capacity,
        )

    def _usd_per_1k(self, price: Quote, tokens_per_second: float | None) -> float | None:
        if not tokens_per_second:
            return None
        try:
            return usd_per_1k_tokens(
                node_usd_per_hour=price.usd_per_hour,
                nodes=self._terms.nodes,
                tokens_per_second=tokens_per_second,
                overhead_factor=self._terms.overhead_factor,
            )
        except ValueError:
            return None


@contextlib.asynccontextmanager
async def collecting(pool: Pool, interval_s: float) -> AsyncIterator[None]:
    """Collects in the background for as long as the context is open."""
    task = asyncio.create_task(pool.collect_forever(interval_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Member:
    """What is known of one server of the pool."""

    def __init__(self, server: LlamaServer, window_s: float) -> None:
        self._server = server
        self._meter = Meter(window_s=window_s)
        self._facts: Facts | None = None
        self._load: Load | None = None
        self._complaint = ""
        self.state: State = "down"

    async def collect(self) -> None:
        before, self.state = self.state, await self._server.state()
        if self.state != "up":
            return
        try:
            if self._facts is None or before != "up":
                self._facts = await self._server.facts()
            self._load = await self._server.load()
        except ScrapeFailed as failed:
            self._complain(str(failed))
            return
        self._complaint = ""
        self._meter.feed(self._load.reading, slots=self._facts.slots)

    def _complain(self, message: str) -> None:
        if message != self._complaint:
            logger.warning("%s", message)
        self._complaint = message

    @property
    def slots(self) -> int:
        return 0 if self._facts is None else self._facts.slots

    @property
    def models(self) -> tuple[ServedModel, ...]:
        return () if self._facts is None else self._facts.models

    @property
    def busy(self) -> int:
        return 0 if self._load is None else min(self._load.reading.processing, self.slots)

    @property
    def deferred(self) -> int:
        return 0 if self._load is None else self._load.deferred

    @property
    def speeds(self) -> TokensPerSecond:
        return self._meter.speeds()


def _state(states: Sequence[State]) -> State:
    """A pool answers when one of its servers does."""
    for state in ("up", "starting"):
        if state in states:
            return state
    return "down"


def _models(up: Sequence[_Member]) -> tuple[ServedModel, ...]:
    return tuple({model.name: model for member in up for model in member.models}.values())


def _together(members: Sequence[_Member], running: int) -> TokensPerSecond:
    """The pool's speeds: served tokens add up; a server that has not been measured counts like those that have."""
    speeds = [member.speeds for member in members]
    realised = [speed.realised for speed in speeds if speed.realised is not None]
    return TokensPerSecond(
        capacity=_extrapolated([speed.capacity for speed in speeds], running),
        realised=sum(realised) if realised else None,
        prefill=_extrapolated([speed.prefill for speed in speeds], running),
    )


def _extrapolated(figures: Sequence[float | None], running: int) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) * running if known else None
