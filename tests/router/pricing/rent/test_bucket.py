"""The bucket: what one node could have done, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.pricing.rent.bucket import Bucket


def test_it_takes_until_it_is_full_and_drains_in_real_time() -> None:
    bucket = Bucket(30.0)
    assert bucket.takes(20.0, 0.0)
    assert bucket.takes(10.0, 0.0)
    assert not bucket.takes(1.0, 0.5)
    assert bucket.takes(1.0, 1.0)
    assert bucket.level_s(11.0) == pytest.approx(20.0)


def test_two_nodes_hold_twice_as_much_and_drain_twice_as_fast() -> None:
    bucket = Bucket(30.0)
    assert bucket.takes(60.0, 0.0, 2)
    assert bucket.level_s(10.0, 2) == pytest.approx(40.0)


def test_an_empty_one_takes_a_request_that_is_larger_than_itself() -> None:
    bucket = Bucket(30.0)
    assert bucket.takes(100.0, 0.0)
    assert not bucket.takes(0.1, 50.0)
    assert bucket.takes(100.0, 100.0)


@given(st.lists(st.tuples(st.floats(-10, 100), st.floats(0, 50)), max_size=50))
def test_more_never_fits_than_was_drained_and_holds_wherever_the_clock_goes(steps: list[tuple[float, float]]) -> None:
    bucket, now, latest, taken, largest = Bucket(30.0), 0.0, 0.0, 0.0, 0.0
    bucket.takes(0.0, now)
    for step_s, work_s in steps:
        now += step_s
        latest = max(latest, now)
        if bucket.takes(work_s, now):
            taken, largest = taken + work_s, max(largest, work_s)
        assert bucket.level_s(now) >= 0
    assert taken <= latest + max(30.0, largest) + 1e-6
