"""Minutes of everything at once, and what is left of it in memory and in file descriptors."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from contextlib import suppress

import uvloop
from yarl import URL

from llm_router.upstream.http1 import Http1Client
from scripts.bench.under_load import Served, ask, body, open_loop, serving


def p23_soak(seconds: float, per_second: float = 100.0) -> str:
    """Whole and streamed answers, callers who leave, and bodies that are refused, of each some. Half of the time is
    warm-up: until then the ledger's last ten thousand records fill up."""
    warm_up_s = seconds / 2

    async def leave(client: Http1Client, url: URL) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await ask(client, url, body(40, stream=True))

    async def request(client: Http1Client, url: URL, number: int) -> None:
        kind = number % 10
        if kind == 0:
            await leave(client, url)
        elif kind == 1:
            await ask(client, url, b"{")
        else:
            await ask(client, url, body(10, stream=kind % 2 == 0))

    async def main(router: Served) -> str:
        samples: list[tuple[float, float]] = []
        async with Http1Client(connect_timeout_s=5.0) as client:
            await open_loop(client, router.url, body(2), 20, 2.0)
            descriptors, began, tasks = router.descriptors, time.monotonic(), set[asyncio.Task[None]]()
            for number in itertools.count():
                at_s = time.monotonic() - began
                if at_s > seconds:
                    break
                if number % int(per_second) == 0 and at_s > warm_up_s:
                    samples.append((at_s / 60, router.rss_mib))
                await asyncio.sleep(max(0.0, number / per_second - at_s))
                task = asyncio.create_task(request(client, router.url, number))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)
        await asyncio.sleep(1.0)
        slope = statistics.linear_regression(*zip(*samples, strict=True)).slope
        return (
            f"{slope:+.2f} MiB a minute over the last {seconds - warm_up_s:.0f} of {seconds:.0f} s at "
            f"{number / seconds:.0f} requests a second, {samples[-1][1]:.0f} MiB at the end; "
            f"{router.descriptors - descriptors:+d} file descriptors"
        )

    with serving(first_token_s=0.02, tokens_per_second=400) as router:
        return uvloop.run(main(router))
