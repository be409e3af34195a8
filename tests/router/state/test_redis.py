"""Counters in a real Redis: the same answers as those of one process, shared, freed by leases, and exact with money."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from llm_router.admission.book import Used
from llm_router.admission.limits import CHECK, Claim, Limit
from llm_router.config.schema import Budget
from llm_router.state.counters import Counters, Reply
from llm_router.state.memory import MemoryCounters
from llm_router.state.redis import PREFIX, RedisCounters
from llm_router.telemetry.metrics import Metrics
from tests.router.admission.claims import claims, limits
from tests.router.redis_server import RedisServer
from tests.router.state.counting import counters_on, state_on, until, value

FAR = 4_000_000_000.0
"""Budgets of the distant future, whose counters no Redis forgets during the test."""
STATED = limits(1000, 100_000, 3, budget=Budget(daily=1e-6), unix_time=FAR)


def run(server: RedisServer, main: Callable[[RedisCounters], Awaitable[Any]], **options: Any) -> Any:
    async def session() -> Any:
        async with counters_on(state_on(server), **options) as counters:
            return await main(counters)

    return asyncio.run(session())


async def used(counters: Counters, *stated: Limit) -> list[int]:
    reply = await counters.reserve([Claim(limit, CHECK) for limit in stated])
    return [tally.used for tally in reply.tallies]


async def uses(counters: Counters, stated: dict[str, Limit], *expected: int) -> None:
    """Waits until that much is used: what is settled is booked in the background."""

    async def seen() -> bool:
        return await used(counters, *stated.values()) == list(expected)

    await until(seen)


def test_claims_are_taken_together_or_not_at_all(server: RedisServer) -> None:
    async def main(counters: RedisCounters) -> None:
        first = await counters.reserve(claims(STATED, 40, 300))
        assert first.lease is not None
        assert [tally.used for tally in first.tallies] == [1, 40, 1, 300]
        refused = await counters.reserve(claims(STATED, 40, 701))
        assert refused.lease is None
        assert refused.refused is not None
        assert refused.refused.limit.name == "daily"
        assert await used(counters, *STATED.values()) == [1, 40, 1, 300]
        first.lease.settle(Used(tokens=7, nano_usd=55))
        await uses(counters, STATED, 1, 7, 0, 55)

    run(server, main)


def test_two_processes_share_what_there_is(server: RedisServer) -> None:
    async def main(counters: RedisCounters) -> None:
        async with counters_on(state_on(server)) as other:
            replies = [await one.reserve(claims(STATED)) for one in (counters, other, counters, other)]
            assert [reply.lease is not None for reply in replies] == [True, True, True, False]
            assert replies[2].lease is not None
            replies[2].lease.settle(Used())
            await uses(other, STATED, 3, 20, 2, 200)

    run(server, main)


def test_what_is_asked_at_once_goes_in_few_round_trips_and_each_gets_its_own_answer(server: RedisServer) -> None:
    metrics = Metrics(CollectorRegistry())
    stated = limits(30)

    async def main(counters: RedisCounters) -> list[Reply]:
        return await asyncio.gather(*(counters.reserve(claims(stated)) for _ in range(50)))

    replies = run(server, main, metrics=metrics)
    assert sum(reply.lease is not None for reply in replies) == 30
    assert sorted(reply.tallies[0].used for reply in replies)[:30] == list(range(1, 31))
    assert (value(metrics, "llm_router_state_seconds_count") or 0) <= 3


def test_a_lease_that_nobody_renews_expires_and_its_slot_and_money_are_free(server: RedisServer) -> None:
    async def main(counters: RedisCounters) -> None:
        async with counters_on(state_on(server), lease_s=0.3) as dying:
            await dying.reserve(claims(STATED, 40, 300))
            for task in dying._tasks:  # a process that was killed renews nothing and settles nothing
                task.cancel()
            await uses(counters, STATED, 1, 40, 0, 0)

    run(server, main)


def test_a_lease_lives_as_long_as_its_request(server: RedisServer) -> None:
    async def main(counters: RedisCounters) -> None:
        async with counters_on(state_on(server), lease_s=1.5) as living:
            reply = await living.reserve(claims(STATED, 40, 300))
            await asyncio.sleep(2.5)
            assert await used(counters, STATED["slots"], STATED["daily"]) == [1, 300]
            assert reply.lease is not None
            reply.lease.settle(Used(tokens=40, nano_usd=300))
            await uses(counters, STATED, 1, 40, 0, 300)

    run(server, main)


def test_it_keeps_what_is_spent_though_redis_forgets(server: RedisServer) -> None:
    """Redis without persistence was started anew: who knows more tells it."""

    async def main(counters: RedisCounters) -> None:
        reply = await counters.reserve(claims(STATED, 40, 300))
        assert reply.lease is not None
        reply.lease.settle(Used(nano_usd=250))
        await uses(counters, STATED, 1, 0, 0, 250)
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        assert await used(counters, STATED["requests"], STATED["daily"]) == [0, 250]

    run(server, main)


def test_a_batch_whose_answer_was_lost_is_not_booked_twice(server: RedisServer) -> None:
    async def main(counters: RedisCounters) -> None:
        first = await counters.reserve(claims(STATED, 40, 300))
        assert first.lease is not None
        first.lease.settle(Used(nano_usd=250))
        number, entries = counters._settling.batch()
        assert await counters._book()
        counters._settling._batch, counters._settling._number = entries, number  # as if no answer had come
        counters._settling._unbooked[STATED["daily"].key] = 250
        assert await counters._book()
        assert await used(counters, STATED["daily"]) == [250]

    run(server, main)


def test_a_caller_who_leaves_while_it_is_asked_leaves_nothing_behind(server: RedisServer) -> None:
    async def main(counters: RedisCounters) -> None:
        task = asyncio.create_task(counters.reserve(claims(STATED, 40, 300)))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not counters._settling.waiting)
        assert await used(counters, STATED["slots"], STATED["daily"]) == [0, 0]

    run(server, main)


def test_counters_do_not_outlive_their_use(server: RedisServer) -> None:
    async def main(counters: RedisCounters) -> None:
        reply = await counters.reserve(claims(STATED, 40, 300))
        with redis.Redis.from_url(server.url) as client:
            lives_s = {key.decode(): client.ttl(key) for key in client.keys(f"{PREFIX}key:*")}
        assert len(lives_s) == 5
        assert all(seconds > 0 for seconds in lives_s.values()), lives_s
        assert reply.lease is not None
        reply.lease.settle(Used())

    run(server, main)


def test_a_key_of_another_kind_in_the_way_is_as_a_redis_that_is_down(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set(PREFIX + STATED["slots"].key, "not mine")

    async def main(counters: RedisCounters) -> None:
        reply = await counters.reserve(claims(STATED))
        assert reply.lease is not None

    run(server, main)


Step = tuple[str, int, int]
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 60), st.integers(0, 400)),
        st.tuples(st.just("end"), st.integers(0, 9), st.integers(0, 400)),
    ),
    max_size=25,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_redis_and_memory_give_the_same_answers(server: RedisServer, steps: list[Step]) -> None:
    """But for the time of day, which is each one's own: a minute does not pass in here."""
    stated = limits(9, 150, 3, owner=f"k{time.monotonic_ns()}", budget=Budget(daily=1e-6), unix_time=FAR)

    async def play(counters: Counters, settled: Callable[[], Awaitable[None]]) -> list[Any]:
        seen: list[Any] = []
        running = []
        for what, a, b in steps:
            if what == "ask":
                reply = await counters.reserve(claims(stated, a, b))
                refused = None if reply.refused is None else reply.refused.limit.name
                seen.append((refused, [tally.used for tally in reply.tallies]))
                running += [reply.lease] if reply.lease is not None else []
            elif running:
                running.pop(a % len(running)).settle(Used(tokens=a, nano_usd=b))
                await settled()
        for lease in running:
            lease.settle(Used())
        return seen

    async def main(counters: RedisCounters) -> None:
        async def booked() -> None:
            await until(lambda: not counters._settling.waiting)

        async def at_once() -> None:
            pass

        assert await play(counters, booked) == await play(MemoryCounters(lambda: 0.0), at_once)

    run(server, main)
