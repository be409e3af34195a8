"""The held figure follows the live one, but not each of its tremors."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.pricing.hysteresis import HeldFigure

figures = st.none() | st.floats(min_value=1e-6, max_value=1.0)
walks = st.lists(st.tuples(figures, st.floats(min_value=0.0, max_value=60.0)), min_size=1, max_size=60)


def test_the_first_known_figure_is_adopted_at_once() -> None:
    held = HeldFigure(0.10, 30)
    assert held.update(None, 0.0) is None
    assert held.update(0.01, 1.0) == 0.01


@pytest.mark.parametrize(("live", "follows"), [(0.0109, False), (0.0112, True), (0.0091, False), (0.0088, True)])
def test_only_what_leaves_the_band_is_followed(live: float, follows: bool) -> None:
    held = HeldFigure(0.10, 30)
    held.update(0.01, 0.0)
    assert held.update(live, 100.0) == (live if follows else 0.01)
    assert held.value == held.update(live, 200.0)


def test_within_the_hold_time_nothing_changes() -> None:
    held = HeldFigure(0.10, 30)
    held.update(0.01, 0.0)
    assert held.update(0.02, 29.9) == 0.01
    assert held.update(0.02, 30.0) == 0.02


def test_a_figure_that_is_lost_is_kept_for_the_hold_time_then_unknown() -> None:
    held = HeldFigure(0.10, 30)
    held.update(0.01, 0.0)
    assert held.update(None, 10.0) == 0.01
    assert held.update(None, 31.0) is None
    assert held.update(0.01, 32.0) is None, "coming back is a change as well"
    assert held.update(0.01, 61.0) == 0.01


def test_a_free_figure_is_left_by_any_price() -> None:
    held = HeldFigure(0.10, 0)
    held.update(0.0, 0.0)
    assert held.update(0.001, 1.0) == 0.001


@pytest.mark.parametrize(("margin", "hold_s"), [(-0.1, 30), (0.1, -1), (float("nan"), 30)])
def test_nonsense_is_refused(margin: float, hold_s: float) -> None:
    with pytest.raises(ValueError, match="negative"):
        HeldFigure(margin, hold_s)


@given(walks, st.floats(0.0, 0.5), st.floats(0.1, 60.0))
def test_at_most_one_change_per_hold_time(walk: list[tuple[float | None, float]], margin: float, hold_s: float) -> None:
    held, now, changes = HeldFigure(margin, hold_s), 0.0, []
    for live, step in walk:
        now += step
        before = held.value
        if held.update(live, now) != before:
            changes.append(now)
    assert all(later - earlier >= hold_s for earlier, later in pairwise(changes))


@given(walks, st.floats(0.0, 0.5), st.floats(0.1, 60.0))
def test_after_the_hold_time_it_is_never_more_than_the_margin_away(
    walk: list[tuple[float | None, float]], margin: float, hold_s: float
) -> None:
    held, now, changed_at = HeldFigure(margin, hold_s), 0.0, -math.inf
    for live, step in walk:
        now += step
        before = held.value
        after = held.update(live, now)
        if now - changed_at >= hold_s:
            assert (live is after) if live is None or after is None else abs(live - after) <= margin * after
        if after != before:
            changed_at = now
