"""Nothing replaces something only when the registry insists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llm_router.discovery.last_good import LastGood
from tests.router.discovery.scenes import Clock, changed, instance, listed

A, B = instance("a"), instance("b")


def test_something_replaces_everything_at_once() -> None:
    held = LastGood((A,), 30, Clock())
    held.take(changed(B))
    assert (held.instances, held.doubted) == ((B,), False)


def test_nothing_is_believed_from_the_listing_that_is_far_enough_from_the_first() -> None:
    clock = Clock()
    held = LastGood((A,), 30, clock)
    held.take(listed())
    assert (held.instances, held.doubted) == ((A,), True)
    clock.now += 29
    held.take(listed())
    assert (held.instances, held.doubted) == ((A,), True)
    clock.now += 1
    held.take(listed())
    assert (held.instances, held.doubted) == ((), False)


def test_changes_never_amount_to_a_listing() -> None:
    clock = Clock()
    held = LastGood((A,), 30, clock)
    for _ in range(5):
        held.take(changed())
        clock.now += 100
    assert (held.instances, held.doubted) == ((A,), True)


def test_an_outage_between_two_empty_listings_starts_the_count_anew() -> None:
    clock = Clock()
    held = LastGood((A,), 30, clock)
    held.take(listed())
    held.interrupted()
    clock.now += 100
    held.take(listed())
    assert held.instances == (A,)


def test_something_in_between_starts_it_anew_too() -> None:
    clock = Clock()
    held = LastGood((A,), 30, clock)
    held.take(listed())
    held.take(changed(A))
    clock.now += 100
    held.take(listed())
    assert held.instances == (A,)


def test_where_nothing_was_nothing_is_fine() -> None:
    held = LastGood((), 30, Clock())
    held.take(listed())
    assert (held.instances, held.doubted) == ((), False)


steps = st.one_of(
    st.sampled_from(["full", "empty change", "empty listing", "outage"]), st.floats(0, 60).map(lambda s: s)
)


@given(st.lists(steps, max_size=30))
def test_it_is_emptied_only_by_two_unbroken_empty_listings(script: list[object]) -> None:
    clock = Clock()
    held = LastGood((A,), 30, clock)
    listings: list[float] = []
    for step in script:
        had = held.instances
        if isinstance(step, float):
            clock.now += step
        elif step == "full":
            held.take(changed(A))
            listings = []
        elif step == "outage":
            held.interrupted()
            listings = []
        else:
            held.take(listed() if step == "empty listing" else changed())
            listings += [clock.now] if step == "empty listing" else []
        if had and not held.instances:
            assert len(listings) >= 2
            assert listings[-1] - listings[0] >= 30
