"""The benches of the simulator: scenarios are repeatable and apart, and the figures are what they say."""

from __future__ import annotations

import pytest

from llm_router.simulate.fleet import NodeSpeed
from llm_router.simulate.trace import Request, trace_of
from scripts.bench.hybrid import outcome, report
from scripts.bench.queue import between, poisson, predicted
from scripts.bench.scenarios import TRAFFIC, scenarios

SPEED = NodeSpeed(slots=2, prefill_tokens_per_second=1000, step_s=0.01, step_s_per_sequence=0.005)


def test_scenarios_are_repeatable_and_the_holdout_has_others() -> None:
    train, again, holdout = scenarios("train", 3), scenarios("train", 3), scenarios("holdout", 3)
    assert train == again
    assert not {scenario.trace for scenario in train} & {scenario.trace for scenario in holdout}
    assert set(TRAFFIC["train"]) < set(TRAFFIC["holdout"])


def test_an_outcome_beside_the_best_run_and_the_cheapest_fixed_policy(capsys: pytest.CaptureFixture[str]) -> None:
    sparse = next(scenario for scenario in scenarios("train", 7) if "sparse" in scenario.name)
    found = outcome(sparse)
    assert found.ratio >= 1
    assert found.best_usd <= found.fixed_usd
    report([found])
    assert "1 scenarios: bill ÷ best run found: median" in capsys.readouterr().out


def test_the_queue_bench_predicts_by_the_simulator_s_model() -> None:
    alone, after = predicted(SPEED, trace_of([Request(0.0, 100, 11), Request(5.0, 200, 1)]))
    assert (alone.first, alone.total) == pytest.approx((0.1, 0.1 + 10 * 0.015))
    assert (after.first, after.total) == pytest.approx((0.2, 0.2))


def test_its_load_takes_the_share_of_the_server_that_was_asked_for() -> None:
    trace = poisson(SPEED, 0.5, 2000, seed=1)
    work_s = sum(SPEED.work_s(r.input_tokens, r.output_tokens) for r in trace.requests)
    assert work_s / trace.span_s == pytest.approx(0.5, rel=0.1)


def test_the_mean_of_two_measurements() -> None:
    twice = NodeSpeed(slots=2, prefill_tokens_per_second=500, step_s=0.02, step_s_per_sequence=0.01)
    assert between(SPEED, twice).reading_s(1000) == pytest.approx(1.5)
    assert between(SPEED, twice).step_of(2) == pytest.approx(0.03)
