"""Several processes' metrics as one set: sums that never fall, gauges by their rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from llm_router.model import Target
from llm_router.telemetry.merging import GAUGES, Gathered, families
from llm_router.telemetry.metrics import Metrics
from tests.router.pricing.record_samples import make_record  # noqa: F401


def values(gathered: Gathered) -> dict[str, float]:
    text = gathered.text(CollectorRegistry()).decode()
    return {
        sample.name + "".join(f"|{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_gauge_of_the_router_has_a_rule() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    assert {metric.name for metric in registry.collect() if metric.type == "gauge"} == GAUGES.keys()
