"""Waking and releasing: only what pays, only after it has lasted, whatever the clock does."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_router.model import Demand
from llm_router.pricing.rent import PoolTerms, RentBook, RentRule

TERMS = PoolTerms(node_usd_per_hour=3.6, cold_start_s=100, idle_timeout_s=400, slots=4, decode_tokens_per_second=10)
"""0.001 USD a second, so a stake of 0.50: it is woken above 0.25 and three requests' worth."""


def book(*pools: str, rule: RentRule | None = None, by_rent: bool = True, **changes: Any) -> RentBook:
    terms = {name: getattr(TERMS, name) for name in TERMS.__struct_fields__} | changes
    return RentBook({pool: PoolTerms(**terms) for pool in pools or ("t4",)}, 0.0, rule, by_rent=by_rent)


def spill(value_usd: float = 0.01, able: tuple[str, ...] = ("t4",), **changes: Any) -> Demand:
    return Demand(value_usd=value_usd, input_tokens=100, output_tokens=20, spilled=True, able=able, **changes)


def served(value_usd: float = 0.01, pool: str = "t4", nodes_needed: int = 1) -> Demand:
    return Demand(value_usd=value_usd, input_tokens=100, output_tokens=20, chosen=pool, nodes_needed=nodes_needed)


def called(pool: str = "t4") -> Demand:
    return Demand(value_usd=0.01, input_tokens=100, output_tokens=20, called=pool)


def woken(rents: RentBook, pool: str = "t4", at: float = 0.0) -> RentBook:
    """With one node that came up at once."""
    rents.observe(called(pool), at)
    rents.seen(pool, 1, at)
    return rents


# ---------------------------------------------------------------- waking


def test_it_wakes_when_what_it_would_have_saved_net_of_rent_exceeds_its_share_of_the_stake() -> None:
    rents = book()
    # One request a second, worth 0.011, less 0.0012 of rent for each second between two: above 0.283 at the 29th.
    changed = [rents.observe(spill(0.011), float(second)) for second in range(29)]
    assert changed == [()] * 28 + [("t4",)]
    assert rents.wanted("t4") == 1
    assert rents.view("t4", 28.0).why == "saving"


def test_a_handful_of_dear_requests_is_no_trend() -> None:
    rents = book(slots=64)
    assert [rents.observe(spill(1.0), float(second)) for second in range(4)] == [()] * 3 + [("t4",)]


def test_prompts_that_would_not_have_been_read_in_time_earn_nothing() -> None:
    rents = book(prefill_tokens_per_second=100)  # one second for each prompt
    for _ in range(100):
        rents.observe(spill(0.01, limit_s=4.75), 0.0)
    assert rents.view("t4", 0.0).gain_usd == pytest.approx(0.04)
    rents.observe(spill(0.01, limit_s=4.75), 1.0)
    assert rents.view("t4", 1.0).gain_usd == pytest.approx(0.04 - 0.0012 + 0.01)


def test_traffic_that_does_not_pay_its_rent_never_wakes_it() -> None:
    rents = book()
    for second in range(0, 100_000, 10):
        assert rents.observe(spill(0.009), float(second)) == ()
    assert rents.view("t4", 1e5).gain_usd <= 0.01


@pytest.mark.parametrize(
    "demand",
    [served(5.0, pool="other"), spill(5.0, able=()), spill(5.0, able=("other",)), spill(math.nan), spill(0.0)],
    ids=["had room elsewhere", "nobody is able", "another is able", "unknown worth", "worth nothing"],
)
def test_nothing_is_earned_by(demand: Demand) -> None:
    rents = book()
    assert rents.observe(demand, 1.0) == ()
    assert rents.view("t4", 1.0).gain_usd == 0


def test_no_node_earns_more_than_it_could_have_done() -> None:
    rents = book()
    for _ in range(1000):
        rents.observe(spill(0.001), 0.0)  # all at once: only 30 s of work would have fitted
    fitted = 30 / TERMS.work_s(100, 20, RentRule().useful)
    assert rents.view("t4", 0.0).gain_usd == pytest.approx(0.001 * fitted, abs=0.001)


