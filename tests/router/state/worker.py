"""A process that reserves and settles as fast as it may, and writes down what it got.

Each line of its log is one system call, so that kill -9 loses none: ``time what number tokens nano_usd``. A grant is
written after it came, a settlement before it is made: what the log says is held is held. ``stalled`` names a moment
from which on leases may have run out, since a busy machine held this process or Redis up.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from typing import Any

from llm_router.admission.book import Used
from llm_router.admission.limits import CHECK, Claim
from llm_router.config.schema import Budget
from tests.router.admission.claims import claims, limits
from tests.router.redis_server import RedisServer
from tests.router.state.counting import counters_on, state_on, until

FAR = 4_000_000_000.0
CALLERS = 4


def stated(rpm: int, tpm: int, slots: int, usd: float) -> Any:
    return limits(rpm, tpm, slots, budget=Budget(daily=usd), unix_time=FAR)


async def work(plan: dict[str, Any]) -> None:
    log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    stop, numbers = asyncio.Event(), iter(range(1, 10**9))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = RedisServer(plan["port"], process=None)  # type: ignore[arg-type]
    wanted = stated(**plan["limits"])

    def note(what: str, number: int = 0, tokens: int = 0, nano_usd: int = 0, at: float | None = None) -> None:
        os.write(log, f"{time.monotonic() if at is None else at:.6f} {what} {number} {tokens} {nano_usd}\n".encode())

    async def watch() -> None:
        while not stop.is_set():
            began = time.monotonic()
            await asyncio.sleep(plan["lease_s"] / 10)
            await counters.reserve([Claim(wanted["slots"], CHECK)])
            if time.monotonic() - began > plan["lease_s"] / 3:
                note("stalled", at=began)

    async def caller(chance: random.Random) -> None:
        while not stop.is_set():
            tokens, nano_usd, number = chance.randint(1, 50), chance.randint(1, 1000), next(numbers)
            reply = await counters.reserve(claims(wanted, tokens, nano_usd))
            if reply.lease is None:
                await asyncio.sleep(chance.uniform(0.002, 0.02))
                continue
            note("granted", number, tokens, nano_usd)
            await asyncio.sleep(chance.expovariate(1 / plan["held_s"]))
            used = Used(tokens=chance.randint(0, tokens), nano_usd=chance.randint(0, nano_usd))
            note("settled", number, used.tokens, used.nano_usd)
            reply.lease.settle(used)

    state = state_on(server, plan["timeout_s"], replicas=plan.get("replicas"))
    async with counters_on(state, lease_s=plan["lease_s"]) as counters:
        await counters.reserve([Claim(wanted["slots"], 0)])
        note("ready")
        await asyncio.gather(watch(), *(caller(random.Random(f"{plan['seed']}-{i}")) for i in range(CALLERS)))
        # Who ends while Redis is away loses what he has not booked: here only those do who are killed.
        await until(lambda: not (counters._down or counters._settling.waiting), 20)


def run(plan: dict[str, Any]) -> None:
    asyncio.run(work(plan))
