"""The memory replay store: each key once, a bounded number of them, each for 75 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.api.replay import TTL_S, MemoryReplayStore, ReplayStoreFull
from llm_router.upstream.signing import LIFETIME_S, SKEW_S
from tests.router.gate.surroundings import Clock


def store(clock: Clock, *, max_entries: int = 100) -> MemoryReplayStore:
    return MemoryReplayStore(max_entries=max_entries, clock=clock)


def used(waiting: Awaitable[bool]) -> bool:
    async def wait() -> bool:
        return await waiting

    return asyncio.run(wait())


def test_nonces_are_remembered_longer_than_a_signature_can_live() -> None:
    assert TTL_S > SKEW_S + LIFETIME_S + SKEW_S


def test_a_key_is_new_once_and_again_only_when_it_is_forgotten() -> None:
    clock = Clock(0.0)
    replay = store(clock)
    assert used(replay.use("a|1"))
    clock.now = TTL_S - 0.001
    assert not used(replay.use("a|1"))
    clock.now = TTL_S
    assert used(replay.use("a|1"))


def test_keys_of_different_ids_do_not_meet() -> None:
    replay = store(Clock())
    assert used(replay.use("a|1"))
    assert used(replay.use("b|1"))


def test_a_known_key_is_a_replay_even_when_the_store_is_full() -> None:
    clock = Clock(0.0)
    replay = store(clock, max_entries=1)
    assert used(replay.use("a|1"))
    assert not used(replay.use("a|1"))
    with pytest.raises(ReplayStoreFull):
        used(replay.use("a|2"))
    clock.now = TTL_S
    assert used(replay.use("a|2"))


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 40)), max_size=60))
def test_it_agrees_with_remembering_everything(uses: list[tuple[int, float]]) -> None:
    clock, replay_log = Clock(0.0), list[tuple[int, float]]()
    replay = store(clock, max_entries=10)
    for key, later in uses:
        clock.now += later
        live = {k for k, at in replay_log if clock.now < at + TTL_S}
        if key in live:
            assert not used(replay.use(str(key)))
        else:
            assert used(replay.use(str(key)))
            replay_log.append((key, clock.now))
