"""Room: free slots and the predicted first token, of a pool and of a part of its nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.model import PoolView
from llm_router.routing.room import first_token_s, has_room, nodes_needed


def test_the_first_token_comes_when_the_prompts_ahead_and_its_own_are_read() -> None:
    pool = PoolView(prefill_tokens_per_second=100, unread_tokens=300, nodes=2)
    assert first_token_s(pool, 100, 1) == pytest.approx(4.0)
    assert first_token_s(pool, 100, 2) == pytest.approx(2.5)


def test_reading_is_slower_while_others_generate() -> None:
    pool = PoolView(prefill_tokens_per_second=100, decoding=1)
    assert first_token_s(pool, 95, 1) == pytest.approx(1.0)


def test_without_a_speed_nothing_is_predicted() -> None:
    assert first_token_s(PoolView(), 100, 1) is None


@pytest.mark.parametrize(
    ("in_flight", "unread", "needed"),
    [(0, 0, 1), (3, 0, 1), (4, 0, 2), (8, 0, 3), (12, 0, 4), (0, 401, 2), (0, 2000, 4)],
)
def test_as_many_nodes_as_it_takes_are_needed(in_flight: int, unread: int, needed: int) -> None:
    pool = PoolView(nodes=3, slots=12, prefill_tokens_per_second=100, in_flight=in_flight, unread_tokens=unread)
    assert nodes_needed(pool, 100, 5.0) == needed


def test_nodes_that_are_not_wanted_count_for_nothing() -> None:
    pool = PoolView(nodes=3, wanted=1, slots=12, in_flight=6)
    assert not has_room(pool, 1, 5.0)
    assert has_room(PoolView(nodes=3, wanted=2, slots=12, in_flight=6), 1, 5.0)


pools = st.builds(
    PoolView,
    nodes=st.integers(0, 5),
    wanted=st.none() | st.integers(0, 5),
    slots=st.none() | st.integers(0, 40),
    prefill_tokens_per_second=st.none() | st.floats(0.1, 1e6),
    in_flight=st.integers(0, 100),
    unread_tokens=st.integers(0, 10**6),
    decoding=st.integers(0, 100),
)


@given(pools, st.integers(0, 10**5), st.floats(0, 60))
def test_a_pool_that_has_room_still_has_it_for_less(pool: PoolView, tokens: int, limit_s: float) -> None:
    needed = nodes_needed(pool, tokens, limit_s)
    assert has_room(pool, tokens, limit_s) is (needed <= pool.usable_nodes)
    if has_room(pool, tokens, limit_s):
        assert has_room(pool, tokens // 2, limit_s)
        assert has_room(pool, tokens, limit_s * 2)
