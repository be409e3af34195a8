"""Grafana's dashboard asks for what is exported, in PromQL that Prometheus takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.exposed import exposed, grouped_by, labels_of, metrics_in
from tests.charts.helm import CHARTS

DASHBOARD: dict[str, Any] = json.loads((CHARTS / "router/files/dashboard.json").read_text())
QUERIES = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]

every_query = pytest.mark.parametrize(("title", "query"), QUERIES)


@every_query
def test_metrics_and_labels_are_ones_that_are_exported(title: str, query: str) -> None:
    found = list(metrics_in(query))
    assert found, title
    for metric, labels in found:
        assert metric in exposed(), metric
        assert labels <= exposed()[metric], (metric, labels)
    assert grouped_by(query) <= labels_of(query)


def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": query} for number, (_, query) in enumerate(QUERIES)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_lie_side_by_side_and_have_names_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_data_source_is_chosen_when_it_is_looked_at() -> None:
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
