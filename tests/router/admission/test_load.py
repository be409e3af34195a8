"""Who is refused first when a process has more to do than it can."""

from __future__ import annotations

import random
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.admission.load import ORDER, Cause, Criticality, Load, lower, overloaded


def refused_from(criticality: Criticality, places: int) -> int:
    """Which request, counted from 1, is the first of its kind that is refused."""
    load = Load()
    with ExitStack() as under_way:
        for number in range(1, places + 2):
            under_way.enter_context(load.request())
            if load.too_much_for(criticality, places):
                return number
    raise AssertionError("nobody was refused")


@pytest.mark.parametrize(("criticality", "first"), [("sheddable", 86), ("default", 96), ("critical", 101)])
def test_the_last_places_are_kept_for_what_matters_more(criticality: Criticality, first: int) -> None:
    assert refused_from(criticality, 100) == first


@pytest.mark.parametrize("criticality", ORDER)
def test_one_place_is_one_place_for_everybody(criticality: Criticality) -> None:
    assert refused_from(criticality, 1) == 2


def test_a_request_gives_its_place_back_however_it_ends() -> None:
    load = Load()
    with pytest.raises(ZeroDivisionError), load.request():
        raise ZeroDivisionError
    assert load.under_way == 0


@pytest.mark.parametrize(
    ("share", "refused"),
    [(0.0, []), (0.849, []), (0.85, ["sheddable"]), (0.949, ["sheddable"]), (0.95, [*ORDER]), (1.2, [*ORDER])],
)
def test_too_little_memory_refuses_the_sheddable_then_everybody(share: float, refused: list[Criticality]) -> None:
    load = Load()
    load.memory_share = share
    assert [criticality for criticality in ORDER if load.too_much_for(criticality, 100) == "memory"] == refused


# ---------------------------------------------------------------- several keys


class Shared:
    """A process that several keys share; ``places`` are all that a request may have."""

    def __init__(self, places: int) -> None:
        self.load, self.places = Load(), places
        self.under_way: list[tuple[str, ExitStack]] = []

    def ask(self, key: str) -> Cause | None:
        with ExitStack() as request:
            request.enter_context(self.load.request()).taken_by(key)
            cause = self.load.too_much_for("critical", self.places, key)
            if cause is None:
                self.under_way.append((key, request.pop_all()))
        return cause

    def end(self, number: int) -> None:
        self.under_way.pop(number % len(self.under_way))[1].close()

    def held(self, key: str) -> int:
        return sum(key == whose for whose, _ in self.under_way)


steps = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 5)), max_size=300)


@given(places=st.integers(1, 60), walk=steps)
def test_who_is_refused_and_who_never(places: int, walk: list[tuple[int, int]]) -> None:
    """Whoever asks may end one first. A key that has nothing under way, or less than its part, gets a place while there
    is one; the last tenth of them is never for one that has more than its part."""
    shared = Shared(places)
    for number, who in walk:
        if number % 3 == 0 and shared.under_way:
            shared.end(number)
        before, key = len(shared.under_way), f"key {who}"
        had, keys = shared.held(key), len({whose for whose, _ in shared.under_way} | {key})
        part = (places - places // 10) / keys
        cause = shared.ask(key)
        assert len(shared.under_way) <= places
        if before == places:
            assert cause == "requests"
        elif had == 0 or had + 1 <= part or before < places - places // 10:
            assert cause is None
        else:
            assert cause == "key"
    while shared.under_way:
        shared.end(0)
    assert shared.load._held == {}


@pytest.mark.parametrize("hogs", [1, 3, 9])
def test_greedy_keys_leave_a_late_one_its_part(hogs: int) -> None:
    """They fill all that they can before it comes, and ask for each place ten times before it asks once; of an equal
    part it has at least 80 %."""
    shared, chance, places, held = Shared(100), random.Random(hogs), 100, []
    greedy = [f"hog {number}" for number in range(hogs)] * 10
    for _ in range(places):
        for key in greedy:
            shared.ask(key)
    for _ in range(3000):
        shared.end(chance.randrange(places))
        for key in chance.sample(greedy, len(greedy)):
            shared.ask(key)
        shared.ask("late")
        held.append(shared.held("late"))
    assert held[0] == 1, "a place was free when it came"
    assert min(held[1000:]) >= 0.8 * places / (hogs + 1)


def test_a_key_alone_leaves_a_tenth_to_whoever_comes() -> None:
    shared = Shared(50)
    assert [shared.ask("alone") for _ in range(46)] == [None] * 45 + ["key"]
    assert [shared.ask("new") for _ in range(6)] == [None] * 5 + ["requests"]


def test_the_lower_of_two_counts() -> None:
    assert [lower(one, other) for one in ORDER for other in ORDER] == [
        *["sheddable"] * 3,
        *["sheddable", "default", "default"],
        *ORDER,
    ]


def test_the_refusal_says_when_to_come_back() -> None:
    error = overloaded("memory")
    assert (error.status, error.code, error.retry_after_s) == (503, "overloaded", 1.0)
