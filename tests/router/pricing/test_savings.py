"""A report's rows, and its baselines, add up to the whole to the last digit; what cannot be compared stands apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.model import Usage
from llm_router.pricing.money import in_usd, picousd
from llm_router.pricing.records import NOBODY, AttemptRecord, Record
from llm_router.pricing.savings import DIMENSIONS, Query, report, tallied
from tests.router.pricing.record_samples import MIDNIGHT, make_record
from tests.router.pricing.record_strategies import records


def report_of(entries: Iterable[Record], **query: Any) -> dict[str, Any]:
    asked = Query(**query)
    return report(tallied(entries, asked), asked, ledger="memory", baseline=None, complete=True, now=0.0)


def pico(usd: float) -> int:
    return picousd(usd)


@given(st.lists(records, max_size=60), st.lists(st.sampled_from(DIMENSIONS), unique=True).map(tuple))
def test_the_parts_add_up_to_the_whole(entries: list[Record], by: tuple[str, ...]) -> None:
    shown = report_of(entries, by=by)
    assert shown["requests"] == len(entries)
    for name, figure in report_of([]).items():
        if isinstance(figure, int) and not isinstance(figure, bool):
            assert sum(row[name] for row in shown["rows"]) == shown[name], name
        elif isinstance(figure, float):
            assert in_usd(sum(pico(row[name]) for row in shown["rows"])) == shown[name], name
    baselines = shown["baselines"].values()
    assert sum(b["requests"] for b in baselines) == shown["compared"]
    assert in_usd(sum(pico(b["savings_usd"]) for b in baselines)) == shown["savings_usd"]


@given(st.lists(records, max_size=40))
def test_the_whole_is_the_sum_of_the_records(entries: list[Record]) -> None:
    shown = report_of(entries)
    known = [pico(record.cost_usd) for record in entries if record.target and record.cost_usd is not None]
    assert shown["cost_usd"] == in_usd(sum(known))
    saved = [pico(record.savings_usd) for record in entries if record.savings_usd is not None]
    assert shown["savings_usd"] == in_usd(sum(saved))
    assert shown["requests"] == shown["unanswered"] + shown["compared"] + shown["not_compared"]


def test_negative_savings_are_shown_as_such() -> None:
    shown = report_of([make_record("a", cost_usd=0.005), make_record("b", target="gcp")])
    assert shown["savings_usd"] == 0.0
    assert [(row["target"], row["savings_usd"]) for row in shown["rows"]] == [("aws", -0.002), ("gcp", 0.002)]


def test_what_cannot_be_compared_is_counted_apart() -> None:
    entries = [
        make_record("a"),
        make_record("b", baseline=None, baseline_usd=None, cost_usd=0.25),
        make_record("c", cost_usd=None),
        make_record("d", target=None, usage=Usage(), baseline=None, baseline_usd=None),
    ]
    shown = report_of(entries)
    assert (shown["compared"], shown["not_compared"], shown["unanswered"]) == (1, 2, 1)
    assert (shown["compared_cost_usd"], shown["not_compared_cost_usd"], shown["cost_usd"]) == (0.001, 0.25, 0.251)
    assert shown["unknown_costs"] == 1
    assert shown["baselines"] == {
        "openai": {"requests": 1, "cost_usd": 0.001, "baseline_usd": 0.003, "savings_usd": 0.002}
    }
    assert {row["target"] for row in shown["rows"]} == {"aws", NOBODY}


def test_a_charge_of_a_request_whose_whole_cost_is_unknown_still_counts() -> None:
    wasted = AttemptRecord("openai", "broken", Usage(input_tokens=7, output_tokens=3), 0.5)
    unknown = AttemptRecord("aws", "ok", Usage(input_tokens=7, output_tokens=3))
    shown = report_of([make_record("a", attempts=(wasted, unknown), cost_usd=None)])
    assert (shown["cost_usd"], shown["unknown_costs"], shown["compared"]) == (0.5, 1, 0)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, {"2023-11-14": 1, "2023-11-15": 2}),
        (MIDNIGHT, None, {"2023-11-15": 2}),
        (None, MIDNIGHT, {"2023-11-14": 1}),
        (MIDNIGHT, MIDNIGHT + 1, {"2023-11-15": 1}),
        (MIDNIGHT + 2, MIDNIGHT + 1, {}),
    ],
)
def test_a_report_covers_from_since_until_before_until(
    since: float | None, until: float | None, expected: dict[str, int]
) -> None:
    moments = (MIDNIGHT - 1e-6, MIDNIGHT, MIDNIGHT + 1)
    entries = [make_record(str(at), settled_at=at) for at in moments]
    shown = report_of(entries, since=since, until=until, by=("day",))
    assert {row["day"]: row["requests"] for row in shown["rows"]} == expected
