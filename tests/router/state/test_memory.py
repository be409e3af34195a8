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
