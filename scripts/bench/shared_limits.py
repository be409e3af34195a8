"""Limits that eight processes share on one Redis, while processes are killed and paused, and while Redis is."""

from __future__ import annotations

import asyncio
import signal
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from tests.router.admission.claims import claims, limits
from tests.router.redis_server import RedisServer, running_redis
from tests.router.state import test_shared_limits as eight
from tests.router.state.counting import counters_on, state_on
from tests.router.state.history import Worker, money, most_at_a_time, most_in_any_minute

WITHOUT_END = 10**6


def p12_shared_limits(seconds: float) -> str:
    slots, requests, nano_usd = 12, 500, 100_000
    held, _, killed, paused = on_one_redis({"slots": slots}, seconds)
    asked, *_ = on_one_redis({"rpm": requests}, seconds)
    spending, spent, *_ = on_one_redis({"usd": nano_usd / 1e9}, seconds, pauses=False)
    least, most = money(spending)
    unsure = f"{least} to {most}" if most > least else str(least)
    return (
        f"{most_at_a_time(held)} of {slots} at a time, {killed} of 8 processes killed and {paused} paused beyond their "
        f"leases; {most_in_any_minute(asked)} of {requests} in a minute; {spent} of {nano_usd} nano-USD booked where "
        f"the processes wrote down {unsure}; nothing reserved was left"
    )


def on_one_redis(limit: dict[str, Any], seconds: float, *, pauses: bool = True) -> tuple[list[Worker], int, int, int]:
    """What the workers wrote down, the nano-USD that are booked in the end, and how many were killed and paused."""
    stated = {"rpm": WITHOUT_END, "tpm": 10**8, "slots": 1000, "usd": 1.0} | limit
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_redis(folder / "redis"))
        team = eight.team(server, folder, stack, timeout_s=5.0, limits=stated)
        if pauses:
            eight.nemesis(team, seconds)
        else:
            time.sleep(seconds / 3)
            team.kill_one()
            time.sleep(seconds / 3)
        workers = team.end()
        booked = eight.left(server, stated)["daily"]
    return workers, booked, len(team.killed), sum(map(len, team.paused.values()))


def p13_without_redis(questions: int) -> str:
    """Each policy asks a Redis that hangs, and one that is gone."""
    told = []
    for when_down in ("local", "deny"):
        for how in (signal.SIGSTOP, signal.SIGKILL):
            granted, took_ms = asyncio.run(lost(when_down, how, questions))
            word = "hangs" if how == signal.SIGSTOP else "is gone"
            told.append(f"`{when_down}`, {word}: {granted} admitted, {max(took_ms):.0f} ms at most")
            told[-1] += f" and {statistics.median(took_ms):.1f} at the median"
    return f"{questions} questions with a limit of 100 and 4 replicas: " + "; ".join(told)


async def lost(when_down: Literal["local", "deny"], how: signal.Signals, questions: int) -> tuple[int, list[float]]:
    """How many of the questions are granted that are asked without Redis, and how many milliseconds each takes."""
    wanted, granted, took_ms = limits(rpm=100), 0, []
    with tempfile.TemporaryDirectory() as folder, running_redis(Path(folder) / "redis") as server:
        async with counters_on(state_on(server, 0.05, when_down=when_down, replicas=4)) as counters:
            await counters.reserve(claims(limits(rpm=100, owner="somebody else")))
            stopped(server, how)
            for _ in range(questions):
                began = time.perf_counter()
                reply = await counters.reserve(claims(wanted))
                took_ms.append((time.perf_counter() - began) * 1000)
                granted += reply.lease is not None
            server.process.send(signal.SIGCONT)
    return granted, took_ms


def stopped(server: RedisServer, how: signal.Signals) -> None:
    server.process.send(how)
    if how == signal.SIGKILL:
        server.process.wait()
