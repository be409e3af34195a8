"""The pace of background polling, on a clock that jumps."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from llm_router.signals.polling import JITTER, jittered, poll_forever
from tests.router.execution.test_deadlines import run


@pytest.mark.parametrize("takes_s", [0.0, 6.0, 20.0])
def test_it_polls_at_its_interval_from_start_to_start_and_never_twice_at_once(takes_s: float) -> None:
    began: list[float] = []

    async def main() -> None:
        async def poll() -> None:
            began.append(asyncio.get_running_loop().time())
            await asyncio.sleep(takes_s)

        polling = asyncio.create_task(poll_forever("it", lambda: 10.0, poll))
        await asyncio.sleep(1000)
        polling.cancel()

    run(main)
    gaps = [later - earlier for earlier, later in pairwise(began)]
    assert all(max(8.0, takes_s) <= gap + 1e-6 and gap - 1e-6 <= max(12.0, takes_s) for gap in gaps)
    assert len(gaps) >= 1000 / max(12.0, takes_s) - 1


def test_one_that_fails_is_logged_and_polled_again(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def poll() -> None:
            raise ZeroDivisionError

        polling = asyncio.create_task(poll_forever("it", lambda: 10.0, poll))
        await asyncio.sleep(25)
        polling.cancel()

    run(main)
    assert [record.message for record in caplog.records] == ["polling it failed"] * len(caplog.records)
    assert len(caplog.records) >= 3


@pytest.mark.parametrize(("at", "expected_s"), [(0.0, 10 - 10 * JITTER), (0.5, 10.0), (1.0, 10 + 10 * JITTER)])
def test_intervals_are_spread_evenly_to_both_sides(at: float, expected_s: float) -> None:
    assert jittered(10.0, lambda low, high: low + at * (high - low)) == pytest.approx(expected_s)
