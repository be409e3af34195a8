"""scripts/clouds.py: several clouds at once, and the router behind them."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import yaml

from tests.infra.engine.workspace import ROOT, Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


def run(place: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    (place.folder / "scripts").mkdir(exist_ok=True)
    script = place.folder / "scripts" / "clouds.py"
    shutil.copy(ROOT / "scripts" / "clouds.py", script)
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, env=place.environment, capture_output=True, text=True, check=False, timeout=280)


def test_two_clouds_and_the_router_come_and_go(place: Workspace) -> None:
    for project in ("gcp", "azure", "router"):
        place.init(project)
    up = run(place, "up", "--clouds", "gcp,azure")
    assert up.returncode == 0, up.stdout + up.stderr
    assert "   gcp | " in up.stdout
    assert " azure | " in up.stdout
    config = run(place, "config", "--clouds", "gcp,azure")
    names = [cluster["name"] for cluster in yaml.safe_load(config.stdout)["clusters"]]
    assert names == ["azure", "azure-gpu", "gcp", "gcp-gpu"]

    place.cloud.fail_once("delete", "gcp:container/cluster:Cluster", "", "the cluster is busy")
    half = run(place, "destroy", "--clouds", "gcp,azure")
    assert half.returncode == 1
    assert "failed: gcp." in half.stderr
    assert not place.cloud.of("ManagedCluster"), "the other cloud went all the same"
    assert run(place, "destroy", "--clouds", "gcp,azure").returncode == 0
    assert place.cloud.things == {}


def test_a_stack_that_nobody_made_and_a_cloud_that_nobody_knows(place: Workspace) -> None:
    missing = run(place, "preview", "--clouds", "aws")
    assert missing.returncode == 1
    assert "there is no such stack, make it first" in missing.stderr
    assert run(place, "up", "--clouds", "oracle").returncode == 2
