"""What nodes that are not there could have done, and no more."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.pricing.rent.bucket import Bucket, Shadow, Work


def test_a_bucket_drains_in_real_time() -> None:
    bucket = Bucket()
    bucket.pour(20.0, 0.0)
    assert bucket.has_room(10.0, 30.0, 0.0)
    assert not bucket.has_room(11.0, 30.0, 0.5)
    assert bucket.has_room(11.0, 30.0, 1.0)
    assert bucket.level_s(5.0) == pytest.approx(15.0)


def test_two_nodes_hold_twice_as_much_and_drain_twice_as_fast() -> None:
    bucket = Bucket()
    assert bucket.has_room(60.0, 30.0, 0.0, 2)
    bucket.pour(60.0, 0.0, 2)
    assert bucket.level_s(10.0, 2) == pytest.approx(40.0)


def test_an_empty_one_has_room_for_what_is_larger_than_itself() -> None:
    bucket = Bucket()
    assert bucket.has_room(100.0, 30.0, 0.0)
    bucket.pour(100.0, 0.0)
    assert not bucket.has_room(0.1, 30.0, 50.0)
    assert bucket.has_room(100.0, 30.0, 100.0)


def test_a_shadow_takes_what_it_would_have_read_in_time() -> None:
    shadow, work = Shadow(30.0), Work(reading_s=2.0, all_s=3.0, limit_s=4.75)
    assert [shadow.takes(work, 0.0) for _ in range(3)] == [True, True, False]
    assert shadow.takes(Work(reading_s=2.0, all_s=3.0, limit_s=10.0), 0.0), "this one may wait longer"
    assert not shadow.takes(work, 3.0)
    assert shadow.takes(work, 3.25)


def test_a_shadow_has_only_so_many_slots() -> None:
    shadow, work = Shadow(30.0), Work(reading_s=0.0, all_s=10.0, limit_s=4.75)
    assert [shadow.takes(work, 0.0) for _ in range(4)] == [True, True, True, False]
    assert shadow.takes(work, 10.0)


@given(st.lists(st.tuples(st.floats(-10, 100), st.floats(0, 50), st.floats(0, 10)), max_size=50))
def test_a_shadow_never_does_more_than_fits_into_time_wherever_the_clock_goes(
    steps: list[tuple[float, float, float]],
) -> None:
    shadow, now, latest, taken, largest = Shadow(30.0), 0.0, 0.0, 0.0, 0.0
    for step_s, work_s, reading_s in steps:
        now += step_s
        latest = max(latest, now)
        if shadow.takes(Work(reading_s, work_s, math.inf), now):
            taken, largest = taken + work_s, max(largest, work_s)
    assert taken <= latest + max(30.0, largest) + 1e-6
