"""Several that may know: the first that does is believed; live ones are asked in the background."""

from __future__ import annotations

import asyncio

from llm_router.exporter.prices.base import PriceUnknown
from llm_router.exporter.prices.chain import Fetches, Prices
from llm_router.exporter.prices.explicit import ExplicitPrice
from llm_router.exporter.prices.live import LivePrice
from tests.router.edge import until
from tests.router.exporter.prices.test_live import Said, Scripted


def live(source: Scripted, fetches: Fetches) -> LivePrice:
    return LivePrice(source, refresh_s=0.001, max_age_s=3600, reference=None, clock=lambda: 0.0, tally=fetches)


def usd(prices: Prices) -> float | None:
    quote = prices.quote()
    return None if quote is None else quote.usd_per_hour


def test_nobody_knows_nothing() -> None:
    assert Prices([]).quote() is None


def test_the_first_that_knows_is_believed_and_the_others_stand_by() -> None:
    says: list[Said] = [PriceUnknown("not yet"), 0.25]
    source, fetches = Scripted(says), Fetches()
    prices = Prices([live(source, fetches), ExplicitPrice(0.5, None, lambda: 0.0)], fetches)
    assert usd(prices) == 0.5

    async def live_known() -> bool:
        return usd(prices) == 0.25

    async def scenario() -> None:
        async with prices.refreshing():
            await asyncio.wait_for(until(live_known, every_s=0.001), 60)

    asyncio.run(scenario())
    assert source.closed
    assert prices.fetches.counts["scripted", "failed"] == 1
    assert prices.fetches.counts["scripted", "accepted"] >= 1
