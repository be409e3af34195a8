"""When the successor of a worker is started."""

from __future__ import annotations

from llm_router.workers.restarts import ENOUGH, LONG_ENOUGH_S, LONGEST_PAUSE_S, Restarts


def test_a_worker_that_had_served_is_replaced_at_once() -> None:
    restarts = Restarts()
    assert [restarts.ended(LONG_ENOUGH_S, served=True) for _ in range(20)] == [0.0] * 20
    assert not restarts.hopeless
    assert restarts.ended(0.1, served=True) == 0.0, "the first time it may be an accident"


def test_the_pauses_of_one_that_does_not_come_up_double_up_to_a_bound() -> None:
    restarts = Restarts()
    pauses = [restarts.ended(1.0, served=False) for _ in range(12)]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert restarts.hopeless


def test_hope_comes_back_with_one_that_serves() -> None:
    restarts = Restarts()
    for _ in range(ENOUGH):
        assert not restarts.hopeless
        restarts.ended(1.0, served=False)
    assert restarts.hopeless
    restarts.ended(LONG_ENOUGH_S, served=True)
    assert not restarts.hopeless
