"""Gates of one pool that share their replay store in a real Redis: a signature counts once for all of them, and without
a store that remembers nobody is let in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from llm_router.api.replay import (
    KEPT_S,
    MAX_RUNS,
    MemoryReplayStore,
    ReplayStore,
    ReplayStoreForgot,
    ReplayStoreFull,
)
from llm_router.api.shared_replay import FORGOTTEN, MEMORY, NONCES, PREFIX, SINCE, RedisReplayStore
from llm_router.config.scalars import Seconds, Secret
from llm_router.config.schema import RedisServer as Settings
from llm_router.gate.config import Replay
from llm_router.state.redis_connection import connect
from llm_router.upstream.signing import SKEW_S
from tests.router.edge import run, until
from tests.router.gate.surroundings import CHAT, Clock, Router, gate, says_ok, upstream
from tests.router.gate.test_app import chat, config, running
from tests.router.ports import free_port
from tests.router.redis_server import RedisServer, running_redis

BODY = b'{"model":"tiny","messages":[]}'
TIMEOUT_S = 2.0
HANG_S = 30.0
OLD_S = 60
"""How long the memory of the shared store has lasted when the gates of a test begin."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis") as running:
        yield running
        running.process.send(signal.SIGCONT)


@contextlib.asynccontextmanager
async def store(
    server: RedisServer, *, since_s: float = OLD_S, clock: Clock | None = None, max_entries: int = 10**6
) -> AsyncIterator[RedisReplayStore]:
    """One gate's view of the shared store, which has remembered for ``since_s``."""
    clock = clock or Clock()
    settings = Settings(url=Secret(server.url), timeout=Seconds(TIMEOUT_S))
    async with connect(settings) as client:
        clock.now -= since_s
        shared = RedisReplayStore(client, max_entries=max_entries, timeout_s=TIMEOUT_S, unix_time=clock)
        await shared.begin()
        clock.now += since_s
        yield shared


@contextlib.asynccontextmanager
async def pool(
    server: RedisServer, *, since_s: float = OLD_S, clocks: tuple[Clock, Clock] | tuple[None, None] = (None, None)
) -> AsyncIterator[tuple[Router, Router]]:
    """Two gates of one pool, each with a connection of its own to Redis."""
    async with (
        upstream(says_ok) as behind,
        store(server, since_s=since_s, clock=clocks[0]) as one,
        store(server, since_s=since_s, clock=clocks[1]) as two,
        gate(behind.url, replay=one) as first,
        gate(behind.url, replay=two) as second,
    ):
        yield first, second


def test_a_signature_that_one_gate_has_taken_is_refused_by_the_other(server: RedisServer) -> None:
    async def scenario() -> tuple[list[int], float]:
        async with pool(server) as (first, second):
            data = first.raw("POST", CHAT, BODY)
            again = second.raw("POST", CHAT, BODY)
            asked = [(first, data), (second, data), (first, data), (second, again), (first, again)]
            return [(await one.send(what)).status for one, what in asked], second.rejected("replayed")

    assert run(scenario()) == ([200, 401, 401, 200, 401], 1)


def test_of_fifty_concurrent_copies_at_both_gates_exactly_one_is_answered(server: RedisServer) -> None:
    async def scenario() -> list[int]:
        async with pool(server) as gates:
            data = gates[0].raw("POST", CHAT, BODY)
            replies = await asyncio.gather(*(gates[n % 2].send(data) for n in range(50)))
            return sorted(reply.status for reply in replies)

    assert run(scenario()) == [200] + [401] * 49


def test_a_forged_body_burns_no_nonce_in_the_shared_store_either(server: RedisServer) -> None:
    async def scenario() -> list[int]:
        async with pool(server) as (first, second):
            data = first.raw("POST", CHAT, BODY)
            forged = data.replace(b"tiny", b"huge")
            return [(await one.send(what)).status for one, what in ((first, forged), (second, data))]

    assert run(scenario()) == [401, 200]


def test_what_is_remembered_is_bounded_and_does_not_hang_on_the_clock_of_redis(server: RedisServer) -> None:
    async def scenario() -> None:
        async with pool(server) as (first, second):
            for router in (first, second, first, second):
                first.clock.now += KEPT_S
                second.clock.now += KEPT_S
                assert (await router.ask("POST", CHAT, BODY)).status == 200

    run(scenario())
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert {key: client.pttl(key) for key in client.keys(f"{PREFIX}*")} == dict.fromkeys(
            (NONCES, FORGOTTEN, SINCE, MEMORY), -1
        )
        assert (client.zcard(NONCES), client.zcard(FORGOTTEN)) == (2, 2)


