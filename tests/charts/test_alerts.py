"""The alert rules: taken by Prometheus' own tool, each proven to fire and to stay silent, over metrics that exist."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.exposed import FROM_ELSEWHERE, exposed, metrics_in
from tests.charts.helm import CHARTS

RULES = {"router": CHARTS / "router/files/alerts.yaml", "pools": CHARTS / "exporters/files/alerts.yaml"}
CASES = Path(__file__).parent / "alerts"

each_file = pytest.mark.parametrize("name", RULES)


def rules(name: str) -> list[dict[str, Any]]:
    content = yaml.safe_load(RULES[name].read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@each_file
def test_prometheus_takes_them(name: str) -> None:
    promtool("check", "rules", RULES[name])


@each_file
def test_they_fire_and_stay_silent_as_they_should(name: str) -> None:
    promtool("test", "rules", CASES / f"{name}.yaml")


@each_file
def test_each_is_proven_to_fire_and_over_the_rules_that_the_chart_has(name: str) -> None:
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    fired = {check["alertname"] for case in cases["tests"] for check in case["alert_rule_test"] if check["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules(name)}
    assert [(CASES / file).resolve() for file in cases["rule_files"]] == [RULES[name]]


@each_file
def test_their_metrics_exist(name: str) -> None:
    known = exposed()
    for rule in rules(name):
        for metric, labels in metrics_in(rule["expr"]):
            assert metric in known or metric in FROM_ELSEWHERE, (rule["alert"], metric)
            assert labels <= known.get(metric, labels), (rule["alert"], metric, labels)


@each_file
def test_each_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    for rule in rules(name):
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert len(rule["annotations"]["description"]) > 40
