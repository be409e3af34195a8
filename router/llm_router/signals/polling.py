"""Background polling: one loop a polled thing, at its own pace, spread out so that they do not beat together."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

JITTER = 0.20

logger = logging.getLogger("llm_router.signals")


async def poll_forever(name: str, interval_s: Callable[[], float], poll: Callable[[], Awaitable[None]]) -> None:
    """Call ``poll`` now and then every ``interval_s()`` ± 20 %, from start to start, until cancelled."""
    now = asyncio.get_running_loop().time
    while True:
        began = now()
        try:
            await poll()
        except Exception:
            # A bug in one poller must not end the signals of all targets: it is logged, and polled again.
            logger.exception("polling %s failed", name)
        await asyncio.sleep(began + jittered(interval_s()) - now())


def jittered(interval_s: float, uniform: Callable[[float, float], float] = random.uniform) -> float:
    return interval_s * uniform(1 - JITTER, 1 + JITTER)