@pytest.mark.parametrize("back_s", [KEPT_S + 5, 3600])
def test_a_clock_that_is_set_back_makes_no_used_signature_new(server: RedisServer, back_s: int) -> None:
    async def scenario() -> tuple[list[int], float]:
        async with pool(server) as (first, second):
            captured = first.raw("POST", CHAT, BODY)
            statuses = [(await first.send(captured)).status]
            second.clock.now += back_s
            statuses.append((await second.ask("POST", CHAT, BODY)).status)
            second.clock.now -= back_s
            statuses += [(await one.send(captured)).status for one in (first, second)]
            return statuses, first.rejected("replay_store_forgot") + second.rejected("replay_store_forgot")

    assert run(scenario()) == ([200, 200, 503, 503], 2)


@pytest.mark.parametrize("max_entries", [10**6, 20])
def test_it_agrees_with_the_memory_of_one_process_on_any_times(server: RedisServer, max_entries: int) -> None:
    """``MemoryReplayStore`` is the model: its own tests say what both promise. Here are so many runs of seconds that
    some become one, and thousands of old ones at a time."""

    async def verdict(replay: ReplayStore, key: str, created: int) -> bool | type[Exception]:
        try:
            return await replay.use(key, created)
        except (ReplayStoreForgot, ReplayStoreFull) as refused:
            return type(refused)

    async def scenario() -> None:
        chance, memory, now = random.Random(7), MemoryReplayStore(max_entries=max_entries), int(Clock().now)
        asked: list[tuple[str, int]] = []
        async with store(server, max_entries=max_entries) as shared:
            for number in range(1500):
                now += chance.choice((0, 0, 1, 1, 40, 100, -30, -1000, 900))
                if number % 3 == 0 and asked:
                    key, created = chance.choice(asked)
                else:
                    key, created = f"k|{number}", now + 10**6
                asked.append((key, created))
                assert await verdict(shared, key, created) == await verdict(memory, key, created), number

    run(scenario())
    with redis.Redis.from_url(server.url) as client:
        assert client.zcard(FORGOTTEN) == MAX_RUNS


def test_however_many_were_signed_in_a_second_all_are_forgotten_when_it_is_over(server: RedisServer) -> None:
    now = int(Clock().now)

    async def scenario() -> list[bool]:
        async with store(server) as shared:
            with redis.Redis.from_url(server.url) as client:
                client.zadd(NONCES, {f"k|{number}": now for number in range(5000)})
            return [await shared.use("k|0", now), await shared.use("late", now + KEPT_S + 1)]

    assert run(scenario()) == [False, True]
    with redis.Redis.from_url(server.url) as client:
        assert client.zrange(NONCES, 0, -1) == [b"late"]


def test_when_the_most_are_remembered_the_next_is_refused_and_not_forgotten(server: RedisServer) -> None:
    async def scenario() -> list[bool]:
        now = int(Clock().now)
        async with store(server, max_entries=2) as shared:
            used = [await shared.use(key, now) for key in "ab"]
            with pytest.raises(ReplayStoreFull):
                await shared.use("c", now)
            return [*used, await shared.use("a", now), await shared.use("d", now + KEPT_S + 1)]

    assert run(scenario()) == [True, True, False, True]


# ---------------------------------------------------------------- without a store that remembers


class Paused:
    """A client whose ``get`` answers when it is let go."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def get(self, key: str) -> Any:
        found = await self._client.get(key)
        self.asked.set()
        await self.go.wait()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_gate_whose_clock_is_behind_begins_no_memory_in_which_a_used_signature_is_new(
    server: RedisServer, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, or after it had looked while another gate began one. The used signature is as young as may be."""
    ahead, behind = Clock(), Clock()
    behind.now -= 8

    async def refuses(replay: ReplayStore, key: str, created: float) -> bool:
        try:
            return not await replay.use(key, int(created))
        except ReplayStoreForgot:
            return True

    async def scenario() -> tuple[bool, bool]:
        async with store(server, clock=ahead) as one, store(server, clock=behind) as two:
            captured = "captured", int(ahead.now) + SKEW_S
            assert await one.use(*captured)
            with redis.Redis.from_url(server.url) as client:
                client.flushall()
                client.script_flush()
            if at_once:
                paused = Paused(two._client)
                monkeypatch.setattr(two, "_client", paused)
                begins = asyncio.create_task(refuses(two, "x", behind.now))
                await paused.asked.wait()
                assert await refuses(one, "y", ahead.now)
                paused.go.set()
                await begins
            else:
                assert await refuses(two, "x", behind.now)
            ahead.now += 1
            behind.now += 1
            again = await refuses(one, *captured)
            ahead.now += SKEW_S
            return again, await one.use("new", int(ahead.now))

    assert run(scenario()) == (True, True)


