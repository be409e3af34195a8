"""What a pool has served: in all, and over a window that moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.exporter.meter import Served
from llm_router.exporter.served import ServedByPool


def test_there_is_no_speed_before_there_is_a_window() -> None:
    pool = ServedByPool(window_s=60)
    assert (pool.tokens_per_second, pool.has_begun) == (None, False)
    pool.add(10, Served(0))
    assert (pool.tokens_per_second, pool.has_begun) == (None, True)


def test_tokens_count_while_they_are_in_the_window_and_for_ever_in_all() -> None:
    pool = ServedByPool(window_s=60)
    pool.add(0, Served())
    pool.add(30, Served(300, 90))
    assert pool.tokens_per_second == pytest.approx(10)
    pool.add(60, Served())
    assert pool.tokens_per_second == pytest.approx(5)
    for at_s in (90, 120, 150):
        pool.add(at_s, Served())
    assert pool.tokens_per_second == 0
    assert (pool.tokens, pool.prompt_tokens) == (300, 90)


@given(st.lists(st.tuples(st.floats(-100, 1e6), st.floats(0, 1e12))))
def test_whatever_order_times_come_in_no_speed_is_negative(events: list[tuple[float, float]]) -> None:
    pool = ServedByPool(window_s=60)
    for at_s, tokens in events:
        pool.add(at_s, Served(tokens))
        speed = pool.tokens_per_second
        assert speed is None or speed >= 0
