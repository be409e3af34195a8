"""docs/reference/infrastructure.md says what the projects declare: every key, default, output and policy, no other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from llm_infra.clouds import CLOUDS, Cloud
from llm_infra.tables import machines
from llm_policy.pack import policies
from tests.infra import programs

GUIDE = (programs.INFRA.parent / "docs" / "DEPLOYMENT_GUIDE.md").read_text()
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


def guide_column(heading: str, column: int) -> dict[str, str]:
    """A column of the guide's table whose heading line begins so, by the first column."""
    lines = GUIDE.split(f"{heading}", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[column] for row in rows}


def dollars(cell: str) -> int:
    return sum(int(part) for part in cell.split(" + ") if part)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_guide_tells_the_costs_that_the_estimate_tells(cloud: str) -> None:
    column = guide_column("| step | about | AWS", 2 + CLOUDS.index(cloud))
    estimate = programs.as_shipped(cloud, "dev").stack_outputs["monthlyEstimate"]
    idle, full = dollars(column.pop("sum")), dollars(column.pop("with every pool full"))
    assert idle == pytest.approx(estimate["idleUsdPerMonth"], abs=1)
    assert full == pytest.approx(estimate["fullUsdPerMonth"], abs=1)
    assert sum(map(dollars, column.values())) == pytest.approx(idle, abs=2)
    told = {int(part) for cell in column.values() for part in cell.split(" + ") if part}
    assert {round(item["idleUsdPerMonth"]) for item in estimate["items"]} <= told
    assert f"{round(programs.as_shipped(cloud, 'prod').stack_outputs['monthlyEstimate']['idleUsdPerMonth'])}" in GUIDE


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_guide_tells_the_quotas_that_the_pools_need(cloud: Cloud) -> None:
    name = {"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}[cloud]
    about = declared(cloud)
    cpu = machines.CPU_MACHINES[cloud][about["cpuMachineTypes"][0]].vcpus * about["cpuMaxNodes"]
    # AKS has one node more, of the system's.
    assert int(guide_column("| cloud | for GPUs", 4)[name]) == cpu + (2 if cloud == "azure" else 0)
    gpu = machines.GPU_MACHINES[cloud][about["gpuMachineTypes"][0]]
    assert guide_column("| cloud | for GPUs", 2)[name].startswith(str(gpu.gpus if cloud == "gcp" else gpu.vcpus))