def test_where_nobody_else_may_answer_it_is_woken_at_once_and_the_cheapest_of_several() -> None:
    rents = RentBook({"dear": TERMS, "cheap": PoolTerms(node_usd_per_hour=1.0)}, 0.0)
    assert rents.observe(spill(math.inf, able=("dear", "cheap")), 0.0) == ("cheap",)
    assert rents.view("cheap", 0.0).why == "needed"
    assert rents.observe(spill(math.inf, able=("dear", "cheap")), 1.0) == ()


def test_of_several_that_pay_the_one_with_the_highest_rate_is_woken_and_all_begin_anew() -> None:
    rents = book("idle", "busy", slots=64)
    at = 0.0
    while not rents.wanted("busy"):
        at += 1.0
        rents.observe(spill(0.02, able=("busy",)), at)
        rents.observe(spill(0.02, able=("idle", "busy")), at)
    assert rents.wanted("idle") == 0
    assert rents.view("idle", at).gain_usd == rents.view("busy", at).gain_usd == 0


def test_demand_that_a_starting_node_will_take_wakes_no_second_one() -> None:
    rents = book("a", "b")
    rents.observe(called("a"), 0.0)
    for second in range(60):
        assert rents.observe(spill(1.0, able=("a", "b")), float(5 * second)) == ()
    assert rents.view("b", 300.0).gain_usd == 0


def test_what_is_too_much_for_the_starting_node_may_wake_a_second_one() -> None:
    rents = book("a", "b")
    rents.observe(called("a"), 0.0)
    for _ in range(200):
        rents.observe(spill(0.05, able=("a", "b")), 1.0)
    assert rents.wanted("b") == 1


def test_a_node_without_a_known_price_is_never_worth_waking() -> None:
    rents = book(node_usd_per_hour=None)
    for second in range(1000):
        rents.observe(spill(1.0), float(second))
    assert rents.wanted("t4") == 0


def test_a_pool_grows_node_by_node_up_to_its_limit() -> None:
    rents = book(min_nodes=1, max_nodes=3)
    assert rents.wanted("t4") == 1
    at = 0.0
    for _ in range(5):
        for _ in range(200):
            at += 1.0
            rents.observe(spill(0.05), at)
        rents.seen("t4", rents.wanted("t4"), at)
    assert rents.wanted("t4") == 3


# ---------------------------------------------------------------- releasing


def test_a_node_that_does_not_earn_its_rent_is_released_when_it_has_lost_three_stakes() -> None:
    rents, at = woken(book(idle_timeout_s=300, cold_start_s=200)), 0.0
    while rents.wanted("t4"):
        at += 10.0
        rents.observe(served(0.005), at)  # half of its rent
        rents.tick(at)
    assert at == pytest.approx(3000, abs=10)
    assert rents.view("t4", at).why == "unprofitable"


def test_a_node_that_earns_its_rent_stays_for_ever() -> None:
    rents = woken(book())
    for second in range(0, 100_000, 10):
        rents.observe(served(0.0101), float(second))
        assert rents.tick(float(second)) == ()


def test_good_times_are_not_saved_up_for_bad_ones() -> None:
    rents = woken(book(idle_timeout_s=1e6, cold_start_s=0.0), at=0.0)
    for second in range(1000):
        rents.observe(served(1.0), float(second))
    assert rents.view("t4", 999.0).balance_usd == 0


def test_without_a_request_time_alone_releases_it() -> None:
    rents = woken(book())
    assert rents.due() == 400.0
    assert rents.tick(399.0) == ()
    assert rents.tick(400.0) == ("t4",)
    assert rents.view("t4", 400.0).why == "idle"
    assert rents.due() == math.inf


def test_a_node_at_work_is_not_idle() -> None:
    rents = woken(book(idle_timeout_s=10, cold_start_s=1e6))
    assert rents.tick(10.0, {"t4": 1}) == ()
    assert rents.due() == 20.0


