"""How often a password may be tried, whoever shares the tries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llm_router.admission.login_tries import TRIES_OF_ALL, TRIES_OF_ONE, WINDOW_S, LoginTries


def test_one_address_has_five_tries_a_minute() -> None:
    tries = LoginTries()
    assert [tries.take("10.0.0.1", at) for at in (0, 1, 2, 3, 4)] == [0.0] * 5
    assert tries.take("10.0.0.1", 10) == 50.0
    assert tries.take("10.0.0.2", 10) == 0.0
    assert tries.take("10.0.0.1", 59.9) > 0
    assert tries.take("10.0.0.1", 60) == 0.0
    assert tries.take("10.0.0.1", 60) == 1.0


def test_a_subscriber_with_many_ipv6_addresses_is_one() -> None:
    tries = LoginTries()
    taken = [tries.take(f"2001:db8:1:2::{n:x}", 0) for n in range(20)]
    assert taken == [0.0] * TRIES_OF_ONE + [WINDOW_S] * (20 - TRIES_OF_ONE)
    assert tries.take("2001:db8:1:3::1", 0) == 0.0
    assert [tries.take("::ffff:10.0.0.1", 0) for _ in range(3)] + [tries.take("10.0.0.1", 0) for _ in range(3)] == [
        *[0.0] * 5,
        WINDOW_S,
    ]


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 5)), max_size=200))
def test_no_minute_holds_more_tries_than_allowed_of_one_or_of_all(asked: list[tuple[int, float]]) -> None:
    tries, now = LoginTries(), 0.0
    taken: list[tuple[float, int]] = []
    for who, later in asked:
        now += later
        wait_s = tries.take(f"10.0.0.{who}", now)
        assert 0.0 <= wait_s <= WINDOW_S
        if wait_s == 0.0:
            taken.append((now, who))
        last = [other for at, other in taken if now - at < WINDOW_S]
        assert len(last) <= TRIES_OF_ALL
        assert last.count(who) <= TRIES_OF_ONE
        assert wait_s == 0.0 or len(last) == TRIES_OF_ALL or last.count(who) == TRIES_OF_ONE
