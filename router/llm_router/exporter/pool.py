"""One pool of llama-servers: collected now and then, summed up as the ``ClusterStatus`` that the router polls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from msgspec import Struct

from ..model import ClusterStatus, PoolCost, State, TokensPerSecond
from ..pricing.cluster_cost import usd_per_1k_tokens
from ..telemetry.trouble import Trouble
from .census import Address, Census
from .member import Member
from .members import Members
from .meter import Served
from .prices.base import Priced, Quote
from .scrape import LlamaServer
from .served import ServedByPool

RETURN_INTERVAL_S = 0.25
"""How often a server that is away is looked for: traffic waits for it, and the others are left alone."""

logger = logging.getLogger("llm_router.exporter")


class Terms(Struct, frozen=True, kw_only=True):
    """What the operator says about a pool: its name, its nodes where nobody counts them, and what a node costs over its
    price."""

    pool: str
    nodes: int = 1
    overhead_factor: float = 1.10
    window_s: float = 300.0


class Pool:
    """``prices`` is ``None`` where nobody here knows what a node costs: then speeds are told, costs are not.

    ``connect`` makes a client of a server. ``clock`` is monotonic, ``unix_time`` the wall clock that dates the status.
    """

    def __init__(
        self,
        terms: Terms,
        census: Census,
        *,
        connect: Callable[[Address], LlamaServer],
        prices: Priced | None,
        clock: Callable[[], float],
        unix_time: Callable[[], float],
    ) -> None:
        self._terms, self._census = terms, census
        self._prices, self._clock, self._unix_time = prices, clock, unix_time
        self._members = Members(connect)
        self._measured_at: float | None = None
        self._trouble = Trouble(logger, f"the nodes of {terms.pool} are counted again")
        self.served = ServedByPool(window_s=terms.window_s)

    async def collect(self) -> None:
        """Ask all servers once. What cannot be had now stays as it was."""
        if self._census.addresses is not None:
            self._members.meet(self._census.addresses)
            await self._ask(self._members.all)

    async def collect_forever(self, interval_s: float) -> None:
        while True:
            await self._safely(self.collect())
            until = self._clock() + interval_s
            while (left_s := until - self._clock()) > 0:
                await asyncio.sleep(min(left_s, RETURN_INTERVAL_S) if self._members.away else left_s)
                if away := self._members.away:
                    await self._safely(self._ask(away))

    def status(self) -> ClusterStatus | None:
        """The status as of the last collection, ``None`` before the first."""
        if self._measured_at is None:
            return None
        members = self._members
        up = members.up
        nodes = self._nodes(len(up))
        speeds = TokensPerSecond(
            capacity=members.capacity, realised=self.served.tokens_per_second, prefill=members.prefill
        )
        slots_total, slots_busy = sum(member.slots for member in up), sum(member.busy for member in up)
        price = None if self._prices is None else self._prices.quote()
        return ClusterStatus(
            target=self._terms.pool,
            state=_state(members.states, self._census.nodes),
            models=members.models,
            nodes=nodes,
            node_usd_per_hour=None if price is None else price.usd_per_hour,
            price_source=None if price is None else price.source,
            price_age_s=None if price is None else price.age_s,
            slots_total=slots_total,
            slots_busy=slots_busy,
            queue_depth=sum(member.deferred for member in up),
            tokens_per_second=speeds,
            usd_per_1k_tokens=self._cost(price, nodes, speeds, slot_is_free=slots_busy < slots_total),
            measured_at=self._measured_at,
        )

    @property
    def states(self) -> Sequence[State]:
        """Of its servers."""
        return self._members.states

    # ------------------------------------------------------------ collecting

    async def _ask(self, members: Sequence[Member]) -> None:
        served = await asyncio.gather(*(member.collect() for member in members))
        read = [part for part in served if part is not None]
        if read or self.served.has_begun:
            tokens, prompt_tokens = sum(part.tokens for part in read), sum(part.prompt_tokens for part in read)
            self.served.add(self._clock(), Served(tokens, prompt_tokens))
        up = self._members.up
        if not up or any(member.is_current for member in up):
            self._measured_at = self._unix_time()

    async def _safely(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            # A bug here must not end the figures for good: it is logged, and they age until the next time.
            logger.exception("collecting %s failed", self._terms.pool)

    # ------------------------------------------------------------ summing up

    def _nodes(self, servers_up: int) -> int:
        counted = self._census.nodes
        if counted is None:
            return self._terms.nodes
        if counted == 0 and servers_up:
            self._trouble.is_(
                f"servers of {self._terms.pool} answer, but no node matches: is kubernetes.nodeSelector that of its "
                f"nodes? Until one does, {self._terms.nodes} is what counts"
            )
            return self._terms.nodes
        self._trouble.ends()
        return counted

    def _cost(self, price: Quote | None, nodes: int, speeds: TokensPerSecond, *, slot_is_free: bool) -> PoolCost:
        """One more request costs nothing on a node that runs anyway and has a free slot; else its share of a node."""
        if price is None:
            return PoolCost()
        capacity = self._usd_per_1k(price, nodes, speeds.capacity)
        return PoolCost(
            capacity=capacity,
            realised=self._usd_per_1k(price, nodes, speeds.realised),
            marginal=0.0 if slot_is_free else capacity,
        )

    def _usd_per_1k(self, price: Quote, nodes: int, tokens_per_second: float | None) -> float | None:
        if not tokens_per_second or not nodes:
            return None
        try:
            return usd_per_1k_tokens(
                node_usd_per_hour=price.usd_per_hour,
                nodes=nodes,
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


def _state(states: Sequence[State], counted_nodes: int | None) -> State:
    """A pool answers when one of its servers does. Without servers it is at zero, or has nodes and soon a server."""
    if not states:
        return "starting" if counted_nodes else "zero"
    for state in ("up", "starting"):
        if state in states:
            return state
    return "down"