def test_the_last_node_earns_only_what_the_others_could_not_take() -> None:
    rents = book(min_nodes=1, max_nodes=2)
    for second in range(200):
        rents.observe(spill(0.05), float(second))
    rents.seen("t4", 2, 200.0)
    at = 200.0
    while rents.wanted("t4") == 2:
        at += 1.0
        rents.observe(served(1.0, nodes_needed=1), at)
        rents.tick(at)
    assert at - 200 <= 501
    assert rents.tick(1e9) == ()
    assert rents.wanted("t4") == 1


def test_a_released_node_that_still_runs_is_taken_back_as_soon_as_it_would_pay() -> None:
    rents = woken(book())
    rents.tick(1000.0)
    assert rents.wanted("t4") == 0
    assert rents.observe(spill(0.01), 1000.0) == ("t4",)


def test_once_it_is_gone_it_takes_a_whole_waking_again() -> None:
    rents = woken(book())
    rents.tick(1000.0)
    rents.seen("t4", 0, 1100.0)
    assert rents.observe(spill(0.01), 1100.0) == ()


def test_a_pool_that_starts_and_that_nobody_asks_for_any_more_is_given_up() -> None:
    rents = book()
    rents.observe(called(), 0.0)
    assert rents.tick(499.0) == ()
    assert rents.tick(500.0) == ("t4",)


# ---------------------------------------------------------------- strategies that do not reckon


def test_a_pool_that_is_called_is_woken_once() -> None:
    rents = book()
    assert rents.observe(called(), 0.0) == ("t4",)
    assert rents.observe(called(), 1.0) == ()
    assert rents.view("t4", 1.0).why == "called"


def test_without_rent_it_is_neither_woken_by_savings_nor_released_by_losses() -> None:
    rents = woken(book("t4", "b", by_rent=False))
    for second in range(0, 10_000, 100):
        rents.observe(spill(1.0, able=("b",)), float(second))
        rents.observe(served(0.0), float(second))
        assert rents.tick(float(second)) == ()
    assert rents.wanted("b") == 0
    assert rents.tick(9900.0 + 400) == ("t4",)
    assert rents.observe(spill(math.inf, able=("b",)), 10_400.0) == ("b",)


# ---------------------------------------------------------------- nodes that come unasked


def test_a_node_that_came_unasked_is_used_for_as_long_as_it_pays() -> None:
    rents = book()
    assert rents.seen("t4", 1, 0.0) == ("t4",)
    assert rents.view("t4", 0.0).why == "found"
    assert rents.tick(400.0) == ("t4",)
    assert rents.seen("t4", 1, 401.0) == ()  # it has not come anew


def test_no_more_nodes_are_wanted_than_may_be_whoever_started_them() -> None:
    rents = book(max_nodes=2)
    rents.seen("t4", 5, 0.0)
    assert rents.wanted("t4") == 2


def test_an_account_goes_on_in_another_book() -> None:
    old, new = woken(book()), book("t4", "b")
    old.tick(100.0)
    new.adopt(old, "t4")
    assert new.view("t4", 100.0) == old.view("t4", 100.0)
    assert new.terms("t4") == TERMS


# ---------------------------------------------------------------- new terms


def test_new_terms_hold_from_now_on() -> None:
    rents = woken(book())
    rents.offer("t4", PoolTerms(node_usd_per_hour=36.0, cold_start_s=100, idle_timeout_s=400), 100.0)
    assert rents.view("t4", 100.0).balance_usd == pytest.approx(-0.1)
    assert rents.view("t4", 110.0).balance_usd == pytest.approx(-0.2)
    assert rents.offer("t4", PoolTerms(node_usd_per_hour=1.0, min_nodes=2, max_nodes=3), 111.0) == ("t4",)
    assert rents.wanted("t4") == 2


# ---------------------------------------------------------------- whatever happens

demands = st.one_of(
    st.builds(spill, st.floats(0, 10) | st.just(math.inf), st.sampled_from([("a",), ("b",), ("a", "b")])),
    st.builds(served, st.floats(0, 10) | st.just(math.inf), st.sampled_from(["a", "b"]), st.integers(1, 3)),
    st.builds(called, st.sampled_from(["a", "b"])),
)
events = st.lists(
    st.tuples(
        st.floats(-1e4, 1e4) | st.just(1e9) | st.just(-1e9),
        demands | st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3)) | st.none(),
    ),
    max_size=60,
)
rules = st.builds(RentRule, theta=st.floats(0, 2), drift=st.floats(0, 3), keep=st.floats(0, 3))


