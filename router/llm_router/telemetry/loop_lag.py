"""How late the event loop comes to what is due: everything that blocks it delays every request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

INTERVAL_S = 0.25


async def measure_loop_lag(observe: Callable[[float], None], interval_s: float = INTERVAL_S) -> None:
    """Give ``observe`` the seconds by which a timer fired too late, each ``interval_s``, until cancelled."""
    now = asyncio.get_running_loop().time
    while True:
        due = now() + interval_s
        await asyncio.sleep(interval_s)
        observe(max(0.0, now() - due))
