"""The bench of hybrid: scenarios are repeatable and apart, and the figures are what they say."""

from __future__ import annotations

import pytest

from scripts.bench.hybrid import outcome, report
from scripts.bench.scenarios import TRAFFIC, scenarios


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
