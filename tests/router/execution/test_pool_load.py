"""What is under way in a pool is on the board: across its models, through a reload, and back to nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.schema import CircuitBreaker, Latency
from llm_router.execution.pool_load import Place, PoolLoad, pool_loads
from llm_router.execution.standing import standings
from llm_router.model import PoolView, Target
from llm_router.signals.snapshot import Board

SMALL = Target(name="aws/small", kind="cluster", owner="aws", model="small")
LARGE = Target(name="aws/large", kind="cluster", owner="aws", model="large")
API = Target(name="api", kind="provider", owner="api", model="m")


def load(board: Board) -> tuple[int, int, int]:
    pool = board.pool("aws")
    assert pool is not None
    return pool.in_flight, pool.unread_tokens, pool.decoding


@pytest.fixture
def board() -> Board:
    return Board([SMALL, LARGE, API], lambda: 0.0)


def test_a_prompt_is_unread_until_its_first_content_and_generates_from_then_on(board: Board) -> None:
    place = PoolLoad("aws", board).enter(100)
    assert load(board) == (1, 100, 0)
    place.read()
    place.read()
    assert load(board) == (1, 0, 1)
    place.leave()
    place.leave()
    assert load(board) == (0, 0, 0)


def test_one_that_fails_before_its_content_takes_its_prompt_with_it(board: Board) -> None:
    pool = PoolLoad("aws", board)
    place, _other = pool.enter(100), pool.enter(50)
    place.leave()
    place.read()
    assert load(board) == (1, 50, 0)


def test_models_of_one_cluster_share_its_slots_and_an_api_has_none(board: Board) -> None:
    loads = pool_loads([SMALL, LARGE, API], board)
    assert list(loads) == ["aws"]
    standing = standings([SMALL, LARGE, API], board, CircuitBreaker(), Latency(), lambda: 0.0, loads=loads)
    slots = [standing[target.name].take_slot(10) for target in (SMALL, LARGE, API)]
    assert load(board) == (2, 20, 0)
    slots[0].prompt_read()
    slots[2].prompt_read()
    assert load(board) == (2, 10, 1)
    for slot in slots:
        slot.release()
    assert load(board) == (0, 0, 0)


def test_what_is_under_way_goes_on_in_the_next_generation(board: Board) -> None:
    loads = pool_loads([SMALL], board)
    place = loads["aws"].enter(7)
    next_board = Board([SMALL, LARGE], lambda: 0.0)
    again = pool_loads([SMALL, LARGE], next_board, loads)
    for each in again.values():
        each.post_to(next_board)
    assert load(next_board) == (1, 7, 0)
    place.leave()
    assert load(next_board) == (0, 0, 0)


@given(st.lists(st.tuples(st.sampled_from(["enter", "read", "leave"]), st.integers(0, 9)), max_size=60))
def test_whatever_happens_it_is_the_sum_of_what_is_there(steps: list[tuple[str, int]]) -> None:
    board = Board([SMALL], lambda: 0.0)
    pool, places = PoolLoad("aws", board), list[Place]()
    for what, number in steps:
        if what == "enter":
            places.append(pool.enter(number))
        elif places:
            getattr(places[number % len(places)], what)()
        in_flight, unread, decoding = load(board)
        assert 0 <= decoding <= in_flight <= len(places)
        assert unread >= 0
    for place in places:
        place.leave()
    assert board.pool("aws") == PoolView()
