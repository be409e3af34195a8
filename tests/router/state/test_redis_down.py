"""Redis that hangs, dies and comes back: nobody waits for it, nobody gets more than his part, no money is lost."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from llm_router.admission.book import Used
from llm_router.admission.limits import CHECK, Claim, Limit
from llm_router.config.schema import Budget
from llm_router.state.redis import ANSWER_SHARE, RedisCounters
from llm_router.telemetry.metrics import Metrics
from tests.router.admission.claims import claims, limits
from tests.router.ports import free_port
from tests.router.redis_server import RedisServer, running_redis
from tests.router.state.counting import counters_on, state_on, until, value

FAR = 4_000_000_000.0
TIMEOUT_S = 0.2


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that may be stopped."""
    with running_redis(tmp_path / "redis") as server:
        yield server
        server.process.send(signal.SIGCONT)


async def lost(counters: RedisCounters, server: RedisServer) -> None:
    """Redis hangs, and the counters have noticed."""
    server.process.send(signal.SIGSTOP)
    await counters.reserve(claims(limits(1000, owner="somebody")))
    assert counters._down


async def used(counters: RedisCounters, limit: Limit, expected: int) -> bool:
    return (await counters.reserve([Claim(limit, CHECK)])).tallies[0].used == expected


async def back(counters: RedisCounters, server: RedisServer) -> None:
    server.process.send(signal.SIGCONT)
    await until(lambda: not counters._down and not counters._settling.waiting)


