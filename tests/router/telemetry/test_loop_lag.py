"""What the event loop is late by is told, and what it is not late by is nothing."""

from __future__ import annotations

import asyncio
import time

from llm_router.telemetry.loop_lag import measure_loop_lag


def lags(blocked_s: float) -> list[float]:
    """What is observed of a loop that is blocked for so long."""

    async def main() -> list[float]:
        observed: list[float] = []
        told = asyncio.Event()

        def observe(seconds: float) -> None:
            observed.append(seconds)
            told.set()

        measuring = asyncio.create_task(measure_loop_lag(observe, interval_s=0.01))
        await asyncio.sleep(0)
        time.sleep(blocked_s)  # noqa: ASYNC251 -- this is what is measured
        async with asyncio.timeout(10):
            await told.wait()
        measuring.cancel()
        return observed

    return asyncio.run(main())


def test_a_block_is_measured() -> None:
    assert max(lags(0.15)) >= 0.13


def test_no_lag_is_negative() -> None:
    assert min(lags(0.0)) >= 0.0