def test_while_redis_is_down_nobody_is_let_in_and_nobody_waits(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> tuple[list[int], float, float]:
        async with pool(server) as (first, _):
            before = (await first.ask("POST", CHAT, BODY)).status
            server.process.end()
            started = time.monotonic()
            down = [(await first.ask("POST", CHAT, BODY)).status for _ in range(3)]
            waited_s = time.monotonic() - started
            return [before, *down], first.rejected("replay_store_down"), waited_s

    with caplog.at_level(logging.WARNING, logger="llm_router.gate"):
        statuses, rejected, waited_s = run(scenario())
    assert statuses == [200, 503, 503, 503]
    assert rejected == 3
    assert waited_s < HANG_S
    assert [record.getMessage() for record in caplog.records] == [
        "the replay store cannot be used, every request is refused: Redis does not answer (ConnectionError)"
    ]


def test_a_redis_that_hangs_is_waited_for_no_longer_than_the_timeout_by_all_together(server: RedisServer) -> None:
    async def scenario() -> tuple[set[int], float, int]:
        async with pool(server) as (first, second):
            server.process.send(signal.SIGSTOP)
            started = time.monotonic()
            replies = await asyncio.gather(*(one.ask("POST", CHAT, BODY) for one in (first, second) * 10))
            waited_s = time.monotonic() - started
            server.process.send(signal.SIGCONT)
            return {reply.status for reply in replies}, waited_s, (await first.ask("POST", CHAT, BODY)).status

    statuses, waited_s, after = run(scenario())
    assert (statuses, after) == ({503}, 200)
    assert TIMEOUT_S * 0.9 <= waited_s < HANG_S


def test_a_redis_that_comes_back_empty_lets_nothing_in_that_was_signed_before(tmp_path: Path) -> None:
    """The signature is that of a router whose clock is ahead by all that is allowed."""

    async def scenario(port: int) -> list[int]:
        async with pool(first_redis) as (first, second):
            used = first.raw("POST", CHAT, BODY, delay_s=-5)
            statuses = [(await first.send(used)).status]
            first_redis.process.end()
            with running_redis(tmp_path / "again", port):
                statuses += [(await one.send(used)).status for one in (second, first)]
                statuses.append((await second.ask("POST", CHAT, BODY)).status)
                for router in (first, second):
                    router.clock.now += 6
                statuses.append((await second.ask("POST", CHAT, BODY)).status)
                return [*statuses, (await first.send(used)).status]

    with running_redis(tmp_path / "first") as first_redis:
        statuses = run(scenario(first_redis.port))
    assert statuses == [200, 503, 503, 503, 200, 503]


def test_a_redis_that_comes_back_with_an_older_snapshot_lets_nothing_in_that_was_signed_before(tmp_path: Path) -> None:
    """It kept since when it remembers, and lost what came last. So it would be with a replica that takes over."""

    async def scenario(first_redis: RedisServer) -> list[int]:
        async with pool(first_redis) as (first, second):
            statuses = [(await first.ask("POST", CHAT, BODY)).status]
            with redis.Redis.from_url(first_redis.url) as client:
                client.save()
            used = first.raw("POST", CHAT, BODY)
            statuses.append((await first.send(used)).status)
            first_redis.process.send(signal.SIGKILL)
            first_redis.process.wait()
            with running_redis(tmp_path / "redis", first_redis.port):
                statuses += [(await one.send(used)).status for one in (second, first, first)]
                for router in (first, second):
                    router.clock.now += 6
                return [*statuses, (await second.ask("POST", CHAT, BODY)).status, (await first.send(used)).status]

    with running_redis(tmp_path / "redis") as first_redis:
        statuses = run(scenario(first_redis))
    assert statuses[:2] == [200, 200]
    assert 200 not in statuses[2:5]
    assert statuses[5:] == [200, 503]


def test_a_replica_that_takes_over_without_the_last_nonces_lets_nothing_in_that_was_signed_before(
    tmp_path: Path,
) -> None:
    async def scenario(first_redis: RedisServer, replica: redis.Redis) -> list[int]:
        async with pool(first_redis) as (first, second):
            statuses = [(await first.ask("POST", CHAT, BODY)).status]
            await until(lambda: asyncio.to_thread(lambda: bool(replica.exists(NONCES))))
            replica.replicaof("NO", "ONE")
            used = first.raw("POST", CHAT, BODY)
            statuses.append((await first.send(used)).status)
            first_redis.process.send(signal.SIGKILL)
            first_redis.process.wait()
            replica.config_set("port", first_redis.port)
            statuses += [(await one.send(used)).status for one in (second, first, first)]
            for router in (first, second):
                router.clock.now += 6
            return [*statuses, (await second.ask("POST", CHAT, BODY)).status, (await first.send(used)).status]

    with running_redis(tmp_path / "redis", None, "--repl-diskless-sync-delay", "0") as first_redis:
        follows = ("--replicaof", f"127.0.0.1 {first_redis.port}")
        with running_redis(tmp_path / "replica", None, *follows) as other, redis.Redis.from_url(other.url) as replica:
            statuses = run(scenario(first_redis, replica))
    assert statuses[:2] == [200, 200]
    assert 200 not in statuses[2:5]
    assert statuses[5:] == [200, 503]


def test_who_was_master_before_and_missed_the_last_nonces_lets_nothing_old_in(tmp_path: Path) -> None:
    """It has the script still, but that of the memory before."""

    async def scenario(old: RedisServer, new: RedisServer) -> list[int]:
        clocks = Clock(), Clock()
        async with pool(old, clocks=clocks) as (first, second):
            statuses = [(await one.ask("POST", CHAT, BODY)).status for one in (first, second)]
            with redis.Redis.from_url(old.url) as was_master, redis.Redis.from_url(new.url) as master:
                was_master.config_set("port", free_port())
                master.config_set("port", old.port)
                was_master.client_kill_filter(_type="normal", skipme=True)
                statuses += [(await one.ask("POST", CHAT, BODY)).status for one in (first, second, first)]
                for clock in (first.clock, second.clock, *clocks):
                    clock.now += 6
                used = first.raw("POST", CHAT, BODY)
                statuses += [(await first.send(used)).status, (await second.ask("POST", CHAT, BODY)).status]
                new.process.send(signal.SIGKILL)
                new.process.wait()
                was_master.config_set("port", old.port)
            return [*statuses, *[(await one.send(used)).status for one in (second, first, first)]]

    with running_redis(tmp_path / "old") as old, running_redis(tmp_path / "new") as new:
        statuses = run(scenario(old, new))
    assert statuses[:7] == [200, 200, 503, 503, 503, 200, 200]
    assert 200 not in statuses[7:]


def test_a_redis_that_would_forget_nonces_to_make_room_is_not_used(tmp_path: Path) -> None:
    async def scenario(server: RedisServer) -> list[int]:
        async with pool(server) as (first, _):
            statuses = [(await first.ask("POST", CHAT, BODY)).status]
            with redis.Redis.from_url(server.url) as client:
                client.config_set("maxmemory-policy", "noeviction")
            first.clock.now += 6
            return [*statuses, (await first.ask("POST", CHAT, BODY)).status]

    options = ("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    with running_redis(tmp_path / "redis", None, *options) as server:
        assert run(scenario(server)) == [503, 200]


def test_a_full_redis_refuses_instead_of_forgetting(tmp_path: Path) -> None:
    async def scenario(server: RedisServer) -> list[int]:
        async with pool(server) as (first, _):
            statuses = [(await first.ask("POST", CHAT, BODY)).status]
            with redis.Redis.from_url(server.url) as client:
                client.config_set("maxmemory", "1")
            return [*statuses, (await first.ask("POST", CHAT, BODY)).status]

    with running_redis(tmp_path / "redis") as server:
        assert run(scenario(server)) == [200, 503]


# ---------------------------------------------------------------- as configured


def test_gates_that_are_configured_so_share_what_they_remember(server: RedisServer) -> None:
    replay = Replay(backend="redis", url=Secret(server.url), timeout=Seconds(TIMEOUT_S))

    async def scenario() -> list[int]:
        async with upstream(says_ok) as behind:
            settings = config(behind.url, replay=replay)
            async with running(settings) as first, running(settings) as second:
                headers, body = first.headers("POST", CHAT, chat("tiny")), chat("tiny")
                asked = [
                    caller.client.post(caller.url + CHAT, content=body, headers=headers) for caller in (first, second)
                ]
                return sorted([(await each).status_code for each in asked])

    assert run(scenario()) == [200, 401]


def test_a_gate_whose_redis_is_not_there_yet_starts_and_refuses_until_it_is(tmp_path: Path) -> None:
    with running_redis(tmp_path / "gone") as gone:
        pass
    replay = Replay(backend="redis", url=Secret(gone.url), timeout=Seconds(TIMEOUT_S))

    async def scenario() -> list[int]:
        async with upstream(says_ok) as behind, running(config(behind.url, replay=replay)) as caller:
            statuses = [(await caller.ask("POST", CHAT, chat("tiny"))).status_code]
            with running_redis(tmp_path / "there", gone.port):
                statuses.append((await caller.ask("POST", CHAT, chat("tiny"))).status_code)
                caller.clock.now += 6
                return [*statuses, (await caller.ask("POST", CHAT, chat("tiny"))).status_code]

    assert run(scenario()) == [503, 503, 200]