def test_a_redis_that_hangs_is_waited_for_once_and_briefly(own: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    metrics, stated = Metrics(CollectorRegistry()), limits(1000)

    async def main() -> list[float]:
        async with counters_on(state_on(own, TIMEOUT_S), metrics=metrics) as counters:
            await counters.reserve(claims(stated))
            own.process.send(signal.SIGSTOP)
            waited = []
            for _ in range(20):
                began = time.monotonic()
                assert (await counters.reserve(claims(stated))).lease is not None
                waited.append(time.monotonic() - began)
            assert value(metrics, "llm_router_state_up") == 0
            own.process.send(signal.SIGCONT)
            await until(lambda: value(metrics, "llm_router_state_up") == 1)
            return waited

    with caplog.at_level(logging.INFO, "llm_router.state"):
        first, *others = asyncio.run(main())
    assert first >= ANSWER_SHARE * TIMEOUT_S * 0.9
    assert sorted(others)[10] < TIMEOUT_S / 5  # the middle one: the others do not wait at all
    assert value(metrics, "llm_router_state_failures_total") == 1
    assert [record.message.split(" (")[0] for record in caplog.records] == [
        "Redis does not answer",
        "Redis answers again; limits are shared",
    ]


def test_all_who_ask_while_it_hangs_are_answered_together(own: RedisServer) -> None:
    async def main() -> None:
        async with counters_on(state_on(own, TIMEOUT_S)) as counters:
            own.process.send(signal.SIGSTOP)
            began = time.monotonic()
            replies = await asyncio.gather(*(counters.reserve(claims(limits(1000))) for _ in range(300)))
            assert all(reply.lease is not None for reply in replies)
            assert time.monotonic() - began < 20 * TIMEOUT_S  # not 300 times, nor once for each round trip

    asyncio.run(main())


def test_meanwhile_each_router_keeps_to_its_part(own: RedisServer) -> None:
    stated = limits(12, 1200, 6, budget=Budget(daily=1e-6), unix_time=FAR)

    async def main() -> None:
        state = state_on(own, TIMEOUT_S)
        async with counters_on(state, lease_s=0.6) as counters, counters_on(state, lease_s=0.6):
            await until(lambda: counters._seen == 2)
            reply = await counters.reserve(claims(stated, nano_usd=400))
            assert reply.lease is not None
            reply.lease.settle(Used(nano_usd=400))
            await until(lambda: not counters._settling.waiting)
            assert (await counters.reserve([Claim(stated["daily"], CHECK)])).tallies[0].used == 400
            await lost(counters, own)
            for unit, amount, most in (("requests", 1, 6), ("tokens", 100, 6), ("slots", 1, 3), ("daily", 100, 3)):
                replies = [await counters.reserve([Claim(stated[unit], amount)]) for _ in range(10)]
                assert sum(one.lease is not None for one in replies) == most, unit
            await back(counters, own)

    asyncio.run(main())


def test_the_configured_number_of_routers_goes_before_the_seen_one(own: RedisServer) -> None:
    async def main() -> None:
        async with counters_on(state_on(own, TIMEOUT_S, replicas=5)) as counters:
            await lost(counters, own)
            replies = [await counters.reserve(claims(limits(10))) for _ in range(5)]
            assert sum(reply.lease is not None for reply in replies) == 2

    asyncio.run(main())


def test_one_request_gets_through_where_there_are_more_routers_than_requests(own: RedisServer) -> None:
    async def main() -> None:
        async with counters_on(state_on(own, TIMEOUT_S, replicas=50)) as counters:
            await lost(counters, own)
            replies = [await counters.reserve(claims(limits(10, 100), 80)) for _ in range(3)]
            assert [reply.lease is not None for reply in replies] == [True, False, False]
            too_large = await counters.reserve(claims(limits(owner="bob", tpm=100), 101))
            assert too_large.lease is None

    asyncio.run(main())


def test_money_that_others_may_still_spend_is_refused_for_now_and_not_for_the_day(own: RedisServer) -> None:
    stated = limits(budget=Budget(daily=1e-6), unix_time=FAR)

    async def main() -> None:
        async with counters_on(state_on(own, TIMEOUT_S, replicas=10)) as counters:
            await lost(counters, own)
            waits = [(await counters.reserve(claims(stated, nano_usd=n))).tallies[0].wait_s for n in (150, 1001)]
            assert waits == [1.0, float("inf")]

    asyncio.run(main())


def test_what_was_spent_meanwhile_is_booked_when_it_is_back(own: RedisServer) -> None:
    stated = limits(1000, 10_000, 50, budget=Budget(daily=1e-3), unix_time=FAR)

    async def main() -> None:
        async with counters_on(state_on(own, TIMEOUT_S)) as counters:
            before = await counters.reserve(claims(stated, nano_usd=5_000))
            await lost(counters, own)
            meanwhile = [await counters.reserve(claims(stated, nano_usd=5_000)) for _ in range(7)]
            for reply in (before, *meanwhile):
                assert reply.lease is not None
                reply.lease.settle(Used(tokens=10, nano_usd=1_234))
            assert counters._settling.unbooked(stated["daily"]) == 8 * 1_234
            await back(counters, own)
            reply = await counters.reserve([Claim(stated[name], CHECK) for name in ("slots", "daily")])
            assert [tally.used for tally in reply.tallies] == [0, 8 * 1_234]
            assert counters._settling.unbooked(stated["daily"]) == 0

    asyncio.run(main())


def test_the_policy_deny_refuses_what_has_a_limit(own: RedisServer) -> None:
    async def main() -> None:
        async with counters_on(state_on(own, TIMEOUT_S, when_down="deny")) as counters:
            own.process.send(signal.SIGSTOP)
            for _ in range(2):
                reply = await counters.reserve(claims(limits(1000)))
                assert (reply.down, reply.lease) == (True, None)
            await back(counters, own)
            assert (await counters.reserve(claims(limits(1000)))).lease is not None

    asyncio.run(main())


def test_a_redis_that_is_not_there_yet_is_found_once_it_is(tmp_path: Path) -> None:
    port = free_port()
    metrics = Metrics(CollectorRegistry())

    async def main() -> None:
        nowhere = RedisServer(port, process=None)  # type: ignore[arg-type]
        async with counters_on(state_on(nowhere, TIMEOUT_S), metrics=metrics) as counters:
            assert (await counters.reserve(claims(limits(10)))).lease is not None
            assert value(metrics, "llm_router_state_up") == 0
            with running_redis(tmp_path / "redis", port=port):
                await until(lambda: value(metrics, "llm_router_state_up") == 1)
                assert (await counters.reserve(claims(limits(10)))).tallies[0].used == 1

    asyncio.run(main())


def test_a_killed_redis_that_comes_back_empty_is_shared_again_and_its_scripts_are_loaded_anew(tmp_path: Path) -> None:
    stated = limits(1000, 10_000, 50, budget=Budget(daily=1e-3), unix_time=FAR)

    async def main() -> None:
        with running_redis(tmp_path / "first") as server:
            async with counters_on(state_on(server, TIMEOUT_S), lease_s=0.6) as counters:
                reply = await counters.reserve(claims(stated, nano_usd=5_000))
                server.process.send(signal.SIGKILL)
                server.process.wait()
                assert (await counters.reserve(claims(stated))).lease is not None
                with running_redis(tmp_path / "second", port=server.port):
                    await until(lambda: not counters._down)
                    # What still runs is known again as soon as its lease is renewed.
                    await until(lambda: used(counters, stated["slots"], 1))
                    assert reply.lease is not None
                    reply.lease.settle(Used(nano_usd=4_000))
                    await until(lambda: used(counters, stated["daily"], 4_000))

    asyncio.run(main())


def test_what_is_settled_at_the_end_is_booked_before_it_closes(own: RedisServer) -> None:
    stated = limits(budget=Budget(daily=1e-3), unix_time=FAR)

    async def main() -> None:
        async with counters_on(state_on(own)) as counters:
            replies = [await counters.reserve(claims(stated, nano_usd=500)) for _ in range(700)]
            for reply in replies:
                assert reply.lease is not None
                reply.lease.settle(Used(nano_usd=321))
        async with counters_on(state_on(own)) as counters:
            assert (await counters.reserve([Claim(stated["daily"], CHECK)])).tallies[0].used == 700 * 321

    asyncio.run(main())
