"""docs/reference/infrastructure.md says what the projects declare: every key, default, output and policy, no other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from llm_infra.clouds import CLOUDS
from llm_policy.pack import policies
from tests.infra import programs

PAGE = (programs.INFRA.parent / "docs" / "reference" / "infrastructure.md").read_text()


def table(heading: str) -> dict[str, list[str]]:
    """First column, for each name in it → the other columns."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")
    ]
    return {name: row[1:] for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


def declared(project: str) -> dict[str, Any]:
    keys = yaml.safe_load((programs.INFRA / project / "Pulumi.yaml").read_text())["config"]
    return {key: about.get("value", about.get("default", "must be given")) for key, about in keys.items()}


def written(default: Any) -> str:
    return default if isinstance(default, str) else json.dumps(default)


def test_the_keys_of_the_clouds_with_their_defaults() -> None:
    by_cloud = {cloud: declared(cloud) for cloud in CLOUDS}
    told = table("Configuration of a cloud stack")
    # Said by each cloud's own provider, in one row, or by nobody.
    regions = {"aws:region", "gcp:region", "azure-native:location", "gcp:project"}
    assert set(told) - regions == {key for keys in by_cloud.values() for key in keys} - regions
    for key in set(told) - regions:
        defaults = [written(keys[key]) if key in keys else "–" for keys in by_cloud.values()]
        expected = defaults[0] if len(set(defaults)) == 1 else ", ".join(defaults)
        assert told[key][0] == expected, key


def test_the_keys_of_the_router_with_their_defaults() -> None:
    told = table("The router's stack")
    assert {key: columns[0] for key, columns in told.items()} == {
        key: written(default) for key, default in declared("router").items()
    }


def test_outputs_and_policies() -> None:
    assert set(table("Outputs")) == set(programs.as_shipped("aws", "dev").stack_outputs)
    assert list(table("Policies")) == [policy.name for policy in policies()]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_guide_tells_the_idle_cost_that_the_estimate_tells(cloud: str) -> None:
    guide = (programs.INFRA.parent / "docs" / "DEPLOYMENT_GUIDE.md").read_text()
    idle = programs.as_shipped(cloud, "dev").stack_outputs["monthlyEstimate"]["idleUsdPerMonth"]
    told = {"aws": 238, "gcp": 295, "azure": 370}[cloud]
    assert idle == pytest.approx(told, abs=2)
    for figure in {"aws": ("238", "73", "140", "16"), "gcp": ("295",), "azure": ("370",)}[cloud]:
        assert figure in guide
