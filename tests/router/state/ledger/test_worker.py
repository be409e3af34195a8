"""Calls run in order in a thread of their own; one that hangs is given up, and holds up nobody else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from llm_router.state.ledger.store import StoreUnavailable
from llm_router.state.ledger.worker import Worker


def test_results_and_errors_come_back_in_order() -> None:
    async def main() -> None:
        worker, seen = Worker("test", 10.0), list[int]()

        def note(number: int) -> str:
            seen.append(number)
            return threading.current_thread().name

        names = await asyncio.gather(*(worker.do(lambda n=n: note(n)) for n in range(5)))  # type: ignore[misc]
        assert (seen, set(names)) == ([0, 1, 2, 3, 4], {"test"})
        with pytest.raises(ZeroDivisionError):
            await worker.do(lambda: 1 // 0)
        worker.end()

    asyncio.run(main())


def test_a_call_that_hangs_is_given_up_and_others_are_refused_until_it_comes_back() -> None:
    hanging = threading.Event()

    async def main() -> None:
        worker = Worker("test", 0.05)
        with pytest.raises(StoreUnavailable, match="did not answer within"):
            await worker.do(hanging.wait)
        with pytest.raises(StoreUnavailable, match="has not answered"):
            await worker.do(lambda: 1)
        hanging.set()
        for _ in range(200):
            try:
                assert await worker.do(lambda: 1) == 1
                break
            except StoreUnavailable:
                await asyncio.sleep(0.01)
        else:
            pytest.fail("the worker did not come back")
        worker.end()

    asyncio.run(main())


def test_a_call_that_never_comes_back_does_not_hold_up_the_end_of_the_loop() -> None:
    hanging = threading.Event()

    async def main() -> None:
        worker = Worker("test", 0.05)
        with pytest.raises(StoreUnavailable):
            await worker.do(hanging.wait)
        worker.end()

    asyncio.run(main())
    hanging.set()