def play(rents: RentBook, happened: list[tuple[float, Any]]) -> None:
    now = 0.0
    for step_s, event in happened:
        now += step_s
        if isinstance(event, Demand):
            rents.observe(event, now)
        elif event is None:
            rents.tick(now)
        else:
            rents.seen(event[0], event[1], now)
        for pool in ("a", "b"):
            view = rents.view(pool, now)
            figures = (view.gain_usd, view.rate_usd_per_hour, view.balance_usd, view.stake_usd)
            assert all(math.isfinite(figure) for figure in figures)
            assert view.gain_usd >= 0 >= view.balance_usd
            assert 1 <= view.wanted <= 3 if pool == "a" else 0 <= view.wanted <= 2
        assert not math.isnan(rents.due())


@given(rules, events)
@settings(max_examples=60)
def test_whatever_happens_wishes_stay_within_limits_and_sums_within_reason(
    rule: RentRule, happened: list[tuple[float, Any]]
) -> None:
    pools = {
        "a": PoolTerms(node_usd_per_hour=0.5, min_nodes=1, max_nodes=3, slots=2, decode_tokens_per_second=10),
        "b": PoolTerms(node_usd_per_hour=0.1, max_nodes=2, cold_start_s=0, idle_timeout_s=50),
    }
    play(RentBook(pools, 0.0, rule), happened)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 0.5), st.booleans()), max_size=60), st.integers(1, 7))
@settings(max_examples=60)
def test_how_often_anybody_looks_at_the_clock_changes_nothing(
    requests: list[tuple[float, float, bool]], ticks: int
) -> None:
    """Rent is charged for time, not for looking."""

    def run(ticks: int) -> list[tuple[int, float, float]]:
        rents, now, found = book(idle_timeout_s=1e5, cold_start_s=0.0, node_usd_per_hour=0.36), 0.0, []
        for gap_s, value_usd, is_spilled in requests:
            for part in range(1, ticks + 1):
                rents.tick(now + gap_s * part / ticks)
            now += gap_s
            changed = rents.observe(spill(value_usd) if is_spilled else served(value_usd), now)
            if changed:
                rents.seen("t4", 1, now)
            view = rents.view("t4", now)
            found.append((view.wanted, round(view.gain_usd, 6), round(view.balance_usd, 6)))
        return found

    assert run(ticks) == run(1)


@given(st.floats(0.001, 1.0), st.floats(1, 1000), st.floats(0.1, 2))
@settings(max_examples=60)
def test_it_is_never_woken_for_less_than_its_share_of_the_stake(value_usd: float, gap_s: float, theta: float) -> None:
    rule = RentRule(theta=theta)
    rents, spent, at = book(rule=rule), 0.0, 0.0
    for _ in range(500):
        spent += value_usd
        if rents.observe(spill(value_usd), at):
            assert spent > theta * TERMS.stake_usd
            return
        at += gap_s
    rent_usd_per_s = rule.drift * TERMS.usd_per_s
    threshold_usd = theta * TERMS.stake_usd + rule.few * value_usd
    assert value_usd <= rent_usd_per_s * gap_s or spent - value_usd <= threshold_usd + at * rent_usd_per_s


@given(st.lists(st.floats(0, 200), min_size=1, max_size=30))
@settings(max_examples=60)
def test_what_is_due_comes_when_it_is_due(gaps_s: list[float]) -> None:
    rents, now = woken(book(cold_start_s=50.0)), 0.0
    for gap_s in gaps_s:
        now = min(now + gap_s, rents.due() - 0.01)
        assert rents.tick(now) == ()
        rents.observe(served(0.001), now)
    due = rents.due()
    assert rents.tick(due - 0.01) == ()
    assert rents.tick(due) == ("t4",)
