"""The sliding window: never more than the limit in any minute, nearly all of it, and an exact word on when to come
again."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from llm_router.admission.window import WINDOW_S, Window

pauses = st.floats(0, 45, allow_nan=False)
amounts = st.integers(1, 30)


def most_in_any_minute(admitted: list[tuple[float, int]]) -> int:
    """Over the half-open windows that end with an admission: no other holds more."""
    return max((sum(n for at, n in admitted if end - WINDOW_S < at <= end) for end, _ in admitted), default=0)


@given(st.lists(st.tuples(pauses, amounts), max_size=60), st.integers(1, 100), st.floats(0, 1e6))
def test_no_minute_holds_more_than_the_ceiling(asked: list[tuple[float, int]], ceiling: int, start: float) -> None:
    window, now, admitted = Window(), start, []
    for pause, amount in asked:
        now += pause
        if not window.wait_s(amount, ceiling, now):
            window.take(amount, now)
            admitted.append((now, amount))
    assert most_in_any_minute(admitted) <= ceiling


@given(st.lists(st.tuples(pauses, amounts), min_size=1, max_size=30), amounts, st.integers(30, 100))
def test_after_the_wait_it_fits_and_not_a_moment_before(
    asked: list[tuple[float, int]], amount: int, ceiling: int
) -> None:
    window, now = Window(), 0.0
    for pause, taken in asked:
        now += pause
        window.take(taken, now)
    wait_s = window.wait_s(amount, ceiling, now)
    if wait_s:
        assert window.wait_s(amount, ceiling, now + wait_s - 0.001) > 0
        assert window.wait_s(amount, ceiling, now + wait_s + 1e-9) == 0


def test_what_is_larger_than_the_ceiling_never_fits() -> None:
    assert Window().wait_s(11, 10, 0.0) == math.inf
    assert Window().wait_s(10, 10, 0.0) == 0


def test_the_wait_lasts_until_enough_has_left_and_not_only_the_first() -> None:
    window = Window()
    window.take(1, 0.0)
    window.take(1, 1.0)
    assert (window.wait_s(1, 2, 1.0), window.wait_s(2, 2, 1.0)) == (60.0, 61.0)


def test_under_pressure_at_least_98_percent_of_the_limit_gets_through() -> None:
    window, ceiling, admitted, minutes = Window(), 600, 0, 20
    for tick in range(minutes * 60 * 20):
        now = tick / 20
        if not window.wait_s(1, ceiling, now):
            window.take(1, now)
            admitted += 1
    assert admitted >= 0.98 * ceiling * minutes


def test_all_that_is_used_is_free_after_the_reset() -> None:
    window = Window()
    window.take(3, 10.2)
    window.take(4, 30.9)
    assert window.reset_s(31.0) == 60.0
    assert (window.used(90.999), window.used(91.0)) == (4, 0)
    assert window.reset_s(91.0) == 0.0


def test_what_was_reserved_too_much_leaves_its_own_second() -> None:
    window = Window()
    early, late = window.take(50, 0.0), window.take(50, 30.0)
    window.settle(early, 50, 20, 31.0)
    assert window.used(31.0) == 70
    assert window.used(62.0) == 50  # the early one is gone as a whole, and no more than that
    window.settle(late, 50, 50, 62.0)
    assert window.used(62.0) == 50


def test_what_was_used_beyond_the_reservation_counts_from_now_on() -> None:
    window = Window()
    second = window.take(10, 0.0)
    window.settle(second, 10, 35, 59.0)
    assert window.used(59.0) == 35
    assert window.used(100.0) == 25


def test_what_is_given_back_after_the_minute_changes_nothing() -> None:
    window = Window()
    second = window.take(10, 0.0)
    window.take(1, 70.0)
    window.settle(second, 10, 0, 70.0)
    assert window.used(70.0) == 1


@given(st.lists(st.tuples(pauses, amounts, pauses, st.integers(0, 30)), min_size=1, max_size=30))
def test_all_is_free_when_it_says_and_not_a_moment_before(requests: list[tuple[float, int, float, int]]) -> None:
    """Each is reserved, and settled after a while with as much, less or more."""
    window, now = Window(), 0.0
    for pause, reserved, takes_s, actual in requests:
        second = window.take(reserved, now + pause)
        now += pause + takes_s
        window.settle(second, reserved, actual, now)
    reset_s = window.reset_s(now)
    assert (reset_s == 0) == (window.used(now) == 0)
    if reset_s:
        assert window.used(now + reset_s - 0.001) > 0
        assert window.used(now + reset_s + 1e-6) == 0


def test_a_request_that_came_to_what_was_reserved_counts_from_when_it_began() -> None:
    window = Window()
    window.settle(window.take(5, 0.0), 5, 5, 30.0)
    assert window.reset_s(30.0) == 31.0
