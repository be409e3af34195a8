"""A target that has come back gets its requests again little by little, and nobody waits for it."""

from __future__ import annotations

import pytest

from llm_router.routing.engine import Policy, decide
from llm_router.routing.slow_start import share_percent
from llm_router.routing.turns import Turns
from tests.router.routing.views import NOW, cluster, facts, provider, snapshot

POLICY = Policy(slow_start_s=60)


def first_of(*, age_s: float, pending: int, asked: int = 100) -> list[str]:
    """Who answers each of so many requests, where a cluster came back so long ago."""
    turns = Turns()
    views = snapshot(cluster("back", back_at=NOW - age_s, pending=pending), provider("other"))
    return [decide(facts(), views, POLICY, turns.take).choices[0].target.name for _ in range(asked)]


@pytest.mark.parametrize(("age_s", "share"), [(0, 10), (11.9, 10), (12, 20), (30, 50), (59, 90), (60, 100), (1e9, 100)])
def test_a_busy_one_takes_a_share_that_grows_with_time(age_s: float, share: int) -> None:
    assert first_of(age_s=age_s, pending=1).count("back") == share
    assert share_percent(age_s, 60) == share


def test_an_idle_one_takes_the_next_request_like_any_other() -> None:
    assert set(first_of(age_s=0, pending=0)) == {"back"}


def test_who_alone_may_answer_does() -> None:
    turns = Turns()
    alone = snapshot(cluster("back", back_at=NOW, pending=5), provider("other", health="unhealthy"))
    answered = [decide(facts(), alone, POLICY, turns.take).choices[0].target.name for _ in range(20)]
    assert set(answered) == {"back"}


def test_where_all_have_just_come_back_the_order_stays() -> None:
    views = snapshot(*(cluster(name, usd, back_at=NOW, pending=5) for name, usd in (("a", 0.001), ("b", 0.002))))
    first = [decide(facts(), views, POLICY, take).choices[0].target.name for take in [Turns().take] * 20]
    assert first.count("a") >= 18  # each has its own turns, so one may be in while the other is out


def test_it_can_be_turned_off() -> None:
    views = snapshot(cluster("back", back_at=NOW, pending=5), provider("other"))
    assert decide(facts(), views, Policy(slow_start_s=0), Turns().take).choices[0].target.name == "back"
