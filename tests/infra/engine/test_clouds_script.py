"""scripts/clouds.py: several clouds at once, and the router behind them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

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


def test_what_is_missing_is_told_with_how_to_get_it(place: Workspace) -> None:
    missing = run(place, "preview", "--clouds", "aws")
    assert missing.returncode == 1
    assert missing.stderr.startswith("there is no stack dev in infra/aws: cd infra/aws && pulumi stack init dev")
    place.init("router")
    not_up = run(place, "config")
    assert not_up.returncode == 1
    assert "the router's stack is not up" in not_up.stderr
    assert "Traceback" not in missing.stderr + not_up.stderr
    assert run(place, "up", "--clouds", "oracle").returncode == 2


def test_why_a_cloud_failed_is_told_beside_its_name(place: Workspace) -> None:
    for project in ("gcp", "router"):
        place.init(project)
    place.config("gcp", "gpuUsdPerHour", "0.2", "--secret")
    lost = replace(place, environment={**place.environment, "PULUMI_CONFIG_PASSPHRASE": "another"})
    refused = run(lost, "preview", "--clouds", "gcp,gcp")
    assert refused.returncode == 1
    assert refused.stderr.count("   gcp | error:") == 1
    assert "incorrect passphrase" in refused.stderr
    assert "failed: gcp. What was made stays" in refused.stderr


def test_without_pulumi_nothing_is_tried(place: Workspace) -> None:
    bare = replace(place, environment={**place.environment, "PATH": "/usr/bin:/bin"})
    refused = run(bare, "up")
    assert refused.returncode == 1
    assert refused.stderr == "there is no pulumi on PATH: https://www.pulumi.com/docs/install/\n"
