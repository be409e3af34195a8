"""The ledger books each request once, and its totals are the sums of its records to the last bit."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llm_router.model import Usage
from llm_router.pricing.ledger import Ledger
from llm_router.pricing.records import NOBODY, AttemptRecord, Record
from llm_router.pricing.savings import Query, report
from tests.router.pricing.record_samples import make_record
from tests.router.pricing.record_strategies import records


def test_savings_may_be_negative_and_are_unknown_where_a_side_is() -> None:
    assert make_record("a").savings_usd == pytest.approx(0.002)
    assert make_record("a", cost_usd=0.005).savings_usd == pytest.approx(-0.002)
    assert make_record("a", cost_usd=None).savings_usd is None
    assert make_record("a", baseline_usd=None).savings_usd is None


@pytest.mark.parametrize("field", ["cost_usd", "baseline_usd"])
@pytest.mark.parametrize("usd", [-1e-9, math.nan, math.inf, 1.1e6])
def test_an_impossible_amount_is_refused(field: str, usd: float) -> None:
    with pytest.raises(ValueError, match=field):
        make_record("a", **{field: usd})


def test_a_request_is_settled_once() -> None:
    kept: list[Record] = []
    ledger = Ledger(10, also=kept.append)
    assert ledger.settle(make_record("a"))
    assert not ledger.settle(make_record("a", cost_usd=5.0))
    assert (len(ledger), ledger.duplicates, ledger.totals()["aws"]["cost_usd"]) == (1, 1, 0.001)
    assert ledger.recent(5) == kept == [make_record("a")]


def test_totals_by_target() -> None:
    ledger = Ledger()
    ledger.settle(make_record("a"))
    ledger.settle(make_record("b", target="openai", kind="provider", cost_usd=None))
    ledger.settle(make_record("c", target=None, usage=Usage(), status=503))
    assert ledger.totals() == {
        "aws": {"requests": 1, "input_tokens": 12, "output_tokens": 5, "unknown_costs": 0, "cost_usd": 0.001},
        "openai": {"requests": 1, "input_tokens": 12, "output_tokens": 5, "unknown_costs": 1, "cost_usd": 0.0},
        NOBODY: {"requests": 1, "input_tokens": 0, "output_tokens": 0, "unknown_costs": 0, "cost_usd": 0.0},
    }


def test_a_failed_attempt_that_was_charged_counts_where_it_was_sent() -> None:
    ledger = Ledger()
    wasted = AttemptRecord("openai", "broken", Usage(input_tokens=7, output_tokens=3), 0.5)
    answer = AttemptRecord("aws", "ok", Usage(input_tokens=7, output_tokens=9), 0.25)
    ledger.settle(make_record("a", attempts=(wasted, answer), usage=answer.usage, cost_usd=0.75))
    targets = ledger.totals()
    assert (targets["openai"]["requests"], targets["openai"]["cost_usd"]) == (0, 0.5)
    assert (targets["aws"]["requests"], targets["aws"]["output_tokens"], targets["aws"]["cost_usd"]) == (1, 9, 0.25)


def test_recent_is_newest_first_and_bounded() -> None:
    ledger = Ledger(3)
    for number in range(5):
        ledger.settle(make_record(str(number)))
    assert [record.request_id for record in ledger.recent(2)] == ["4", "3"]
    assert [record.request_id for record in ledger] == ["2", "3", "4"]
    assert len(ledger) == 3
    assert ledger.recent(0) == ledger.recent(-1) == []


def test_totals_survive_the_eviction_of_records() -> None:
    ledger = Ledger(2)
    for number in range(100):
        ledger.settle(make_record(str(number), cost_usd=0.1, baseline_usd=0.3))
    assert ledger.totals()["aws"]["requests"] == 100
    assert ledger.totals()["aws"]["cost_usd"] == math.fsum([0.1] * 100)


def test_a_ledger_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Ledger(0)


@given(st.lists(records, max_size=60), st.integers(1, 60))
def test_what_is_no_longer_kept_still_counts(entries: list[Record], max_records: int) -> None:
    small, large = Ledger(max_records), Ledger(10**6)
    for record in entries:
        small.settle(record)
        large.settle(record)
    for by in ((), ("target",), ("key", "day")):
        query = Query(by=by)
        few, all_of_them = (
            report(tallies, query, ledger="memory", baseline=None, complete=complete, now=0.0)
            for tallies, complete in (small.tallies(query), large.tallies(query))
        )
        assert few["complete"]
        assert few == all_of_them


class Settled(RuleBasedStateMachine):
    """Records are settled, some of them again, in a ledger that keeps five.

    Each that is taken is handed on once; the last ones are kept; sums are of all that were ever taken; one that is
    kept is not taken again.
    """

    KEPT = 5

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Record] = []
        self.handed_on: list[Record] = []
        self.refused = 0
        self.ledger = Ledger(self.KEPT, also=self.handed_on.append)

    @rule(number=st.integers(0, 12), answered_by=st.sampled_from(("aws", "openai", None)), millis=st.integers(0, 50))
    def settle(self, number: int, answered_by: str | None, millis: int) -> None:
        record = make_record(str(number), target=answered_by, **({"cost_usd": millis / 1000} if answered_by else {}))
        known = any(kept.request_id == record.request_id for kept in self.taken[-self.KEPT :])
        assert self.ledger.settle(record) is not known
        if known:
            self.refused += 1
        else:
            self.taken.append(record)

    @invariant()
    def the_last_ones_are_kept(self) -> None:
        assert list(self.ledger) == self.taken[-self.KEPT :]
        assert self.ledger.recent(2) == self.taken[-self.KEPT :][::-1][:2]

    @invariant()
    def each_was_handed_on_once(self) -> None:
        assert self.handed_on == self.taken
        assert self.ledger.duplicates == self.refused

    @invariant()
    def sums_are_of_all(self) -> None:
        totals = self.ledger.totals()
        requests = Counter(record.target or NOBODY for record in self.taken)
        assert {name: total["requests"] for name, total in totals.items()} == requests
        for name in requests.keys() - {NOBODY}:
            cost_usd = math.fsum(record.cost_usd or 0 for record in self.taken if record.target == name)
            assert totals[name]["cost_usd"] == pytest.approx(cost_usd, abs=1e-12)
        tallies, _ = self.ledger.tallies(Query())
        assert sum(tally.requests for tally in tallies.values()) == len(self.taken)


TestSettled: Any = Settled.TestCase
TestSettled.settings = settings(max_examples=50, stateful_step_count=40)
