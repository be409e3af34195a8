"""Several processes' metrics as one set: sums that never fall, gauges by their rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from llm_router.telemetry.merging import GAUGES, Gathered, families
from llm_router.telemetry.metrics import Metrics


class Process:
    """One process's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.asked = Counter("asked", "Requests.", ["target"], registry=self.registry)
        self.took = Histogram("took_seconds", "Time.", buckets=(1, 2), registry=self.registry)
        self.pending = Gauge("llm_router_pending_requests", "Now.", ["target"], registry=self.registry)
        self.up = Gauge("llm_router_ledger_up", "1 if well.", ["backend"], registry=self.registry)
        self.wanted = Gauge("llm_router_pool_wanted", "1 if wanted.", ["pool"], registry=self.registry)
        self.saved = Gauge("llm_router_savings_usd_total", "USD.", ["baseline"], registry=self.registry)
        self.used = Gauge("llm_router_budget_used_usd", "USD.", registry=self.registry)


def values(gathered: Gathered) -> dict[str, float]:
    """By name and the values of the labels, as Prometheus' own parser reads them."""
    read = text_string_to_metric_families(gathered.text(CollectorRegistry()).decode())
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in read
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def gathered_of(*processes: Process) -> Gathered:
    gathered = Gathered()
    for number, process in enumerate(processes):
        gathered.take(number, families(process.registry))
    return gathered


@pytest.fixture
def two() -> tuple[Process, Process]:
    one, other = Process(), Process()
    for process, count in ((one, 1), (other, 2)):
        process.asked.labels("both").inc(count)
        process.took.observe(count)
        process.pending.labels("both").set(count)
        process.up.labels("sqlite").set(count - 1)
        process.wanted.labels("pool").set(count - 1)
        process.saved.labels("openai").set(-count)
        process.used.set(count)
    other.asked.labels("other").inc(5)
    return one, other


def test_sums_add_up_and_gauges_go_by_their_rules(two: tuple[Process, Process]) -> None:
    found = values(gathered_of(*two))
    assert (found["asked_total both"], found["asked_total other"]) == (3, 5)
    assert (found["took_seconds_bucket 1.0"], found["took_seconds_bucket 2.0"], found["took_seconds_sum"]) == (1, 2, 3)
    assert found["llm_router_pending_requests both"] == 3
    assert found["llm_router_ledger_up sqlite"] == 0, "one that is in trouble is trouble"
    assert found["llm_router_pool_wanted pool"] == 1, "one that wants it is enough"
    assert found["llm_router_savings_usd_total openai"] == -3
    assert found["llm_router_budget_used_usd"] == 1.5


def test_one_that_has_ended_leaves_its_sums_and_nothing_of_the_present(two: tuple[Process, Process]) -> None:
    gathered = gathered_of(*two)
    before = values(gathered)
    gathered.ended(0)
    after = values(gathered)
    sums = {name for name in before if not name.startswith("llm_router_") or "savings" in name}
    assert {name: after[name] for name in sums} == {name: before[name] for name in sums}
    assert after["llm_router_pending_requests both"] == 2
    assert after["llm_router_ledger_up sqlite"] == 1
    gathered.ended(1)
    assert values(gathered).keys() == sums


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["count", "look", "end"])), max_size=40))
def test_what_was_shown_of_a_counter_never_falls(steps: list[tuple[int, str]]) -> None:
    gathered, live = Gathered(), dict[int, Process]()
    identity = dict[int, object]()
    shown = 0.0
    for number, step in steps:
        process = live.setdefault(number, Process())
        who = identity.setdefault(number, object())
        if step == "count":
            process.asked.labels("a").inc()
        elif step == "look":
            gathered.take(who, families(process.registry))
        else:
            gathered.ended(who)
            del live[number], identity[number]
        now = values(gathered).get("asked_total a", 0.0)
        assert now >= shown
        shown = now


def test_metrics_of_ones_own_stand_beside_the_others(two: tuple[Process, Process]) -> None:
    own = CollectorRegistry()
    Gauge("mine", "My own.", registry=own).set(7)
    text = gathered_of(*two).text(own).decode()
    assert "\nmine 7.0\n" in text
    assert text.count("# TYPE asked_total counter") == 1


def test_every_gauge_of_the_router_has_a_rule() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    assert {metric.name for metric in registry.collect() if metric.type == "gauge"} == GAUGES.keys()
