"""The scenes of the show: requests, load, prices that rise and fall, clusters that are lost and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

from .asking import Asker
from .children import ChildFailed
from .contract import THRESHOLD_USD_PER_1K
from .costs import Costs, below, follow, moved, served
from .screen import Screen
from .steps import ALL_UP, CLUSTERS, ELSEWHERE, PROVIDERS, SIMPLE, Result, Step, answered_by
from .world import World

SETTLE_S = 40.0
LOAD_ROUNDS = 3
"""Answers one after the other on each slot: some work for each of them."""
LOAD = Step("load", "Tell me a long story.", answered_by(CLUSTERS), max_tokens=48)
PRICE_STEP = 15.0
"""How much dearer nodes get at once; an exporter does not believe a leap of more than twenty times."""


class Scenes:
    """``results`` are the requests that were shown, ``costs`` what the clusters cost at the turns of the story."""

    def __init__(self, world: World, asker: Asker, screen: Screen) -> None:
        self._world, self._asker, self._screen = world, asker, screen
        self.results: list[Result] = []
        self.costs: dict[str, dict[str, Any]] = {}

    async def play(self) -> None:
        self._screen.open_table()
        for step in ALL_UP:
            await self._ask(step)
        if self._world.counts:
            await self._under_load()
        else:
            await self._elsewhere()
        await self._dearer()
        await self._lost()

    async def _elsewhere(self) -> None:
        for step in ELSEWHERE:
            await self._ask(step)
        await self._rate_limited()

    async def _ask(self, step: Step) -> Result:
        result = await self._asker.ask(step)
        result = replace(result, problem=step.expect(result))
        self._screen.row(result)
        self.results.append(result)
        return result

    # ------------------------------------------------------------ what tokens cost

    async def _under_load(self) -> None:
        """Every cluster works: its tokens get cheaper, because its node is paid for anyway. While that is being
        counted, requests that no cluster takes are shown."""
        before = await self._noted("before the load")
        self._screen.scene("load on every cluster")
        pools = [cluster.pool for cluster in self._world.clusters.values()]
        await asyncio.gather(*(self._work(pool.name) for pool in pools for _ in range(pool.slots)))
        await self._elsewhere()

        async def all_moved() -> bool:
            after = await self._asker.costs()
            return served(after) and moved(before, after)

        await _until(all_moved, "the cost of a cluster does not follow its load")
        after = await self._noted("under load")
        self._screen.costs(before, after)

    async def _work(self, cluster: str) -> None:
        step = replace(LOAD, headers={"X-LLM-Target": cluster})
        for _ in range(LOAD_ROUNDS):
            result = await self._asker.ask(step)
            if problem := step.expect(result):
                raise ChildFailed(f"load on {cluster}: {problem}")

    async def _dearer(self) -> None:
        """Node prices rise until every cluster's tokens cost more than the threshold: requests go outside. They fall
        again: requests come back."""
        before = await self._asker.costs()
        await _until(self._outside_because_dear, "requests do not go outside while clusters are dear")
        after = await self._noted("dear")
        self._screen.scene("node prices rise")
        self._screen.costs(before, after)
        outside = answered_by(PROVIDERS, reasons=["hybrid_external"])
        await self._ask(replace(SIMPLE, title="clusters dear: outside", expect=outside))
        self._screen.scene("node prices fall")
        while risen := self._world.market.risen:
            await self._reprice(risen, 1 / PRICE_STEP)

        async def inside() -> bool:
            return await self._asker.first_choice(SIMPLE) in CLUSTERS

        await _until(inside, "requests do not come back to clusters that are cheap again")
        await self._ask(replace(SIMPLE, title="clusters cheap again"))

    async def _outside_because_dear(self) -> bool:
        # Looked at more than once, and with a margin: what is measured of the scene before still comes in.
        if cheap := below(await self._asker.costs(), 2 * THRESHOLD_USD_PER_1K):
            await self._reprice(cheap, PRICE_STEP)
        return await self._asker.first_choice(SIMPLE) in PROVIDERS

    async def _reprice(self, pools: Iterable[str], factor: float) -> None:
        market = self._world.market
        market.multiply(pools, factor)

        async def followed() -> bool:
            return follow(await self._asker.costs(), market.usd_per_hour)

        await _until(followed, "the router does not follow the price of nodes")

    async def _noted(self, moment: str) -> Costs:
        costs = await self._asker.costs()
        self.costs[moment] = {name: asdict(cost) for name, cost in costs.items()}
        return costs

    # ------------------------------------------------------------ who fails

    async def _rate_limited(self) -> None:
        """A provider says 429: the next one answers."""
        await self._world.fault("anthropic", kind="rate_limit", times=1, retry_after="1")
        limited = Step(
            "provider rate-limited",
            "Hello",
            answered_by(PROVIDERS, after_failures=True),
            headers={"X-LLM-Strategy": "external_first"},
        )
        await self._ask(limited)
        await self._world.fault("anthropic")

    async def _lost(self) -> None:
        """The cluster that answers is killed at that: the request fails over. Then all are: providers answer. Brought
        back, they answer again."""
        world = self._world
        first = await self._asker.first_choice(SIMPLE)
        self._screen.scene(f"killing {first}")
        # Frozen, so that it has not answered before it is killed.
        world.freeze_cluster(first)
        everybody_else = (CLUSTERS | PROVIDERS) - {first}
        expect = answered_by(everybody_else, after_failures=True)
        step = replace(SIMPLE, title=f"{first} killed: failover", expect=expect)
        await asyncio.gather(self._ask(step), self._killed_at_work(first))
        self._screen.scene("killing every cluster")
        await asyncio.gather(*(world.stop_cluster(name) for name in world.clusters))

        async def none_left() -> bool:
            health = await world.health()
            return health is not None and health["healthy_clusters"] == 0

        await _until(none_left, "the router still finds clusters healthy")
        fallback = answered_by(PROVIDERS, reasons=["fallback_external"])
        await self._ask(replace(SIMPLE, title="all clusters down", expect=fallback))
        self._screen.scene("bringing them back")
        await asyncio.gather(*(world.start_cluster(name) for name in world.clusters))
        await _until(world.all_healthy, "not every cluster is healthy again")
        await self._ask(replace(SIMPLE, title=f"{first} is back", headers={"X-LLM-Target": first}))
        await self._ask(replace(SIMPLE, title="and all are back"))

    async def _killed_at_work(self, cluster: str) -> None:
        async def at_work() -> bool:
            return await self._asker.is_asked(cluster)

        await _until(at_work, f"nobody asks {cluster}")
        await self._world.stop_cluster(cluster)


async def _until(holds: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    try:
        async with asyncio.timeout(SETTLE_S):
            while not await holds():  # noqa: ASYNC110 -- the router has no event for it, it must be asked
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise ChildFailed(f"{otherwise} after {SETTLE_S:g} s") from None
