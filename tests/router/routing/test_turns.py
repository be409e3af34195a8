"""Turns: shares hold among those who may answer, each purpose for itself, and a look costs nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from llm_router.routing.turns import Turns, first_turn, next_turn

AB = {"a": 1, "b": 1}


def test_a_look_takes_nobodys_turn() -> None:
    turns = Turns()
    assert turns.peek("x", AB) == turns.peek("x", AB) == turns.take("x", AB) == ["a", "b"]
    assert turns.peek("x", AB) == ["b", "a"]


def test_each_purpose_and_each_group_has_turns_of_its_own() -> None:
    turns = Turns()
    turns.take("x", AB)
    assert turns.take("y", AB)[0] == "a"
    assert turns.take("x", {"a": 1, "b": 1, "c": 1})[0] == "a"
    assert turns.take("x", AB)[0] == "b"


def test_who_was_away_comes_back_to_unchanged_shares() -> None:
    turns, weights = Turns(), {"a": 3, "b": 2}
    chosen = []
    for number in range(50):
        if number % 3 == 0:
            turns.take("w", {"b": 2})
        chosen.append(turns.take("w", weights)[0])
    assert all(chosen[i : i + 5].count("a") == 3 for i in range(45))


def test_all_weights_zero_is_as_all_equal_and_one_zero_takes_no_turns() -> None:
    turns = Turns()
    assert [turns.take("x", {"a": 0, "b": 0})[0] for _ in range(4)] == ["a", "b", "a", "b"]
    assert {turns.take("y", {"a": 0, "b": 4, "c": 2})[0] for _ in range(9)} == {"b", "c"}
    assert turns.take("y", {"a": 0, "b": 4, "c": 2})[-1] == "a"
    assert next_turn({}, {}) == ([], {})


def test_huge_weights_cost_no_more_than_small_ones() -> None:
    assert first_turn("x", {"a": 10**12, "b": 10**12 - 1}) == ["a", "b"]


def test_memory_is_bounded_and_the_longest_unasked_is_forgotten() -> None:
    turns = Turns(remembered=2)
    for purpose in "xyz":
        turns.take(purpose, AB)
    assert turns.peek("x", AB)[0] == "a"
    assert turns.peek("y", AB)[0] == "b"


def test_from_several_threads_no_turn_is_lost_or_taken_twice() -> None:
    turns, weights = Turns(), {"a": 5, "b": 3, "c": 2}
    with ThreadPoolExecutor(8) as pool:
        chosen = list(pool.map(lambda _: turns.take("x", weights)[0], range(2000)))
    assert [chosen.count(name) for name in "abc"] == [1000, 600, 400]
