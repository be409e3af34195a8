"""Counters of one process."""

from __future__ import annotations

import asyncio

from llm_router.admission.book import Used
from llm_router.config.schema import Budget
from llm_router.state.memory import MemoryCounters
from tests.router.admission.claims import claims, limits


def test_a_lease_is_settled_once_however_often_it_is_asked_to() -> None:
    async def main() -> None:
        counters = MemoryCounters(lambda: 0.0)
        stated = limits(9, 100, 1, budget=Budget(daily=1.0))
        first = await counters.reserve(claims(stated, 40))
        refused = await counters.reserve(claims(stated, 40))
        assert refused.lease is None
        assert refused.refused is not None
        assert refused.refused.limit.unit == "slots"
        assert first.lease is not None
        for _ in range(3):
            first.lease.settle(Used(tokens=15, nano_usd=7))
        again = await counters.reserve(claims(stated, 40))
        assert [tally.used for tally in again.tallies] == [2, 55, 1, 107]

    asyncio.run(main())


def test_of_several_processes_each_keeps_to_its_part_and_takes_the_others_for_its_like() -> None:
    async def main() -> None:
        counters = MemoryCounters(lambda: 0.0, processes=4)
        stated = limits(8, 100, 1, budget=Budget(daily=1.0))
        first = await counters.reserve(claims(stated, 20))
        assert first.lease is not None
        assert [tally.used for tally in first.tallies][:3] == [4, 80, 4]
        first.lease.settle(Used(tokens=20, nano_usd=7))
        assert (await counters.reserve(claims(stated, 20))).refused is not None, "25 of the 100 tokens are its part"
        second = await counters.reserve(claims(stated, 5))
        assert second.lease is not None, "one slot is there for each: without it nobody would get through"
        refused = await counters.reserve(claims(stated, 0))
        assert refused.refused is not None
        assert (refused.refused.limit.unit, refused.refused.limit.ceiling) == ("requests", 8)

    asyncio.run(main())
