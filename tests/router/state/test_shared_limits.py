"""Eight processes on one Redis, killed and paused as they work: never more than the limit, no money lost, and what the
dead held is free again."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from llm_router.admission.limits import CHECK, Claim
from llm_router.state.redis import PREFIX
from tests.router.redis_server import RedisServer, running_redis
from tests.router.state.counting import counters_on, state_on, until
from tests.router.state.history import Worker, money, most_at_a_time, most_in_any_minute
from tests.router.state.worker import CALLERS, FAR, run, stated

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.router.state.worker"])
PROCESSES = 8
LEASE_S = 1.0


@dataclass
class Team:
    """The workers, and what was done to them."""

    folder: Path
    plan: dict[str, Any]
    chance: random.Random
    stack: ExitStack
    alive: list[tuple[ForkServerProcess, Path]] = field(default_factory=list)
    killed: dict[Path, float] = field(default_factory=dict)
    paused: dict[Path, list[float]] = field(default_factory=dict)
    number: int = 0

    def hire(self) -> None:
        self.number += 1
        log = self.folder / f"{self.number}.log"
        process = FORKS.Process(target=run, args=(self.plan | {"log": str(log), "seed": self.number},))
        process.start()
        self.stack.callback(process.kill)
        self.alive.append((process, log))

    def await_ready(self) -> None:
        ends_at = time.monotonic() + 30
        for process, log in self.alive:
            while not (log.exists() and "ready" in log.read_text()):
                assert process.is_alive(), "a worker ended"
                assert time.monotonic() < ends_at, "a worker was not ready"
                time.sleep(0.01)

    def kill_one(self) -> None:
        process, log = self.alive.pop(self.chance.randrange(len(self.alive)))
        self.killed[log] = time.monotonic()
        process.kill()
        process.join()
        self.hire()

    def pause_one(self, seconds: float) -> None:
        process, log = self.chance.choice(self.alive)
        if seconds >= LEASE_S / 2:  # a lease that is not renewed in time may have expired
            # What was renewed just before may expire as late; counted as lost from the start it is no false alarm.
            self.paused.setdefault(log, []).append(time.monotonic())
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGCONT)

    def granted(self) -> int:
        return sum(log.read_text().count(" granted ") for log in self.folder.glob("*.log"))

    def end(self) -> list[Worker]:
        self.await_ready()
        for process, _ in self.alive:
            process.terminate()
        for process, _ in self.alive:
            process.join(30)
            assert process.exitcode == 0
        logs = [log for log in self.folder.glob("*.log") if log.exists()]
        return [
            Worker.read(log, killed_at=self.killed.get(log, math.inf), paused_at=self.paused.get(log, ()))
            for log in logs
        ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis") as running:
        yield running
        running.process.send(signal.SIGCONT)


def team(server: RedisServer, folder: Path, stack: ExitStack, **plan: Any) -> Team:
    usual = {"port": server.port, "lease_s": LEASE_S, "held_s": 0.03}
    hired = Team(folder, usual | plan, random.Random(7), stack)
    for _ in range(PROCESSES):
        hired.hire()
    hired.await_ready()
    return hired


def left(server: RedisServer, limits: dict[str, Any]) -> dict[str, int]:
    """What the counters say once no lease is left."""

    async def main() -> dict[str, int]:
        wanted = stated(**limits)
        async with counters_on(state_on(server)) as counters:

            async def read() -> dict[str, int]:
                reply = await counters.reserve([Claim(limit, CHECK) for limit in wanted.values()])
                return {name: tally.used for name, tally in zip(wanted, reply.tallies, strict=True)}

            async def free() -> bool:
                return (await read())["slots"] == 0

            await until(free, 2 * LEASE_S + 5)
            reserved = await counters._client.hget(PREFIX + wanted["daily"].key, "reserved")
            assert int(reserved or 0) == 0
            return await read()

    return asyncio.run(main())


def nemesis(team: Team, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        time.sleep(team.chance.uniform(0.1, 0.3))
        deed = team.chance.choice(("kill", "pause briefly", "pause"))
        if deed == "kill":
            team.kill_one()
        else:
            team.pause_one(1.5 * LEASE_S if deed == "pause" else 0.2)


def check(workers: list[Worker], counted: dict[str, int], limits: dict[str, Any]) -> None:
    assert len(workers) > PROCESSES, "nobody was killed"
    assert most_at_a_time(workers) <= limits["slots"]
    assert most_in_any_minute(workers) <= limits["rpm"]
    least, most = money(workers)
    assert least <= counted["daily"] <= most


def test_killed_and_paused_processes_never_get_more_than_the_limit(server: RedisServer, tmp_path: Path) -> None:
    limits = {"rpm": 100_000, "tpm": 10**7, "slots": 12, "usd": 1.0}
    with ExitStack() as stack:
        hired = team(server, tmp_path, stack, timeout_s=5.0, limits=limits)
        nemesis(hired, 4.0)
        workers = hired.end()
    counted = left(server, limits)
    check(workers, counted, limits)
    assert most_at_a_time(workers) >= 10, "so few at a time prove nothing"
    granted = sum(len(worker.grants) for worker in workers)
    # A process killed between its grant and its note leaves one of each caller's uncounted here.
    assert granted <= counted["requests"] <= granted + CALLERS * len(hired.killed)


def test_all_of_the_limit_is_used_and_not_one_more(server: RedisServer, tmp_path: Path) -> None:
    limits = {"rpm": 500, "tpm": 10**7, "slots": 1000, "usd": 1.0}
    with ExitStack() as stack:
        hired = team(server, tmp_path, stack, timeout_s=5.0, limits=limits)
        ends_at = time.monotonic() + 30
        while hired.granted() < limits["rpm"] and time.monotonic() < ends_at:
            time.sleep(0.05)
        time.sleep(0.2)  # in which there would be one more
        workers = hired.end()
    assert sum(len(worker.grants) for worker in workers) == 500
    assert left(server, limits)["requests"] == 500


def test_without_redis_for_a_while_there_is_one_more_window_at_most_and_no_money_is_lost(
    server: RedisServer, tmp_path: Path
) -> None:
    limits = {"rpm": 800, "tpm": 10**7, "slots": 1000, "usd": 1.0}
    with ExitStack() as stack:
        hired = team(server, tmp_path, stack, timeout_s=0.05, limits=limits, replicas=PROCESSES)
        for _ in range(2):
            server.process.send(signal.SIGSTOP)
            time.sleep(0.7)
            server.process.send(signal.SIGCONT)
            time.sleep(0.7)
        workers = hired.end()
    counted = left(server, limits)
    assert most_in_any_minute(workers) <= 2 * limits["rpm"]
    least, most = money(workers)
    assert least == counted["daily"] == most


def test_a_budget_is_never_overdrawn(server: RedisServer, tmp_path: Path) -> None:
    """Each settles at most what it reserved: then not even killed processes let it be overdrawn."""
    limits = {"rpm": 10**6, "tpm": 10**8, "slots": 1000, "usd": 0.0001}
    with ExitStack() as stack:
        hired = team(server, tmp_path, stack, timeout_s=5.0, limits=limits)
        for _ in range(2):
            time.sleep(0.3)
            hired.kill_one()
        granted = -1
        while granted != (granted := hired.granted()):  # until nothing is left
            time.sleep(0.5)
        workers = hired.end()
    counted = left(server, limits)
    least, most = money(workers)
    assert least <= counted["daily"] <= min(most, 100_000)
    assert counted["daily"] > 85_000, "nobody came near it"


@pytest.mark.nightly
def test_for_minutes_no_minute_holds_more_than_the_limit(server: RedisServer, tmp_path: Path) -> None:
    limits = {"rpm": 2000, "tpm": 10**7, "slots": 12, "usd": 1.0}
    with ExitStack() as stack:
        hired = team(server, tmp_path, stack, timeout_s=5.0, limits=limits)
        nemesis(hired, 75.0)
        workers = hired.end()
    check(workers, left(server, limits), limits)
    assert most_in_any_minute(workers) >= 0.95 * limits["rpm"]


def test_the_budgets_day_is_far_away() -> None:
    assert stated(1, 1, 1, 1.0)["daily"].ends_at > time.time() + 86_400
    assert time.time() < FAR
