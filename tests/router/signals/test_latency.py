"""Percentiles over a rolling window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.signals.latency import KEPT, LatencyWindow, nearest_rank


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_nearest_rank_is_the_smallest_value_that_enough_do_not_exceed(values: list[float], percentile: int) -> None:
    ordered = sorted(values)
    found = nearest_rank(ordered, percentile)
    assert sum(value <= found for value in ordered) >= len(ordered) * percentile / 100
    assert sum(value < found for value in ordered) < len(ordered) * percentile / 100


def test_old_samples_are_forgotten() -> None:
    window = LatencyWindow(window_s=10, percentile=95)
    window.add(0.0, 1000.0)
    window.add(8.0, 10.0)
    assert window.figures(9.0) == (1000.0, 10.0)
    assert window.figures(10.5) == (10.0, 10.0)
    assert window.figures(18.5) == (None, None)


def test_memory_is_bounded() -> None:
    window = LatencyWindow(window_s=1e9, percentile=100)
    for i in range(10 * KEPT):
        window.add(float(i), float(10 * KEPT - i))
    assert window.figures(10.0 * KEPT)[0] == pytest.approx(KEPT)
