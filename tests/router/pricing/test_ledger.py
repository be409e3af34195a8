"""The ledger books each request once, and its totals are the sums of its records to the last bit."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.model import Usage
from llm_router.pricing.ledger import NOBODY, AttemptRecord, ExactSum, Ledger, Record


def make_record(request_id: str, **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "request_id": request_id,
        "settled_at": 1_700_000_000.0,
        "target": "aws",
        "kind": "cluster",
        "model": "tiny",
        "reason": "hybrid_cluster",
        "status": 200,
        "usage": Usage(input_tokens=10, cache_read_tokens=2, output_tokens=5),
        "cost_usd": 0.001,
        "baseline": "openai",
        "baseline_usd": 0.003,
    }
    fields |= changes
    if fields["target"] is None:
        fields["cost_usd"] = None
    else:
        sent = AttemptRecord(fields["target"], "ok", fields["usage"], fields["cost_usd"])
        fields.setdefault("attempts", (sent,))
    return Record(**fields)


amounts = st.none() | st.floats(min_value=0.0, max_value=1e6)
records = st.builds(
    make_record,
    st.integers(0, 40).map(str),
    target=st.sampled_from([None, "aws", "gcp", "openai"]),
    baseline=st.sampled_from([None, "openai", "gemini"]),
    cost_usd=amounts,
    baseline_usd=amounts,
)


def test_savings_may_be_negative_and_are_unknown_where_a_side_is() -> None:
    assert make_record("a").savings_usd == pytest.approx(0.002)
    assert make_record("a", cost_usd=0.005).savings_usd == pytest.approx(-0.002)
    assert make_record("a", cost_usd=None).savings_usd is None
    assert make_record("a", baseline_usd=None).savings_usd is None


@pytest.mark.parametrize("field", ["cost_usd", "baseline_usd"])
@pytest.mark.parametrize("usd", [-1e-9, math.nan, math.inf])
def test_an_impossible_amount_is_refused(field: str, usd: float) -> None:
    with pytest.raises(ValueError, match=field):
        make_record("a", **{field: usd})


def test_a_request_is_settled_once() -> None:
    ledger = Ledger(10)
    assert ledger.settle(make_record("a"))
    assert not ledger.settle(make_record("a", cost_usd=5.0))
    savings = ledger.savings()
    assert (savings["requests"], savings["duplicates"], savings["cost_usd"]) == (1, 1, 0.001)
    assert ledger.recent(5) == [make_record("a")]


def test_totals_by_target_and_baseline() -> None:
    ledger = Ledger()
    ledger.settle(make_record("a"))
    ledger.settle(make_record("b", target="openai", kind="provider", cost_usd=None))
    ledger.settle(make_record("c", target=None, kind=None, cost_usd=None, usage=Usage(), status=503))
    savings = ledger.savings()
    assert savings["targets"] == {
        "aws": {"requests": 1, "input_tokens": 12, "output_tokens": 5, "unknown_costs": 0, "cost_usd": 0.001},
        "openai": {"requests": 1, "input_tokens": 12, "output_tokens": 5, "unknown_costs": 1, "cost_usd": 0.0},
        NOBODY: {"requests": 1, "input_tokens": 0, "output_tokens": 0, "unknown_costs": 0, "cost_usd": 0.0},
    }
    assert savings["baselines"] == {
        "openai": {"requests": 1, "cost_usd": 0.001, "baseline_usd": 0.003, "savings_usd": 0.002}
    }
    assert (savings["requests"], savings["unknown_costs"], savings["savings_usd"]) == (3, 1, 0.002)


def test_a_failed_attempt_that_was_charged_counts_where_it_was_sent() -> None:
    ledger = Ledger()
    wasted = AttemptRecord("openai", "broken", Usage(input_tokens=7, output_tokens=3), 0.5)
    answer = AttemptRecord("aws", "ok", Usage(input_tokens=7, output_tokens=9), 0.25)
    ledger.settle(make_record("a", attempts=(wasted, answer), usage=answer.usage, cost_usd=0.75))
    targets = ledger.savings()["targets"]
    assert (targets["openai"]["requests"], targets["openai"]["cost_usd"]) == (0, 0.5)
    assert (targets["aws"]["requests"], targets["aws"]["output_tokens"], targets["aws"]["cost_usd"]) == (1, 9, 0.25)
    assert ledger.savings()["cost_usd"] == 0.75


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
    savings = ledger.savings()
    assert savings["requests"] == 100
    assert savings["cost_usd"] == math.fsum([0.1] * 100)


def test_a_ledger_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Ledger(0)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300)))
def test_an_exact_sum_is_the_true_sum_rounded_once(values: list[float]) -> None:
    total = ExactSum()
    for value in values:
        total.add(value)
    assert float(total) == float(sum(map(Fraction, values)))


@given(st.lists(records, max_size=80), st.integers(1, 100))
def test_savings_are_the_sums_of_the_settled_records(entries: list[Record], max_records: int) -> None:
    ledger = Ledger(max_records)
    settled = [record for record in entries if ledger.settle(record)]
    savings = ledger.savings()
    compared = [record for record in settled if record.baseline is not None and record.savings_usd is not None]
    assert savings["requests"] == len(settled)
    assert savings["duplicates"] == len(entries) - len(settled)
    assert savings["cost_usd"] == math.fsum(r.cost_usd for r in settled if r.cost_usd is not None)
    assert savings["savings_usd"] == math.fsum(r.savings_usd for r in compared if r.savings_usd is not None)
    by_target: dict[str, list[float]] = defaultdict(list)
    for record in settled:
        by_target[record.target or NOBODY] += [] if record.cost_usd is None else [record.cost_usd]
    assert {name: totals["cost_usd"] for name, totals in savings["targets"].items()} == {
        name: math.fsum(costs) for name, costs in by_target.items()
    }
    assert sum(totals["requests"] for totals in savings["baselines"].values()) == len(compared)
