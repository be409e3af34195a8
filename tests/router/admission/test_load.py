"""Who is refused first when a process has more to do than it can."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from llm_router.admission.load import ORDER, Criticality, Load, lower, overloaded


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


def test_the_lower_of_two_counts() -> None:
    assert [lower(one, other) for one in ORDER for other in ORDER] == [
        *["sheddable"] * 3,
        *["sheddable", "default", "default"],
        *ORDER,
    ]


def test_the_refusal_says_when_to_come_back() -> None:
    error = overloaded("memory")
    assert (error.status, error.code, error.retry_after_s) == (503, "overloaded", 1.0)
